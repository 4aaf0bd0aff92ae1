//! A worker's end: what it was running is lost, what it had finished counts, the rest runs
//! elsewhere, and another takes its place.

use super::collect::deliver_unfinished;
use super::inner::{Inner, State, Work};
use super::shared::{Exited, Shared};
use super::slot::{Flight, Live, Load, Phase, Request, Slot, Span, Target, load_of};
use crate::attachment::Attachments;
use crate::error::{Error, Fault, WorkerId};
use crate::message::{Role, request};
use crate::payload::{BulkSource, Bytes, Loans};
use crate::start::{Ordered, WorkerProcess, WorkerSpec};
use crate::task::{Chunk, Delivery};
use procession_ipc::lane::{ParentLane, Progress};
use procession_os::process::Exit;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time until another attempt to launch a worker that the system refused.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// Workers that are ordered before the first of them is there, while a pool starts: the launcher has
/// something to do, and the descriptors under way are few.
const LAUNCHES_AHEAD: usize = 8;
/// Weight of failed starts, since a worker was last ready, at which a pool is broken.
const START_FAILURES_MAX: u32 = 12;
/// Weight of a start that failed by itself: three in a row and the pool is broken.
const WEIGHT_FAILED: u32 = 4;
/// Weight of a start that was ended by a signal, which may be somebody else's doing.
const WEIGHT_KILLED: u32 = 1;

/// How a worker died, for what it was running.
struct Death {
    worker: WorkerId,
    exit: Exit,
    /// What it had said that made no sense, if it was killed for that.
    protocol: Option<String>,
}

impl Death {
    fn error(&self) -> Error {
        let worker = self.worker.clone();
        Error::new(match &self.protocol {
            Some(what) => Fault::Protocol { worker, what: what.clone() },
            None => Fault::WorkerLost { worker, exit: self.exit },
        })
    }
}

impl Shared {
    /// Launches processes into all places, which are empty.
    pub(super) fn launch_all(self: &Arc<Self>, inner: &mut Inner) -> Result<(), Error> {
        let count = self.config.workers;
        let mut ordered = VecDeque::new();
        for process in 0..count + LAUNCHES_AHEAD {
            if process < count {
                ordered.push_back(self.order(inner, process)?);
            }
            if let Some(place) = process.checked_sub(LAUNCHES_AHEAD)
                && let Some(next) = ordered.pop_front()
            {
                self.move_in(inner, place, next)?;
            }
        }
        Ok(())
    }

    /// Launches a process into an empty place.
    pub(super) fn launch(self: &Arc<Self>, inner: &mut Inner, process: usize) -> Result<(), Error> {
        let ordered = self.order(inner, process)?;
        self.move_in(inner, process, ordered)
    }

    /// Orders the next process for a place.
    fn order(self: &Arc<Self>, inner: &Inner, process: usize) -> Result<Ordered, Error> {
        let generation = inner.slots[inner.team(process).start].generation + 1;
        let spec = WorkerSpec {
            role: Role::PoolWorker,
            name: format!("{}-{}", self.config.name, process + 1),
            index: process as u32,
            generation,
            threads: self.config.threads,
            method: self.config.start_method,
            snapshot: self.config.snapshot.clone(),
            company: self.config.workers,
            patience: self.config.start_timeout,
        };
        let pool = Arc::downgrade(self);
        Ordered::new(spec, move |exit| {
            if let Some(pool) = pool.upgrade() {
                pool.exits.lock().push(Exited { index: process, generation, exit });
                pool.supervisor.nudge();
            }
        })
    }

    /// Gives a process its place, and its threads their first requests.
    fn move_in(
        self: &Arc<Self>,
        inner: &mut Inner,
        process: usize,
        ordered: Ordered,
    ) -> Result<(), Error> {
        let (launched, lanes) = ordered.finish()?;
        let launched = Arc::new(launched);
        let team = inner.team(process);
        let deadline = Instant::now() + self.config.start_timeout;
        for (index, lane) in team.clone().zip(lanes) {
            let slot = &mut inner.slots[index];
            slot.generation += 1;
            let live = Live { process: launched.clone(), lane, loans: Loans::default() };
            slot.settle_in(live, deadline);
            self.send_start(slot, index == team.start)?;
        }
        self.renew_watches(inner);
        Ok(())
    }

    /// Sends a lane's first request: the first lane of a process runs the initializer, before the
    /// others begin.
    fn send_start(&self, slot: &mut Slot, initializes: bool) -> Result<(), Error> {
        let (kind, code, bytes, attachments) = match &self.config.initializer {
            Some(call) if initializes => {
                let arguments = Bytes::from_slice(&call.arguments);
                (request::INITIALIZE, call.code, arguments, call.attachments.clone())
            }
            _ => (request::BEGIN, 0, Bytes::new(), Attachments::default()),
        };
        let load = Load::Private(bytes);
        let mut start = Request { kind, code, target: Target::Start, load, attachments };
        if !self.load_for_ring(&mut start) || slot.send(start).is_some() {
            return Err(Error::usage("the initializer's arguments do not fit into shared memory"));
        }
        if let Some(live) = &mut slot.live {
            live.lane.request_bell(procession_ipc::doorbell::BellRequest::Always);
        }
        slot.wake_worker();
        Ok(())
    }

    /// Has waiting threads look at the lanes that there are now.
    fn renew_watches(&self, inner: &mut Inner) {
        inner.watches = inner
            .slots
            .iter()
            .filter_map(|slot| slot.live.as_ref().map(|live| live.lane.watch().clone()))
            .collect();
        self.leader.nudge();
    }

    /// Deals with a process that has ended.
    pub(super) fn bury(self: &Arc<Self>, inner: &mut Inner, exited: Exited) {
        let team = inner.team(exited.index);
        if inner.slots[team.start].generation != exited.generation {
            return;
        }
        // Whatever it had published counts.
        for index in team.clone() {
            self.collect_from(inner, index);
        }
        let slots = &mut inner.slots[team.clone()];
        // If one thread spoke nonsense all were killed for it.
        let protocol = slots.iter_mut().find_map(|slot| slot.protocol_error.take());
        let mut was_starting = false;
        let mut ended = None;
        for index in team.clone() {
            let slot = &mut inner.slots[index];
            let Some(live) = slot.live.take() else { continue };
            let phase = std::mem::replace(&mut slot.phase, Phase::Gone);
            was_starting |= matches!(phase, Phase::Starting(_));
            let worker = live.process.id().clone();
            let death = Death { worker, exit: exited.exit, protocol: protocol.clone() };
            self.settle_flights(inner, index, live.lane, &death);
            ended = Some(live.process);
        }
        if let (Some(process), true) = (ended, was_starting) {
            self.count_failed_start(inner, team, &process, exited.exit);
        }
        self.renew_watches(inner);
        self.fill_place(inner, exited.index);
        self.collect(inner);
        self.tell_leader(inner);
        self.changed.notify_all();
    }

    /// Launches a process into a place whose own has ended, if the pool still wants one. When the
    /// system has none to give now, the others go on and this is tried again a little later.
    pub(super) fn fill_place(self: &Arc<Self>, inner: &mut Inner, process: usize) {
        let first = inner.team(process).start;
        if inner.slots[first].live.is_some() || !self.wants_worker(inner) {
            return;
        }
        match self.launch(inner, process) {
            Ok(()) => inner.stats.respawns += 1,
            Err(error) if inner.slots.iter().all(|slot| slot.live.is_none()) => {
                self.break_pool(inner, error);
            }
            Err(_) => inner.slots[first].retry_at = Some(Instant::now() + RETRY_AFTER),
        }
    }

    fn wants_worker(&self, inner: &Inner) -> bool {
        match inner.state {
            State::Open => true,
            State::Closed => !inner.is_idle(),
            State::Terminated | State::Broken(_) => false,
        }
    }

    fn count_failed_start(
        self: &Arc<Self>,
        inner: &mut Inner,
        team: Range<usize>,
        process: &WorkerProcess,
        exit: Exit,
    ) {
        let said_hello = inner.slots[team.start].said_hello;
        let start_error = inner.slots[team].iter_mut().find_map(|slot| slot.start_error.take());
        let by_signal = matches!(exit, Exit::Signal { .. }) && start_error.is_none();
        let (error, hopeless) = match start_error {
            Some(cause) => {
                let broken = Fault::Broken {
                    why: "the start of a worker failed".into(),
                    // The cause names it.
                    worker: if cause.pid().is_some() { None } else { Some(process.id().clone()) },
                    exit: None,
                    cause: Some(cause),
                };
                (Error::new(broken), false)
            }
            None => process.start_failure(exit, said_hello),
        };
        inner.start_failures += if by_signal { WEIGHT_KILLED } else { WEIGHT_FAILED };
        if !inner.state.has_ended() && (hopeless || inner.start_failures >= START_FAILURES_MAX) {
            self.break_pool(inner, error);
        }
    }

    /// Nothing can run any more: everything that waits or runs fails with this error.
    pub(super) fn break_pool(&self, inner: &mut Inner, error: Error) {
        inner.state = State::Broken(error.clone());
        self.fail_everything(inner, &error);
        inner.slots.iter().for_each(Slot::kill);
    }

    /// Gives everything that waits or runs this error for its outcome.
    pub(super) fn fail_everything(&self, inner: &mut Inner, error: &Error) {
        while let Some(work) = inner.injector.pop_front() {
            match work {
                Work::Request(request) => {
                    if let Load::Bulk(bulk) = request.load {
                        self.put_bulk(*bulk);
                    }
                    fail_target(inner, request.target, error);
                }
                Work::Batch(batch) => {
                    inner.owe_wake(batch.give_up(error));
                    batch.dequeue();
                }
            }
        }
        for index in 0..inner.slots.len() {
            let slot = &mut inner.slots[index];
            slot.unfinished = 0;
            let targets: Vec<_> =
                slot.flights.iter_mut().filter_map(|flight| flight.target.take()).collect();
            for target in targets {
                fail_target(inner, target, error);
            }
        }
        inner.settled = true;
        self.tell_leader(inner);
    }

    /// Gives every flight of a dead worker its outcome, or sends it elsewhere.
    fn settle_flights(&self, inner: &mut Inner, index: usize, lane: ParentLane, death: &Death) {
        let mut progress = lane.unfinished_part();
        let flights = std::mem::take(&mut inner.slots[index].flights);
        inner.slots[index].unfinished = 0;
        let mut elsewhere = Vec::new();
        for mut flight in flights {
            let begun = lane.is_begun(flight.sequence);
            let Some(target) = flight.target.take() else {
                flight.bulk.take().into_iter().for_each(|bulk| self.put_bulk(*bulk));
                continue;
            };
            match target {
                Target::Start => {}
                Target::Task(cell) if begun => inner.settle(&cell, Err(death.error())),
                Target::Chunk(span) if begun => {
                    let Span { batch, first, count, delivered } = *span;
                    let (from, left) = (first + delivered, count - delivered);
                    let done = match progress.take() {
                        Some(Progress { items, bytes }) if u64::from(items) < left => {
                            let kept = &flight.attachments;
                            let what = (u64::from(items), &bytes[..], kept);
                            deliver_unfinished(inner, &batch, &death.worker, from, what)
                        }
                        _ => 0,
                    };
                    let died_at = from + done;
                    let error = death.error();
                    inner.deliver(&batch, Delivery::Failed { first: died_at, count: 1, error });
                    let rest = first + count - died_at - 1;
                    if rest > 0 {
                        let bytes = chunk_bytes(&lane, &mut flight);
                        let attachments = std::mem::take(&mut flight.attachments);
                        let mut chunk = Chunk { first, count, bytes, attachments };
                        chunk.drop_front(count - rest);
                        elsewhere.push(Request {
                            kind: flight.kind,
                            code: flight.code,
                            attachments: chunk.attachments,
                            load: Load::Private(Bytes::from_vec(chunk.bytes)),
                            target: Target::Chunk(Box::new(Span {
                                batch,
                                first: chunk.first,
                                count: rest,
                                delivered: 0,
                            })),
                        });
                    }
                }
                unstarted => elsewhere.push(Request {
                    kind: flight.kind,
                    code: flight.code,
                    load: load_of(&lane, &mut flight),
                    attachments: std::mem::take(&mut flight.attachments),
                    target: unstarted,
                }),
            }
            flight.bulk.take().into_iter().for_each(|bulk| self.put_bulk(*bulk));
        }
        // What was sent first runs first.
        for request in elsewhere.into_iter().rev() {
            inner.injector.push_front(Work::Request(request));
        }
        if let State::Terminated = inner.state {
            let error = Error::new(Fault::Terminated);
            self.fail_everything(inner, &error);
        } else if let State::Broken(error) = inner.state.clone() {
            self.fail_everything(inner, &error);
        }
    }
}

/// The items of a chunk that was sent.
fn chunk_bytes(lane: &ParentLane, flight: &mut Flight) -> Vec<u8> {
    match &flight.bulk {
        Some(bulk) => bulk.to_vec(),
        None => lane.read_back(&flight.pushed),
    }
}

fn fail_target(inner: &mut Inner, target: Target, error: &Error) {
    match target {
        Target::Task(cell) => inner.settle(&cell, Err(error.clone())),
        Target::Chunk(span) => {
            let Span { batch, first, count, delivered } = *span;
            let failed = Delivery::Failed {
                first: first + delivered,
                count: count - delivered,
                error: error.clone(),
            };
            inner.deliver(&batch, failed);
            inner.owe_wake(batch.give_up(error));
        }
        Target::Start => {}
    }
}

impl Slot {
    /// When a worker that starts must be ready, if it was not given up already.
    pub(super) fn start_deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Starting(deadline) if self.start_error.is_none() => Some(deadline),
            _ => None,
        }
    }

    /// Kills a worker that was not ready in time, with the error that says so.
    pub(super) fn give_up_start(&mut self) {
        let what = if self.said_hello {
            "the initializer did not return within the start timeout"
        } else {
            "the worker did not say hello within the start timeout"
        };
        self.start_error = Some(Error::timed_out(what));
        self.kill();
    }
}
