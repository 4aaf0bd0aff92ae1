//! A worker's end: what it was running is lost, what it had finished counts, the rest runs
//! elsewhere, and another takes its place.

use super::breaker::{Doing, Verdict};
use super::collect::deliver_unfinished;
use super::inner::{Inner, State, Work};
use super::retire::withdraw;
use super::shared::{Exited, Shared};
use super::slot::{Flight, Live, Load, Phase, Request, Slot, Span, Target, load_of};
use crate::attachment::Attachments;
use crate::error::{Error, Fault, WorkerId};
use crate::face;
use crate::message::{Role, request};
use crate::payload::{BulkSource, Bytes, Loans};
use crate::rest;
use crate::start::{Arrival, WorkerProcess, WorkerSpec};
use crate::task::Delivery;
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

/// How a worker died, for what it was running.
struct Death {
    worker: WorkerId,
    exit: Exit,
    /// What it had said that made no sense, if it was killed for that.
    protocol: Option<String>,
    /// Why the pool has killed it for another reason, or it has given up.
    why: Option<String>,
}

impl Death {
    fn error(&self) -> Error {
        let worker = self.worker.clone();
        Error::new(match &self.protocol {
            Some(what) => Fault::Protocol { worker, what: what.clone() },
            None => Fault::WorkerLost { worker, exit: self.exit, why: self.why.clone() },
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
    fn order(self: &Arc<Self>, inner: &Inner, process: usize) -> Result<Arrival, Error> {
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
            limits: self.config.limits.of_worker(process, self.config.threads),
            retirement: self.config.retirement,
        };
        let pool = Arc::downgrade(self);
        let on_exit = move |exit| {
            if let Some(pool) = pool.upgrade() {
                pool.exits.lock().push(Exited { index: process, generation, exit });
                pool.supervisor.nudge();
            }
        };
        self.source.order(spec, Box::new(on_exit))
    }

    /// Gives a process its place, and its threads their first requests.
    fn move_in(
        self: &Arc<Self>,
        inner: &mut Inner,
        process: usize,
        ordered: Arrival,
    ) -> Result<(), Error> {
        let (launched, lanes) = ordered()?;
        let launched = Arc::new(launched);
        let team = inner.team(process);
        let deadline = rest::later(rest::now(), self.config.start_timeout);
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
        self.load_for_ring(&mut start)?;
        if slot.send(start).is_some() {
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
        // What it was not to begin any more was not running either.
        if inner.slots[team.clone()].iter().any(|slot| slot.retires_at.is_some()) {
            withdraw(inner, team.clone());
        }
        let slots = &mut inner.slots[team.clone()];
        // If one thread spoke nonsense all were killed for it.
        let protocol = slots.iter_mut().find_map(|slot| slot.protocol_error.take());
        let doing = inner.doing(exited.index);
        let mut ended = None;
        for index in team.clone() {
            let slot = &mut inner.slots[index];
            let Some(live) = slot.live.take() else { continue };
            slot.enter(Phase::Gone);
            // It needs nobody's help any more, nor does whoever may come after it.
            slot.stop_by = None;
            let worker = live.process.id().clone();
            let killed_for = slot.killed_for.map(str::to_owned);
            let why = killed_for.or_else(|| live.process.refusal());
            let death = Death { worker, exit: exited.exit, protocol: protocol.clone(), why };
            self.settle_flights(inner, index, live.lane, &death);
            ended = Some(live.process);
        }
        inner.stats.retired += u64::from(inner.slots[team.start].was_retired);
        let delay = match (ended, doing) {
            (Some(process), Doing::Starting) => {
                self.count_failed_start(inner, team.clone(), &process, exited.exit)
            }
            (Some(process), Doing::Idle) => {
                inner.count_idle_end(process.id(), exited.exit, protocol)
            }
            _ => Ok(Duration::ZERO),
        };
        self.renew_watches(inner);
        match delay {
            Ok(Duration::ZERO) => self.fill_place(inner, exited.index),
            Ok(delay) => inner.slots[team.start].retry_at = Some(rest::now() + delay),
            Err(error) if !inner.state.has_ended() => self.break_pool(inner, error),
            Err(_) => {}
        }
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
            Ok(()) if std::mem::take(&mut inner.slots[first].was_retired) => {}
            Ok(()) => inner.stats.respawns += 1,
            Err(error) if inner.slots.iter().all(|slot| slot.live.is_none()) => {
                self.break_pool(inner, error);
            }
            Err(_) => inner.slots[first].retry_at = Some(rest::now() + RETRY_AFTER),
        }
    }

    fn wants_worker(&self, inner: &Inner) -> bool {
        match inner.state {
            State::Open => true,
            State::Closed => !inner.is_idle(),
            State::Terminated | State::Broken(_) => false,
        }
    }

    /// Counts the end of a process that was not ready yet; gives how long the next one has to wait, or the
    /// error that the pool is broken with.
    fn count_failed_start(
        &self,
        inner: &mut Inner,
        team: Range<usize>,
        process: &WorkerProcess,
        exit: Exit,
    ) -> Result<Duration, Error> {
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
        match inner.failed_starts.start_failed(by_signal) {
            Verdict::Replace(delay) if !hopeless => Ok(delay),
            Verdict::Replace(_) | Verdict::Break => Err(error),
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
                    self.put_load(request.load);
                    fail_for_good(inner, request.target, error);
                }
                Work::Batch(batch) => {
                    inner.give_up(&batch, error);
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
                fail_for_good(inner, target, error);
            }
        }
        inner.settled = true;
        self.tell_leader(inner);
    }

    /// Gives every flight of a dead worker its outcome, or sends it elsewhere.
    fn settle_flights(&self, inner: &mut Inner, index: usize, lane: ParentLane, death: &Death) {
        // What one that spoke nonsense says that it has finished is not believed either.
        let mut progress = death.protocol.is_none().then(|| lane.unfinished_part()).flatten();
        let flights = std::mem::take(&mut inner.slots[index].flights);
        inner.slots[index].unfinished = 0;
        let mut elsewhere = Vec::new();
        let mut is_next = true;
        for mut flight in flights {
            let Some(mut target) = flight.target.take() else {
                flight.bulk.take().into_iter().for_each(|bulk| self.put_bulk(*bulk));
                continue;
            };
            let was_next = std::mem::take(&mut is_next);
            let begun = lane.is_begun(flight.sequence)
                || target.is_known_begun()
                // A mad worker says what it likes, and must not be sent its own end for ever.
                || was_next && target.was_unbegun_too_often();
            match target {
                Target::Start => {}
                Target::Task(cell) if begun && !cell.may_try_again() => {
                    let error = death.error().of_call(face::name_of(flight.code), None);
                    inner.settle(&cell, Err(error));
                }
                Target::Chunk(span) if begun => {
                    // A worker writes but one part, and that of its first unfinished request.
                    let progress = progress.take().filter(|_| was_next);
                    let rest = settle_chunk(inner, &lane, &mut flight, *span, progress, death);
                    elsewhere.extend(rest);
                }
                target => {
                    inner.stats.retried += u64::from(begun);
                    elsewhere.push(Request {
                        kind: flight.kind,
                        code: flight.code,
                        load: load_of(&lane, &mut flight),
                        attachments: std::mem::take(&mut flight.attachments),
                        target,
                    });
                }
            }
            flight.bulk.take().into_iter().for_each(|bulk| self.put_bulk(*bulk));
        }
        // What was sent first runs first.
        for request in elsewhere.into_iter().rev() {
            if request.target.is_cancelled() {
                self.drop_cancelled(inner, request);
            } else {
                inner.injector.push_front(Work::Request(request));
            }
        }
        if let State::Terminated = inner.state {
            let error = Error::new(Fault::Terminated);
            self.fail_everything(inner, &error);
        } else if let State::Broken(error) = inner.state.clone() {
            self.fail_everything(inner, &error);
        }
    }
}

/// Fails whatever a request was for, and of a batch also what was not cut yet.
fn fail_for_good(inner: &mut Inner, target: Target, error: &Error) {
    let batch = match &target {
        Target::Chunk(span) => Some(span.batch.clone()),
        Target::Task(_) | Target::Start => None,
    };
    inner.fail(target, error);
    if let Some(batch) = batch {
        inner.give_up(&batch, error);
    }
}

/// Gives the items of a chunk that a dead worker had begun their outcomes; gives back what is to run
/// elsewhere: the item that it died of, if that may be tried again, and those behind it.
fn settle_chunk(
    inner: &mut Inner,
    lane: &ParentLane,
    flight: &mut Flight,
    span: Span,
    progress: Option<Progress>,
    death: &Death,
) -> Vec<Request> {
    let left = span.count - span.delivered;
    let done = match progress {
        Some(Progress { items, bytes }) if u64::from(items) <= left => {
            let what = (u64::from(items), &bytes[..], &flight.attachments);
            deliver_unfinished(inner, &span, (&death.worker, flight.code), what)
        }
        _ => 0,
    };
    if done == left {
        // It had only to say so.
        return Vec::new();
    }
    let died_at = span.next() + done;
    let function = face::name_of(flight.code);
    let of_item = |error: Error| error.of_call(function, Some(died_at));
    let mut chunk = flight.items_from(lane, &span, died_at);
    let died = chunk.split_first();
    let request = |chunk, attempts_before| {
        // A mad worker may have had its time for an item behind the one that it died of.
        Request::of_chunk(chunk, span.batch.clone(), attempts_before, &span.overdue)
    };
    let mut elsewhere = Vec::new();
    if span.overdue.contains(&died_at) {
        // It has its outcome.
    } else if span.batch.is_cancelled() {
        let error = of_item(Error::new(Fault::Cancelled { worker: Some(death.worker.clone()) }));
        inner.deliver(&span.batch, Delivery::failed(died_at, 1, error));
    } else if span.attempts_before < span.batch.terms().retries {
        inner.stats.retried += 1;
        elsewhere.push(request(died, span.attempts_before + 1));
    } else {
        let error = of_item(death.error());
        inner.deliver(&span.batch, Delivery::failed(died_at, 1, error));
    }
    if chunk.count > 0 {
        elsewhere.push(request(chunk, span.attempts_before));
    }
    elsewhere
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
