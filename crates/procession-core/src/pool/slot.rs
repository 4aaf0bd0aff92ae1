//! A worker's place in the pool and what was sent to it.

use super::breaker::Breaker;
use super::overdue::SeenRunning;
use crate::attachment::Attachments;
use crate::error::Error;
use crate::face::Code;
use crate::message::request;
use crate::payload::{Bytes, Loans};
use crate::rest;
use crate::start::WorkerProcess;
use crate::task::{Batch, Chunk, TaskCell, Terms, UNBEGUN_MAX};
use procession_ipc::bulk::{Bulk, REFERENCE_BYTES};
use procession_ipc::frame::{FLAG_BULK, Header};
use procession_ipc::lane::ParentLane;
use procession_ipc::layout::{INLINE_BYTES_MAX, WINDOW_MAX};
use procession_ipc::ring::Pushed;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    /// Of the others, the few that had their time: they have their outcome, too.
    pub(super) overdue: Vec<u64>,
    /// How many attempts there were before the one that is made now.
    pub(super) attempts_before: u32,
    /// How many workers have ended before they began it, although it was next.
    pub(super) unbegun: u8,
    /// The worker that has it was asked to begin no further item of it.
    pub(super) is_to_end: bool,
}

impl Span {
    /// Items of a batch that nothing is known of yet.
    pub(super) fn new(batch: Arc<Batch>, first: u64, count: u64) -> Box<Self> {
        Box::new(Self {
            batch,
            first,
            count,
            delivered: 0,
            overdue: Vec::new(),
            attempts_before: 0,
            unbegun: 0,
            is_to_end: false,
        })
    }

    /// Index of the first item without an outcome, or of one that is overdue.
    pub(super) fn next(&self) -> u64 {
        self.first + self.delivered
    }

    /// Runs of items without an outcome: the first's index, and how many.
    pub(super) fn unsettled(&self) -> Vec<(u64, u64)> {
        let mut runs = Vec::new();
        let mut from = self.next();
        let end = self.first + self.count;
        for index in self.overdue.iter().copied().chain([end]) {
            if index > from {
                runs.push((from, index - from));
            }
            from = from.max(index + 1);
        }
        runs
    }
}

impl Target {
    /// How many tasks it is.
    pub(super) fn tasks(&self) -> u64 {
        match self {
            Self::Task(_) => 1,
            Self::Chunk(span) => span.count - span.delivered,
            Self::Start => 0,
        }
    }

    /// On what terms it runs.
    pub(super) fn terms(&self) -> Terms {
        match self {
            Self::Task(cell) => cell.terms(),
            Self::Chunk(span) => *span.batch.terms(),
            Self::Start => Terms::default(),
        }
    }

    /// What the frame's `extra` says: how many items, and how many attempts were before.
    fn extra(&self) -> u64 {
        match self {
            Self::Task(cell) => request::extra(0, cell.attempts_before()),
            Self::Chunk(span) => request::extra(span.count, span.attempts_before),
            Self::Start => 0,
        }
    }

    /// Notes that a worker has ended for which it was next, and says that it did not begin it; `true` when
    /// that is as many as are believed.
    pub(super) fn was_unbegun_too_often(&mut self) -> bool {
        match self {
            Self::Task(cell) => cell.was_unbegun_too_often(),
            Self::Chunk(span) => {
                span.unbegun = span.unbegun.saturating_add(1);
                span.unbegun >= UNBEGUN_MAX
            }
            Self::Start => false,
        }
    }

    /// Whether the worker has shown that it has begun it, whatever its claim word says now.
    pub(super) fn is_known_begun(&self) -> bool {
        match self {
            Self::Chunk(span) => span.delivered > 0,
            Self::Task(_) | Self::Start => false,
        }
    }

    /// Whether nobody wants it to be begun any more.
    pub(super) fn is_cancelled(&self) -> bool {
        match self {
            Self::Task(cell) => cell.is_done(),
            Self::Chunk(span) => span.batch.is_cancelled(),
            Self::Start => false,
        }
    }
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

impl Request {
    /// The calls of a chunk, after so many attempts at its first item; those of these items that are in
    /// it have had their time before.
    pub(super) fn of_chunk(
        chunk: Chunk,
        batch: Arc<Batch>,
        attempts_before: u32,
        overdue: &[u64],
    ) -> Self {
        let Chunk { first, count, bytes, attachments } = chunk;
        let code = batch.code();
        let mut span = Span::new(batch, first, count);
        span.attempts_before = attempts_before;
        let items = first..first + count;
        span.overdue = overdue.iter().copied().filter(|index| items.contains(index)).collect();
        let load = Load::Private(Bytes::from_vec(bytes));
        Self { kind: request::CHUNK, code, target: Target::Chunk(span), load, attachments }
    }
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

impl Flight {
    /// The items of a chunk that was sent, from that of this index on.
    pub(super) fn items_from(&mut self, lane: &ParentLane, span: &Span, index: u64) -> Chunk {
        let bytes = match &self.bulk {
            Some(bulk) => bulk.to_vec(),
            None => lane.read_back(&self.pushed),
        };
        let attachments = std::mem::take(&mut self.attachments);
        let mut chunk = Chunk { first: span.first, count: span.count, bytes, attachments };
        chunk.drop_front(index - span.first);
        chunk
    }
}

/// Where a worker is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Launched; must be ready by then.
    Starting(Instant),
    /// Runs tasks.
    Ready,
    /// Is to be replaced: gets nothing more, and is told to stop when nothing of its process is left.
    Retiring,
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
    /// Since when.
    pub(super) phase_since: Instant,
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
    /// When to try to launch a worker here: the system refused one, or those before have died too soon.
    pub(super) retry_at: Option<Instant>,
    /// What was to go ahead of a request did not fit into the control channel: it is to be tried again.
    pub(super) channel_is_full: bool,
    /// What its worker was seen running, if there is a limit for it.
    pub(super) seen_running: Option<SeenRunning>,
    /// The shortest time limit of what was sent here, and may have ended since.
    pub(super) shortest_limit: Option<Duration>,
    /// Why the pool has killed the worker, if it has.
    pub(super) killed_for: Option<&'static str>,
    /// When the worker's end of the control channel was found closed. If it does not die of whatever has
    /// closed it, it gets nothing more, and is replaced when it has nothing left to do.
    pub(super) hung_up_at: Option<Instant>,
    /// Attachments that were sent to workers here.
    pub(super) shared: u64,
    /// Tasks that were sent to this worker and not taken back.
    pub(super) sent: u64,
    /// Tasks that this worker has answered.
    pub(super) done: u64,
    /// Since when this worker has been ready.
    pub(super) ready_at: Option<Instant>,
    /// Workers in a row that died here, of the process's first lane, with nothing to do and having done
    /// nothing.
    pub(super) idle_deaths: Breaker,
    /// The worker begins nothing more; what it has left of the chunk of this sequence is not begun.
    pub(super) retires_at: Option<u64>,
    /// The chunk of this sequence was cancelled while it ran, and the process is killed if it has not ended
    /// by then.
    pub(super) end_by: Option<(u64, Instant)>,
    /// Its process was told to stop, to be replaced, and is killed if it has not by then.
    pub(super) stop_by: Option<Instant>,
    /// The process that is here, or was last, has nothing wrong with it: it was to be replaced.
    pub(super) was_retired: bool,
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
            phase_since: rest::now(),
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
            seen_running: None,
            shortest_limit: None,
            killed_for: None,
            hung_up_at: None,
            shared: 0,
            sent: 0,
            done: 0,
            ready_at: None,
            idle_deaths: Breaker::default(),
            retires_at: None,
            end_by: None,
            stop_by: None,
            was_retired: false,
            unrung: false,
            next_sequence: 1,
        }
    }

    /// The worker here goes over to another part of its life.
    pub(super) fn enter(&mut self, phase: Phase) {
        if self.phase != phase {
            self.phase_since = rest::now();
        }
        self.phase = phase;
    }

    /// Puts a fresh worker here.
    pub(super) fn settle_in(&mut self, live: Live, deadline: Instant) {
        debug_assert!(self.flights.is_empty());
        self.enter(Phase::Starting(deadline));
        self.live = Some(live);
        self.unfinished = 0;
        self.said_hello = false;
        self.retry_at = None;
        self.sent = 0;
        self.done = 0;
        self.ready_at = None;
        self.retires_at = None;
        self.end_by = None;
        self.stop_by = None;
        self.channel_is_full = false;
        self.hung_up_at = None;
        self.start_error = None;
        self.protocol_error = None;
        self.seen_running = None;
        self.shortest_limit = None;
        self.killed_for = None;
        self.next_sequence = 1;
    }

    /// Whether tasks may be sent here.
    pub(super) fn takes_tasks(&self) -> bool {
        matches!(self.phase, Phase::Starting(_) | Phase::Ready)
            && self.live.is_some()
            && !self.channel_is_full
            && self.protocol_error.is_none()
            && self.hung_up_at.is_none()
            && self.flights.len() < WINDOW_MAX
    }

    /// Whether it has something to do, and has not answered for a while.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled && self.unfinished > 0
    }

    /// Whether what it has begun goes on, as far as the pool is concerned.
    pub(super) fn may_be_running(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Retiring)
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
            extra: request.target.extra(),
            ..Header::default()
        };
        let has_attachments = !request.attachments.is_empty();
        if has_attachments {
            let Some(shared) = live.process.share(&request.attachments) else {
                self.channel_is_full = true;
                return Some(request);
            };
            self.shared += shared as u64;
            if live.process.has_unread() {
                header.flags |= request::FLAG_PARCEL;
            }
        }
        let pushed = match &request.load {
            Load::Private(bytes) => live.lane.send(header, bytes),
            Load::Bulk(bulk) => {
                header.flags |= FLAG_BULK;
                if !live.process.share_bulk(bulk) {
                    self.channel_is_full = true;
                    return Some(request);
                }
                live.lane.send(header, &bulk.reference().to_bytes())
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
        let sequence = self.next_sequence;
        // Its first attempt: there is nothing to say in `extra`.
        let header = Header { kind, word: code, sequence, ..Header::default() };
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
            if self.unfinished == 0 {
                // It was not silent about this one.
                self.stalled = false;
                self.active_at_check = u64::MAX;
            }
            self.unfinished += 1;
            self.sent += target.tasks();
        }
        let limits = [self.shortest_limit, target.terms().timeout];
        self.shortest_limit = limits.into_iter().flatten().min();
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
            live.process.kill();
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

    /// Whether the worker has yet to be woken for what was sent.
    #[cfg(test)]
    pub(super) fn is_unrung(&self) -> bool {
        self.unrung
    }

    /// The flight with this sequence, if it is in flight.
    pub(super) fn flight(&mut self, sequence: u64) -> Option<&mut Flight> {
        let first = self.flights.front()?.sequence;
        let index = usize::try_from(sequence.checked_sub(first)?).ok()?;
        self.flights.get_mut(index)
    }

    /// Takes the last request back that the worker has not begun; with its payload.
    pub(super) fn take_back_last(&mut self) -> Option<Request> {
        let index = self.flights.iter().rposition(|flight| flight.target.is_some())?;
        self.take_back(index)
    }

    /// As [`take_back_last`](Self::take_back_last), if it stands behind the request of this sequence.
    pub(super) fn take_back_behind(&mut self, sequence: u64) -> Option<Request> {
        let index = self.flights.iter().rposition(|flight| flight.target.is_some())?;
        if self.flights[index].sequence > sequence { self.take_back(index) } else { None }
    }

    /// Takes the request of a flight back, with its payload, if it has no outcome and the worker has
    /// not begun it.
    pub(super) fn take_back(&mut self, index: usize) -> Option<Request> {
        let live = self.live.as_mut()?;
        let flight = self.flights.get_mut(index)?;
        let target = match flight.target.take() {
            Some(target @ (Target::Task(_) | Target::Chunk(_)))
                if !target.is_known_begun() && live.lane.take_back(flight.sequence) =>
            {
                target
            }
            target => {
                flight.target = target;
                return None;
            }
        };
        flight.taken_back = true;
        self.unfinished -= 1;
        let load = load_of(&live.lane, flight);
        self.sent -= target.tasks();
        Some(Request {
            kind: flight.kind,
            code: flight.code,
            target,
            load,
            attachments: std::mem::take(&mut flight.attachments),
        })
    }

    /// Takes what is left of a chunk that the worker began and will not go on with.
    pub(super) fn take_rest(&mut self, sequence: u64) -> Option<Request> {
        let first = self.flights.front()?.sequence;
        let index = usize::try_from(sequence.checked_sub(first)?).ok()?;
        let (live, flight) = (self.live.as_ref()?, self.flights.get_mut(index)?);
        let Some(Target::Chunk(span)) =
            flight.target.take_if(|target| matches!(target, Target::Chunk(_)))
        else {
            return None;
        };
        self.unfinished -= 1;
        let rest = flight.items_from(&live.lane, &span, span.next());
        Some(Request::of_chunk(rest, span.batch, span.attempts_before, &span.overdue))
    }

    /// Tells the process to stop, over its first lane; `false` when that has no room now.
    pub(super) fn tell_to_stop(&mut self) -> bool {
        let Some(live) = &mut self.live else { return true };
        let stop = Header { kind: request::STOP, ..Header::default() };
        let is_told = live.lane.send(stop, &[]).is_some();
        if is_told {
            live.lane.wake_worker();
        }
        is_told
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
