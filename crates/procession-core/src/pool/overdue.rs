//! Time limits of tasks.
//!
//! Nobody tells the pool when a task begins: the supervisor looks at what each lane runs, several times
//! within the shortest limit that is there, and counts from when it first saw a call. So a limit is never
//! cut short, and is overrun by a look or two at most; and nothing is paid for it where no task has one.
//!
//! A call that has had its time gets its outcome at once. Its worker has the grace that the pool grants:
//! the call can [see](crate::worker::CurrentTask::should_stop) that it should stop, and if it does not, the
//! worker is killed and another takes its place.

use super::inner::Inner;
use super::shared::Shared;
use super::slot::{Slot, Target};
use crate::error::{Error, Fault};
use crate::face;
use crate::rest;
use crate::task::Delivery;
use std::time::{Duration, Instant};

/// Looks within a limit.
const LOOKS: u32 = 8;
/// Shortest time between two looks.
const LOOK_MIN: Duration = Duration::from_millis(1);
/// Longest time between two looks.
const LOOK_MAX: Duration = Duration::from_millis(50);
/// A worker that does not begin what it was sent, with nothing else to do, is given up after its time
/// limit, but not before this: it may have to wait for a processor.
const BEGIN_PATIENCE: Duration = Duration::from_secs(2);

/// Why the others on a process that was killed for one call have died.
const KILLED_FOR_OVERDUE: &str =
    "the pool killed it because another task of its process took longer than its limit";
/// Why a worker that did not begin what it was sent was killed.
const KILLED_FOR_SILENCE: &str = "the pool killed it because it did not begin a task in time";

/// A call that a lane was seen running, or about to.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeenRunning {
    call: Call,
    since: Instant,
    /// It had its time, and the worker is killed then.
    kill_at: Option<Instant>,
    /// The worker has seemed to be behind it once.
    was_behind: bool,
}

/// Time between two looks for the sake of this limit.
fn look_of(limit: Duration) -> Duration {
    (limit / LOOKS).clamp(LOOK_MIN, LOOK_MAX)
}

/// A call on a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) sequence: u64,
    /// Which one of the request.
    pub(super) index: u64,
    /// Whether the worker has begun it.
    pub(super) is_begun: bool,
}

impl Call {
    /// Whether the worker has got on since it ran `other`. What it says goes one way only, so that one
    /// which has gone mad cannot seem to get on for ever.
    fn is_after(self, other: Self) -> bool {
        self.sequence != other.sequence
            || self.is_begun && !other.is_begun
            || self.index > other.index
    }
}

impl Slot {
    /// The call that the worker runs or should.
    pub(super) fn current_call(&self) -> Option<(Call, Option<Duration>)> {
        let live = self.live.as_ref().filter(|_| self.may_be_running())?;
        let (flight, target) = self
            .flights
            .iter()
            .find_map(|flight| flight.target.as_ref().map(|target| (flight, target)))?;
        let is_begun = live.lane.is_begun(flight.sequence);
        let index = match target {
            // The worker may say that it has finished more items than there are.
            Target::Chunk(span) if is_begun => {
                span.count.min(span.delivered + u64::from(live.lane.finished_items()))
            }
            Target::Chunk(_) | Target::Task(_) | Target::Start => 0,
        };
        Some((Call { sequence: flight.sequence, index, is_begun }, target.terms().timeout))
    }

    /// Whether a call of this request has had its time, and was asked to stop.
    pub(super) fn is_overdue(&self, sequence: u64) -> bool {
        let is_it = |seen: SeenRunning| seen.kill_at.is_some() && seen.call.sequence == sequence;
        self.seen_running.is_some_and(is_it)
    }

    /// Whether the worker was asked to begin no further item of this request.
    fn is_to_end(&mut self, sequence: u64) -> bool {
        let flight = self.flight(sequence);
        let target = flight.and_then(|flight| flight.target.as_ref());
        matches!(target, Some(Target::Chunk(span)) if span.is_to_end)
    }

    /// Finds the shortest limit of what has not ended.
    fn find_shortest_limit(&mut self) {
        let targets = self.flights.iter().filter_map(|flight| flight.target.as_ref());
        self.shortest_limit = targets.filter_map(|target| target.terms().timeout).min();
    }
}

impl Shared {
    /// Has the supervisor look often enough whether a task with this limit has had its time.
    pub(super) fn watch_limit(&self, inner: &mut Inner, limit: Duration) {
        let look = look_of(limit);
        if inner.limits_look.is_none_or(|known| look < known) {
            inner.limits_look = Some(look);
            self.supervisor.nudge();
        }
    }

    /// Finds calls that have had their time; gives when to look again, if there is anything to look at.
    /// What the workers have published by now was collected before.
    pub(super) fn check_limits(&self, inner: &mut Inner) -> Option<Duration> {
        inner.limits_look?;
        let now = rest::now();
        let next = (0..inner.slots.len()).filter_map(|place| self.check_limit(inner, place, now));
        let next = next.min();
        inner.limits_look = next;
        self.tell_leader(inner);
        next
    }

    fn check_limit(&self, inner: &mut Inner, place: usize, now: Instant) -> Option<Duration> {
        let slot = &mut inner.slots[place];
        slot.shortest_limit?;
        slot.find_shortest_limit();
        let Some(shortest) = slot.shortest_limit else {
            slot.seen_running = None;
            return None;
        };
        let look = look_of(shortest);
        let Some((call, limit)) = slot.current_call() else {
            slot.seen_running = None;
            return Some(look);
        };
        let mut seen = match slot.seen_running {
            Some(seen) if !call.is_after(seen.call) => seen,
            _ => SeenRunning { call, since: now, kill_at: None, was_behind: false },
        };
        // It has published what it had finished after the last response was taken. The next look knows;
        // that a call seems to be behind more than once is a lie.
        let is_behind = call != seen.call && !seen.was_behind;
        seen.was_behind |= is_behind;
        slot.seen_running = Some(seen);
        let Some(limit) = limit else { return Some(look) };
        if is_behind {
            return Some(look);
        }
        let process = slot.process;
        let age = now.saturating_duration_since(seen.since);
        let call = seen.call;
        match seen.kill_at {
            Some(kill_at) if kill_at <= now => {
                if self.still_runs(inner, place, call) {
                    inner.kill_team(process, KILLED_FOR_OVERDUE);
                }
                // What stood behind it goes elsewhere, or back again.
                self.collect(inner);
                Some(look)
            }
            Some(kill_at) => Some(look.min(kill_at - now)),
            None if !call.is_begun && age >= limit.max(BEGIN_PATIENCE) => {
                inner.kill_team(process, KILLED_FOR_SILENCE);
                None
            }
            None if call.is_begun && age >= limit => {
                self.time_out(inner, place, call, limit);
                let kill_at = rest::later(now, self.config.task_grace);
                inner.slots[place].seen_running =
                    Some(SeenRunning { kill_at: Some(kill_at), ..seen });
                Some(look.min(self.config.task_grace))
            }
            None if call.is_begun => Some(look.min(limit - age)),
            None => Some(look),
        }
    }

    /// Whether a lane runs this call, and will run none but the next items of its chunk.
    fn still_runs(&self, inner: &mut Inner, place: usize, call: Call) -> bool {
        self.pin(inner, place, call.sequence)
            && inner.slots[place].current_call().is_some_and(|(now, _)| !now.is_after(call))
    }

    /// Gives a call that has had its time its outcome, and asks it to stop.
    fn time_out(&self, inner: &mut Inner, place: usize, call: Call, limit: Duration) {
        let slot = &mut inner.slots[place];
        let is_to_end = slot.is_to_end(call.sequence);
        let Some(live) = &slot.live else { return };
        if is_to_end {
            // There is one word for both.
            live.lane.ask_to_end(call.sequence, true);
        } else {
            live.lane.ask_to_stop(call.sequence, call.index);
        }
        let worker = live.process.id().clone();
        let Some(flight) = slot.flight(call.sequence) else { return };
        let function = face::name_of(flight.code);
        let error = |item| Error::new(Fault::Overdue { worker, limit }).of_call(function, item);
        match &mut flight.target {
            Some(Target::Task(cell)) => {
                let cell = cell.clone();
                inner.settle(&cell, Err(error(None)));
            }
            Some(Target::Chunk(span)) if call.index < span.count => {
                let (batch, first) = (span.batch.clone(), span.first + call.index);
                // Had its time before, on a worker that is gone: it has its outcome.
                let Err(place) = span.overdue.binary_search(&first) else { return };
                span.overdue.insert(place, first);
                let error = error(Some(first));
                inner.deliver(&batch, Delivery::failed(first, 1, error));
            }
            Some(Target::Chunk(_) | Target::Start) | None => {}
        }
    }
}
