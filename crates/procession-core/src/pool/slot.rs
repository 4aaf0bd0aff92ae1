//! A worker's place in the pool and what was sent to it.

use crate::attachment::Attachments;
use crate::error::Error;
use crate::face::Code;
use crate::message::request;
use crate::payload::{Bytes, Loans};
use crate::start::WorkerProcess;
use crate::task::{Batch, TaskCell};
use procession_ipc::bulk::{Bulk, REFERENCE_BYTES};
use procession_ipc::frame::{FLAG_BULK, Header};
use procession_ipc::lane::ParentLane;
use procession_ipc::layout::{INLINE_BYTES_MAX, WINDOW_MAX};
use procession_ipc::ring::Pushed;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// An encoded payload on its way to a worker.
#[derive(Debug)]
pub(super) enum Load {
    /// In private memory, no larger than the inline limit when it is sent.
    Private(Bytes),
    /// In a bulk segment of ours.
    Bulk(Box<Bulk>),
}

impl Load {
    /// Bytes that it takes on a ring.
    pub(super) fn ring_bytes(&self) -> usize {
        match self {
            Self::Private(bytes) if bytes.len() <= INLINE_BYTES_MAX => bytes.len(),
            Self::Private(_) | Self::Bulk(_) => REFERENCE_BYTES,
        }
    }
}

/// What the outcome of a request belongs to.
#[derive(Debug)]
pub(super) enum Target {
    /// One task.
    Task(Arc<TaskCell>),
    /// Items of a batch.
    Chunk(Box<Span>),
    /// The worker's own start: nobody waits for it but the pool.
    Start,
}

/// Items of a batch that travel together.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) batch: Arc<Batch>,
    /// Index of the first.
    pub(super) first: u64,
    /// How many.
    pub(super) count: u64,
    /// How many of them, from the first on, have their outcome.
    pub(super) delivered: u64,
}

/// A request that can be sent.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) kind: u16,
    pub(super) code: Code,
    pub(super) target: Target,
    pub(super) load: Load,
    /// What the payload mentions.
    pub(super) attachments: Attachments,
}

/// A request that was sent.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) sequence: u64,
    pub(super) kind: u16,
    pub(super) code: Code,
    /// `None` once it has its outcome, or was taken back.
    pub(super) target: Option<Target>,
    pub(super) taken_back: bool,
    pub(super) bulk: Option<Box<Bulk>>,
    pub(super) attachments: Attachments,
    pub(super) pushed: Pushed,
}

/// Where a worker is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Launched; must be ready by then.
    Starting(Instant),
    /// Runs tasks.
    Ready,
    /// Was told to stop, or was killed.
    Stopping,
    /// Has ended, and nobody has its place.
    Gone,
}

/// A worker that was launched: a process, or one thread of it.
#[derive(Debug)]
pub(super) struct Live {
    /// Shared by the lanes of one process.
    pub(super) process: Arc<WorkerProcess>,
    pub(super) lane: ParentLane,
    pub(super) loans: Loans,
}

/// A worker's place in the pool: that of one lane.
#[derive(Debug)]
pub(super) struct Slot {
    /// Place of its process in the pool.
    pub(super) process: usize,
    pub(super) generation: u32,
    pub(super) phase: Phase,
    pub(super) live: Option<Live>,
    pub(super) flights: VecDeque<Flight>,
    /// Flights of tasks and chunks that have no outcome yet.
    pub(super) unfinished: usize,
    pub(super) said_hello: bool,
    pub(super) start_error: Option<Error>,
    pub(super) protocol_error: Option<String>,
    /// When it last answered, in collections of the pool: the latest is the warmest.
    pub(super) last_active: u64,
    /// It has not answered for a while although it has something to do: what it runs is longer than
    /// the mean says.
    pub(super) stalled: bool,
    /// What `last_active` was when the supervisor last looked.
    pub(super) active_at_check: u64,
    /// When to try again to launch a worker here, after the system refused one.
    pub(super) retry_at: Option<Instant>,
    /// What was to go ahead of a request did not fit into the control channel: it is to be tried again.
    pub(super) channel_is_full: bool,
    /// Attachments that were sent to workers here.
    pub(super) shared: u64,
    /// Something was sent since the worker was last woken.
    unrung: bool,
    next_sequence: u64,
}

impl Slot {
    /// An empty place.
    pub(super) fn new(process: usize) -> Self {
        Self {
            process,
            generation: 0,
            phase: Phase::Gone,
            live: None,
            flights: VecDeque::new(),
            unfinished: 0,
            said_hello: false,
            start_error: None,
            protocol_error: None,
            last_active: 0,
            stalled: false,
            active_at_check: 0,
            retry_at: None,
            channel_is_full: false,
            shared: 0,
            unrung: false,
            next_sequence: 1,
        }
    }

    /// Puts a fresh worker here.
    pub(super) fn settle_in(&mut self, live: Live, deadline: Instant) {
        debug_assert!(self.flights.is_empty());
        self.phase = Phase::Starting(deadline);
        self.live = Some(live);
        self.unfinished = 0;
        self.said_hello = false;
        self.retry_at = None;
        self.channel_is_full = false;
        self.start_error = None;
        self.protocol_error = None;
        self.next_sequence = 1;
    }

    /// Whether tasks may be sent here.
    pub(super) fn takes_tasks(&self) -> bool {
        matches!(self.phase, Phase::Starting(_) | Phase::Ready)
            && self.live.is_some()
            && !self.channel_is_full
            && self.flights.len() < WINDOW_MAX
    }

    /// Whether a request of so many bytes has room in the ring.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.live.as_ref().is_some_and(|live| live.lane.has_room(bytes))
    }

    /// Sends a request; gives it back when the lane has no room for it now.
    #[must_use]
    pub(super) fn send(&mut self, request: Request) -> Option<Request> {
        let Some(live) = &mut self.live else { return Some(request) };
        if self.flights.len() >= WINDOW_MAX {
            return Some(request);
        }
        let mut header = Header {
            kind: request.kind,
            word: request.code,
            sequence: self.next_sequence,
            extra: match &request.target {
                Target::Chunk(span) => span.count,
                Target::Task(_) | Target::Start => 0,
            },
            ..Header::default()
        };
        let has_attachments = !request.attachments.is_empty();
        if has_attachments {
            let shared = live.process.share(&request.attachments);
            self.channel_is_full = shared.is_none();
            let Some(shared) = shared else { return Some(request) };
            self.shared += shared as u64;
            if live.process.has_unread() {
                header.flags |= request::FLAG_PARCEL;
            }
        }
        let pushed = match &request.load {
            Load::Private(bytes) => live.lane.send(header, bytes),
            Load::Bulk(bulk) => {
                header.flags |= FLAG_BULK;
                if live.process.share_bulk(bulk) {
                    live.lane.send(header, &bulk.reference().to_bytes())
                } else {
                    None
                }
            }
        };
        let Some(pushed) = pushed else { return Some(request) };
        if has_attachments {
            live.process.told_to_read();
        }
        let Request { kind, code, target, load, attachments } = request;
        let bulk = match load {
            Load::Bulk(bulk) => Some(bulk),
            Load::Private(_) => None,
        };
        self.note_sent(kind, code, target, bulk, attachments, pushed);
        None
    }

    /// Sends a single task without attachments straight from the encoder's memory; `false` when there
    /// is no room.
    pub(super) fn send_task(
        &mut self,
        code: Code,
        kind: u16,
        cell: &Arc<TaskCell>,
        payload: &[u8],
    ) -> bool {
        let Some(live) = &mut self.live else { return false };
        let header = Header { kind, word: code, sequence: self.next_sequence, ..Header::default() };
        let Some(pushed) = live.lane.send(header, payload) else { return false };
        let target = Target::Task(cell.clone());
        self.note_sent(kind, code, target, None, Attachments::default(), pushed);
        true
    }

    /// Notes a request that stands in the ring now.
    fn note_sent(
        &mut self,
        kind: u16,
        code: Code,
        target: Target,
        bulk: Option<Box<Bulk>>,
        attachments: Attachments,
        pushed: Pushed,
    ) {
        if !matches!(target, Target::Start) {
            self.unfinished += 1;
        }
        self.flights.push_back(Flight {
            sequence: self.next_sequence,
            kind,
            code,
            target: Some(target),
            taken_back: false,
            bulk,
            attachments,
            pushed,
        });
        self.unrung = true;
        self.next_sequence += 1;
    }

    /// Kills the worker, if there is one; its end is dealt with like any other.
    pub(super) fn kill(&self) {
        if let Some(live) = &self.live {
            // If it is dead already the exit watch knows.
            let _ = live.process.child().kill();
        }
    }

    /// Wakes the worker if something was sent and it sleeps.
    pub(super) fn wake_worker(&mut self) {
        if std::mem::take(&mut self.unrung)
            && let Some(live) = &mut self.live
        {
            live.lane.wake_worker();
        }
    }

    /// The flight with this sequence, if it is in flight.
    pub(super) fn flight(&mut self, sequence: u64) -> Option<&mut Flight> {
        let first = self.flights.front()?.sequence;
        let index = usize::try_from(sequence.checked_sub(first)?).ok()?;
        self.flights.get_mut(index)
    }

    /// Takes the last request back that the worker has not begun; with its payload.
    pub(super) fn take_back_last(&mut self) -> Option<Request> {
        let live = self.live.as_mut()?;
        let flight = self.flights.iter_mut().rev().find(|flight| flight.target.is_some())?;
        if matches!(flight.target, Some(Target::Start)) || !live.lane.take_back(flight.sequence) {
            return None;
        }
        flight.taken_back = true;
        self.unfinished -= 1;
        let load = load_of(&live.lane, flight);
        Some(Request {
            kind: flight.kind,
            code: flight.code,
            target: flight.target.take().expect("found by its target"),
            load,
            attachments: std::mem::take(&mut flight.attachments),
        })
    }

    /// Forgets the flights at the front that are over; hands back their bulk segments.
    pub(super) fn forget_finished(&mut self, put_back: impl Fn(Bulk)) {
        let Some(live) = &mut self.live else { return };
        let mut release = None;
        while let Some(flight) = self.flights.front() {
            if flight.target.is_some() {
                break;
            }
            if flight.taken_back {
                // The worker still has to step over it.
                let passed = live.lane.request_head().wrapping_sub(flight.pushed.end) as i32 >= 0;
                if !passed {
                    break;
                }
            }
            release = Some(flight.pushed.end);
            let flight = self.flights.pop_front().expect("just looked at");
            if let Some(bulk) = flight.bulk {
                put_back(*bulk);
            }
        }
        if let Some(position) = release {
            live.lane.release_requests(position);
        }
    }
}

/// The payload of a flight, to be sent elsewhere.
pub(super) fn load_of(lane: &ParentLane, flight: &mut Flight) -> Load {
    match flight.bulk.take() {
        Some(bulk) => Load::Bulk(bulk),
        None => Load::Private(Bytes::from_vec(lane.read_back(&flight.pushed))),
    }
}
