//! Choosing a worker: what waits goes to lanes, within windows; what waits behind a busy worker is
//! taken back for an idle one.

use super::inner::{Inner, Work};
use super::shared::Shared;
use super::slot::{Load, Phase, Request, Slot, Target};
use crate::attachment::Attachments;
use crate::error::Error;
use crate::face::Code;
use crate::message::request;
use crate::payload::{BulkSource, Bytes, Finished};
use crate::rest;
use crate::task::{Batch, TaskCell, Terms};
use procession_ipc::doorbell::BellRequest;
use procession_ipc::layout::{INLINE_BYTES_MAX, WINDOW_MAX};
use std::sync::Arc;
use std::time::Duration;

/// Work that a worker should have ahead of it.
const WINDOW_NS: f64 = 200_000.0;
/// How long a chunk should run.
const CHUNK_NS: f64 = 500_000.0;
/// What it costs to wake a worker that sleeps: the call, and its processor's own awakening.
const WAKE_NS: f64 = 30_000.0;
/// The same if the submitting thread and the workers that are awake have all processors: one more
/// only takes turns with them.
const WAKE_CROWDED_NS: f64 = 300_000.0;
/// With less work than this before it, the worker that was chosen last is as good as any.
const NEARLY_IDLE_NS: f64 = 2_000.0;
/// What it costs to wait for a worker that starts.
const START_NS: f64 = 1_000_000.0;
/// A task whose length is not known is taken to be this long.
const UNKNOWN_NS: f64 = 1_000_000.0;
/// Time in which a worker whose control channel was found closed dies, if it is dying.
const DEATH_PATIENCE: Duration = Duration::from_millis(20);
/// Less work than this behind a busy worker is not worth taking back.
const TAKE_BACK_NS: f64 = 50_000.0;
/// Time between two looks for stalled workers, while one is idle or nobody else would see.
const STALL_LOOK: Duration = Duration::from_millis(1);
/// The same while all are busy and more waits: what stands behind a long task must not be passed for ever.
const BACKLOG_LOOK: Duration = Duration::from_millis(20);
/// Requests that pile up on a worker between two looks at what that calls for.
const LOOK_EVERY: usize = 32;
/// Submissions between two collections by a submitter that finds all windows full.
const COLLECT_EVERY: u64 = 32;

/// What is to be sent: how long it is thought to run, and what more there is of it.
#[derive(Clone, Copy)]
struct Demand {
    /// Nanoseconds that a request takes; `None` when nothing is known.
    request_ns: Option<f64>,
    /// Requests that wait behind this one.
    waiting: usize,
    /// Nanoseconds that it costs to wake a worker now.
    wake_ns: f64,
    /// Bytes that it needs on a ring, at most.
    bytes: usize,
}

impl Demand {
    /// A task, by the mean of those before it.
    fn task(inner: &Inner, bytes: usize) -> Self {
        Self::of(inner, inner.task_ns, bytes)
    }

    fn of(inner: &Inner, request_ns: Option<f64>, bytes: usize) -> Self {
        let busy = inner.slots.iter().filter(|slot| slot.unfinished > 0).count();
        let is_crowded = inner.is_fed && busy > 0 && busy + 1 >= procession_ipc::spin::processors();
        let wake_ns = if is_crowded { WAKE_CROWDED_NS } else { WAKE_NS };
        Self { request_ns, waiting: inner.injector.len(), wake_ns, bytes }
    }

    /// How many requests a worker may have unfinished.
    fn window(&self, slot: &Slot) -> usize {
        match (slot.phase, self.request_ns) {
            (Phase::Ready, Some(ns)) => ((WINDOW_NS / ns.max(1.0)) as usize).clamp(2, WINDOW_MAX),
            _ => 1,
        }
    }
}

/// How long a new request would wait on this worker, in nanoseconds.
fn cost(slot: &Slot, request_ns: f64, wake_ns: f64) -> f64 {
    let wait = slot.unfinished as f64 * request_ns;
    match slot.phase {
        Phase::Ready => {
            let asleep = slot.unfinished == 0
                && slot.live.as_ref().is_some_and(|live| live.lane.watch().worker_is_asleep());
            wait + if asleep { wake_ns } else { 0.0 }
        }
        _ => wait + START_NS,
    }
}

/// The worker that a new request should go to; `None` when it should wait.
fn choose(inner: &mut Inner, demand: &Demand) -> Option<usize> {
    let request_ns = demand.request_ns.unwrap_or(UNKNOWN_NS);
    // One that is stalled gets nothing more before it has answered.
    let takes = |slot: &Slot| {
        slot.takes_tasks()
            && !slot.is_stalled()
            && slot.unfinished < demand.window(slot)
            && slot.has_room(demand.bytes)
            && inner.has_tasks_left(slot)
    };
    let last = &inner.slots[inner.chosen];
    if last.unfinished > 0
        && last.last_active == inner.clock
        && last.unfinished as f64 * request_ns < NEARLY_IDLE_NS
        && last.phase == Phase::Ready
        && takes(last)
    {
        return Some(inner.chosen);
    }
    let mut best: Option<(usize, f64)> = None;
    let mut full_ns = f64::INFINITY;
    for (index, slot) in inner.slots.iter().enumerate() {
        let ns = cost(slot, request_ns, demand.wake_ns);
        if !takes(slot) {
            // One that has been sent all that it may run never takes this one.
            let is_full = slot.phase == Phase::Ready && slot.unfinished > 0 && !slot.stalled;
            if is_full && inner.has_tasks_left(slot) {
                full_ns = full_ns.min(ns + demand.waiting as f64 * request_ns);
            }
            continue;
        }
        let is_better = best.is_none_or(|(known, known_ns)| {
            // Of equals the warmest.
            ns < known_ns || ns == known_ns && slot.last_active > inner.slots[known].last_active
        });
        if is_better {
            best = Some((index, ns));
        }
    }
    let (index, ns) = best?;
    // A full worker will be through with everything before another has woken up.
    if full_ns < ns && ns < START_NS {
        return None;
    }
    inner.chosen = index;
    Some(index)
}

/// Whether there is a worker from which an idle one would take requests.
fn worth_taking_back(inner: &Inner) -> bool {
    let task_ns = inner.task_ns.unwrap_or(UNKNOWN_NS);
    inner.slots.iter().filter(|slot| slot.unfinished > 1).any(|slot| is_worth_it(slot, task_ns))
}

/// Whether what waits on this worker is worth the trouble of taking it back.
fn is_worth_it(slot: &Slot, task_ns: f64) -> bool {
    slot.stalled || slot.unfinished as f64 * task_ns >= TAKE_BACK_NS
}

/// Takes a request back from the worker with the most before it, where that is worth the trouble.
fn take_back_from_busiest(inner: &mut Inner) -> Option<Request> {
    let task_ns = inner.task_ns.unwrap_or(UNKNOWN_NS);
    let spare = |slot: &Slot| match slot.phase {
        // The first is begun or about to be.
        Phase::Ready if is_worth_it(slot, task_ns) => slot.unfinished.saturating_sub(1),
        Phase::Ready => 0,
        Phase::Starting(_) => slot.unfinished,
        Phase::Retiring | Phase::Stopping | Phase::Gone => 0,
    };
    let mut tried = 0;
    while let Some((index, _)) = inner
        .slots
        .iter()
        .enumerate()
        .filter(|(index, slot)| tried & (1_u128 << (index % 128)) == 0 && spare(slot) > 0)
        .max_by_key(|(_, slot)| spare(slot))
    {
        if let Some(request) = inner.slots[index].take_back_last() {
            return Some(request);
        }
        tried |= 1 << (index % 128);
    }
    None
}

/// Puts what waits behind stalled workers before all that waits in the injector: it was there first.
fn take_back_from_stalled(inner: &mut Inner) {
    for slot in
        inner.slots.iter_mut().filter(|slot| slot.is_stalled() && slot.phase == Phase::Ready)
    {
        while slot.unfinished > 1
            && let Some(request) = slot.take_back_last()
        {
            inner.stats.taken_back += 1;
            inner.injector.push_front(Work::Request(request));
        }
    }
}

/// Kills workers that something has cut off from their control channel, once they have nothing to do.
fn replace_the_deaf(inner: &mut Inner) {
    let now = rest::now();
    for slot in &mut inner.slots {
        if slot.live.as_ref().is_some_and(|live| live.process.has_hung_up()) {
            slot.hung_up_at.get_or_insert(now);
        }
    }
    for first in (0..inner.slots.len()).step_by(inner.threads) {
        let team = &inner.slots[first..first + inner.threads];
        let is_deaf = |slot: &Slot| slot.hung_up_at.is_some_and(|at| now >= at + DEATH_PATIENCE);
        if team.iter().any(is_deaf) && team.iter().all(|slot| slot.unfinished == 0) {
            team[0].kill();
        }
    }
}

impl Shared {
    /// Hands a task in; gives the encoder's memory back for the next one.
    pub(super) fn submit(
        &self,
        code: Code,
        terms: &Terms,
        finished: Finished,
        attachments: Attachments,
    ) -> (Arc<TaskCell>, Vec<u8>) {
        let mut inner = self.lock();
        if let Some(error) = inner.refusal() {
            let failure = inner.note(error);
            drop(inner);
            if let Finished::Bulk(bulk) = finished {
                self.put_bulk(bulk);
            }
            return (Arc::new(TaskCell::failed(failure)), Vec::new());
        }
        inner.stats.submitted += 1;
        inner.is_fed = true;
        let cell = Arc::new(TaskCell::new(terms));
        let inner = &mut *inner;
        let (load, scratch) = match finished {
            Finished::Private(bytes) => {
                if inner.injector.is_empty()
                    && attachments.is_empty()
                    && bytes.len() <= INLINE_BYTES_MAX
                    && self.send_now(inner, code, &cell, &bytes)
                {
                    return (cell, bytes);
                }
                (Load::Private(Bytes::from_slice(&bytes)), bytes)
            }
            Finished::Bulk(bulk) => (Load::Bulk(Box::new(bulk)), Vec::new()),
        };
        let target = Target::Task(cell.clone());
        let work = Request { kind: request::TASK, code, target, load, attachments };
        inner.injector.push_back(Work::Request(work));
        if inner.injector.len() == 1 {
            self.dispatch(inner);
        }
        self.after_submission(inner);
        (cell, scratch)
    }

    /// Sends a task straight from the encoder's memory, if a window has room.
    fn send_now(&self, inner: &mut Inner, code: Code, cell: &Arc<TaskCell>, bytes: &[u8]) -> bool {
        let demand = Demand::task(inner, bytes.len());
        let Some(index) = choose(inner, &demand) else { return false };
        let slot = &mut inner.slots[index];
        let sent = slot.send_task(code, request::TASK, cell, bytes);
        if sent {
            slot.wake_worker();
            if let Some(limit) = slot.shortest_limit {
                self.watch_limit(inner, limit);
            }
            let slot = &inner.slots[index];
            // The second request waits for the first; that more do changes little, and a bell that
            // rings for one before the last only rings early.
            let waits = slot.unfinished == 2
                || slot.unfinished.is_multiple_of(LOOK_EVERY)
                || inner.retirement.tasks_max.is_some();
            if waits {
                self.watch_for_stalls(inner);
            }
            if waits || inner.pollers > 0 {
                self.after_submission(inner);
            }
        }
        sent
    }

    /// Makes sure that somebody will look when there is something to do.
    fn after_submission(&self, inner: &mut Inner) {
        let full = !inner.injector.is_empty();
        if full && inner.stats.submitted.is_multiple_of(COLLECT_EVERY) || self.arrange_bells(inner)
        {
            self.collect(inner);
            self.tell_leader(inner);
        }
    }

    /// Puts a batch's new items into the injector.
    pub(super) fn kick(&self, batch: &Arc<Batch>, items: u64) {
        let mut inner = self.lock();
        inner.stats.submitted += items;
        if let Some(error) = inner.refusal() {
            inner.refuse_items(batch, items, &error);
            return;
        }
        if batch.enqueue() {
            inner.injector.push_back(Work::Batch(batch.clone()));
        }
        // Who feeds a batch comes again soon, and takes what has come meanwhile.
        inner.is_attended = true;
        inner.is_fed = true;
        self.collect(&mut inner);
        self.tell_leader(&mut inner);
    }

    /// Sends what waits, as far as windows allow, then evens out.
    pub(super) fn dispatch(&self, inner: &mut Inner) {
        inner.has_pinned = false;
        self.forget_given_up(inner);
        inner.slots.iter_mut().for_each(|slot| slot.channel_is_full = false);
        loop {
            self.dispatch_injector(inner);
            let piled = inner.slots.iter().any(|slot| slot.unfinished > 1);
            if !(inner.injector.is_empty() && piled) {
                break;
            }
            let was_cut = self.take_back_for_idle(inner);
            self.watch_for_stalls(inner);
            if !was_cut {
                break;
            }
        }
        // No response says when there is room in a channel again, or that something is passed.
        if !inner.injector.is_empty() || inner.slots.iter().any(|slot| slot.channel_is_full) {
            self.watch_for_stalls(inner);
        }
        inner.slots.iter_mut().for_each(Slot::wake_worker);
        if let Some(limit) = inner.slots.iter().filter_map(|slot| slot.shortest_limit).min() {
            self.watch_limit(inner, limit);
        }
    }

    /// Sends what stands in the injector, as far as windows allow.
    fn dispatch_injector(&self, inner: &mut Inner) {
        while let Some(work) = inner.injector.pop_front() {
            let kept = match work {
                Work::Request(request) if request.target.is_cancelled() => {
                    self.drop_cancelled(inner, request);
                    None
                }
                Work::Request(request) => self.dispatch_request(inner, request).map(Work::Request),
                Work::Batch(batch) => {
                    self.dispatch_batch(inner, &batch).then_some(Work::Batch(batch))
                }
            };
            if let Some(work) = kept {
                inner.injector.push_front(work);
                break;
            }
        }
    }

    /// Sends a request to the best worker; gives it back when none has room.
    fn dispatch_request(&self, inner: &mut Inner, mut request: Request) -> Option<Request> {
        let demand = Demand::task(inner, request.load.ring_bytes());
        while let Some(index) = choose(inner, &demand) {
            inner.cut_to_fit(index, &mut request);
            request = self.send_to(inner, index, request)?;
            if !inner.slots[index].channel_is_full {
                break;
            }
            // It is not chosen again in this turn.
        }
        Some(request)
    }

    /// Sends a request to a worker; gives it back when there is no room for it now.
    fn send_to(&self, inner: &mut Inner, index: usize, mut request: Request) -> Option<Request> {
        match self.load_for_ring(&mut request) {
            Ok(()) => inner.slots[index].send(request),
            // It would hold up all that are behind it, and nothing says when there is memory again.
            Err(error) => {
                inner.fail(request.target, &error);
                None
            }
        }
    }

    /// Moves a payload that is too large for a ring to a bulk segment.
    ///
    /// # Errors
    /// That the system has none.
    pub(super) fn load_for_ring(&self, request: &mut Request) -> Result<(), Error> {
        if let Load::Private(bytes) = &request.load
            && bytes.len() > INLINE_BYTES_MAX
        {
            let bulk = self.fill_anyway(bytes).map_err(|source| {
                let what =
                    format!("cannot get shared memory for a payload of {} bytes", bytes.len());
                Error::system(what, source)
            })?;
            request.load = Load::Bulk(Box::new(bulk));
        }
        Ok(())
    }

    /// Cuts chunks off a batch and sends them; `true` when items are left.
    fn dispatch_batch(&self, inner: &mut Inner, batch: &Arc<Batch>) -> bool {
        let workers = inner.slots.len();
        loop {
            let Some(next) = batch.next_chunk(CHUNK_NS, INLINE_BYTES_MAX) else {
                batch.dequeue();
                return false;
            };
            let demand = Demand::of(inner, next.ns, next.bytes);
            let Some(index) = choose(inner, &demand) else { return true };
            let most = inner.tasks_left(inner.slots[index].process);
            let Some(chunk) = batch.cut(workers, CHUNK_NS, INLINE_BYTES_MAX, most) else {
                return false;
            };
            let request = Request::of_chunk(chunk, batch.clone(), 0, &[]);
            if let Some(request) = self.send_to(inner, index, request) {
                inner.injector.push_front(Work::Batch(batch.clone()));
                inner.injector.push_front(Work::Request(request));
                // Both stand in the injector again; nothing is left for the caller to put back.
                return false;
            }
        }
    }

    /// Evens out, before the thread that submitted waits: its processor is free now.
    pub(super) fn even_out(&self, inner: &mut Inner) {
        inner.is_fed = false;
        let idle = |slot: &Slot| slot.phase == Phase::Ready && slot.unfinished == 0;
        let waits = !inner.injector.is_empty() || worth_taking_back(inner);
        if waits && inner.slots.iter().any(idle) {
            self.dispatch(inner);
        }
    }

    /// Moves unstarted requests from behind busy workers to idle ones; stops with `true` when one was cut
    /// to fit, and the rest of it waits in the injector.
    fn take_back_for_idle(&self, inner: &mut Inner) -> bool {
        let is_idle = |inner: &Inner, slot: &Slot| {
            slot.phase == Phase::Ready
                && slot.takes_tasks()
                && slot.unfinished == 0
                && inner.has_tasks_left(slot)
        };
        while let Some(idle) = inner.slots.iter().position(|slot| is_idle(inner, slot)) {
            let Some(mut request) = take_back_from_busiest(inner) else { return false };
            inner.stats.taken_back += 1;
            let was_cut = inner.cut_to_fit(idle, &mut request);
            if let Some(request) = inner.slots[idle].send(request) {
                inner.injector.push_front(Work::Request(request));
                return false;
            }
            if was_cut {
                return true;
            }
        }
        false
    }

    /// Whether requests wait behind one that may be longer than the mean says, or for room in a control
    /// channel, so that somebody must look again even if no worker answers.
    fn may_stall(inner: &Inner) -> bool {
        if inner.slots.iter().any(|slot| slot.channel_is_full || slot.hung_up_at.is_some()) {
            return true;
        }
        if inner.slots.len() < 2 || !inner.slots.iter().any(|slot| slot.unfinished > 1) {
            return false;
        }
        let is_idle = |slot: &Slot| slot.phase == Phase::Ready && slot.unfinished == 0;
        // While all are busy, whoever collects sees the first that is done: a thread that waits, or
        // the supervisor, which is called if what waits is worth it.
        let is_seen = inner.leadership.is_taken || worth_taking_back(inner);
        !is_seen || inner.slots.iter().any(is_idle)
    }

    /// How soon somebody must look whether a worker is stalled, if that is possible.
    fn look_for_stalls(inner: &Inner) -> Option<Duration> {
        if Self::may_stall(inner) {
            return Some(STALL_LOOK);
        }
        let may_be_passed = inner.slots.len() > 1
            && !inner.injector.is_empty()
            && inner.slots.iter().any(|slot| slot.unfinished > 1);
        may_be_passed.then_some(BACKLOG_LOOK)
    }

    /// Has the supervisor look from time to time whether what waits behind a busy worker moves on:
    /// the mean time of a task, by which it was put there, says nothing about the one that runs.
    pub(super) fn watch_for_stalls(&self, inner: &mut Inner) {
        if inner.stalls_look == Some(STALL_LOOK) {
            return;
        }
        let known = inner.stalls_look;
        let Some(look) =
            Self::look_for_stalls(inner).filter(|look| known.is_none_or(|k| *look < k))
        else {
            return;
        };
        if known.is_none() {
            for slot in &mut inner.slots {
                // Not seen yet: the first look is only that.
                slot.active_at_check = u64::MAX;
            }
        }
        inner.stalls_look = Some(look);
        self.supervisor.nudge();
    }

    /// Finds workers that have not answered since the last look, and moves what waits behind them
    /// to idle ones, or before all that came later; then decides whether there is anything left to watch.
    pub(super) fn check_stalls(&self, inner: &mut Inner) {
        for slot in &mut inner.slots {
            let silent = slot.stalled || slot.last_active == slot.active_at_check;
            slot.stalled = silent && slot.unfinished > 0;
            slot.active_at_check = slot.last_active;
        }
        replace_the_deaf(inner);
        if !inner.injector.is_empty() {
            take_back_from_stalled(inner);
        }
        // Not only dispatched: whoever gets something now must be heard when it is done.
        self.collect(inner);
        self.tell_leader(inner);
        inner.stalls_look = Self::look_for_stalls(inner);
    }

    /// Tells each worker when to wake the supervisor; `true` when a worker must be looked at once
    /// more. While a thread waits and collects, nobody needs to ring.
    pub(super) fn arrange_bells(&self, inner: &mut Inner) -> bool {
        let waiting = !inner.injector.is_empty();
        let worth = worth_taking_back(inner);
        let has_ended = inner.state.has_ended();
        let spent = inner.spent();
        let mut changed = false;
        for slot in &mut inner.slots {
            let unfinished = slot.unfinished;
            let Some(live) = &mut slot.live else { continue };
            let bell = if matches!(slot.phase, Phase::Starting(_) | Phase::Retiring) {
                // Hello and readiness, and that nothing is left to run, are news to the supervisor alone.
                BellRequest::Always
            } else if waiting && unfinished == 0 && !slot.flights.is_empty() && !has_ended {
                // Nothing but requests that were taken back: when it has stepped over them there is
                // room, and no response will say so.
                BellRequest::At(live.lane.request_tail())
            } else if inner.leadership.is_taken || has_ended {
                BellRequest::Never
            } else if inner.pollers > 0 {
                BellRequest::Always
            } else if waiting && !inner.is_attended {
                let middle = slot.flights.get(slot.flights.len() / 2);
                BellRequest::At(middle.map_or(live.lane.request_tail(), |flight| flight.pushed.end))
            } else if waiting || unfinished > 0 && (worth || spent.get(slot.process) == Some(&true))
            {
                // If something waits, somebody will most likely have looked by then.
                BellRequest::At(live.lane.request_tail())
            } else {
                BellRequest::Never
            };
            changed |= live.lane.request_bell(bell);
        }
        changed
    }
}
