//! Cancelling tasks.

use super::inner::{Inner, Work};
use super::shared::Shared;
use super::slot::{Flight, Request, Target};
use crate::error::{Error, Fault};
use crate::face;
use crate::rest;
use crate::task::{Batch, Delivery, TaskCell};
use std::sync::Arc;
use std::time::Instant;

/// Why the others on a process that was killed for one task have died.
const KILLED_FOR_CANCELLED: &str =
    "the pool killed it because another task of its process was cancelled while it ran";

pub(super) fn cancelled() -> Error {
    Error::new(Fault::Cancelled { worker: None })
}

impl Shared {
    /// Cancels a task that no worker has begun; with `running`, also one that runs, by killing its
    /// worker. `false` when it goes on, or has its outcome.
    pub(super) fn cancel(&self, cell: &Arc<TaskCell>, running: bool) -> bool {
        let mut inner = self.lock();
        let inner = &mut *inner;
        // What has come back counts.
        self.collect(inner);
        if cell.is_done() {
            self.tell_leader(inner);
            return false;
        }
        let is_it = |flight: &Flight| matches!(&flight.target, Some(Target::Task(c)) if Arc::ptr_eq(c, cell));
        let found = find(inner, is_it).next();
        let is_cancelled = match found {
            // It waits in the injector, and is dropped when it is its turn.
            None => {
                inner.settle(cell, Err(cancelled()));
                true
            }
            Some(found) => match inner.slots[found.place].take_back(found.index) {
                Some(request) => {
                    self.drop_cancelled(inner, request);
                    true
                }
                None if running && self.pin(inner, found.place, found.sequence) => {
                    cancel_begun(inner, found.place, found.sequence, cell);
                    true
                }
                None => false,
            },
        };
        self.collect(inner);
        self.tell_leader(inner);
        is_cancelled
    }

    /// Cancels the items of a batch that no worker has begun; with `running`, also those that run: they
    /// have their outcome at once, and their workers the grace that the pool grants, to end them. `false`
    /// when there were none.
    pub(super) fn cancel_batch(&self, batch: &Arc<Batch>, running: bool) -> bool {
        let mut inner = self.lock();
        let inner = &mut *inner;
        self.collect(inner);
        if batch.is_done() {
            self.tell_leader(inner);
            return false;
        }
        let is_its = |target: &Target| matches!(target, Target::Chunk(span) if Arc::ptr_eq(&span.batch, batch));
        let places: Vec<_> =
            find(inner, |flight| flight.target.as_ref().is_some_and(is_its)).collect();
        let mut not_begun = Vec::new();
        let mut begun = Vec::new();
        // The last of a lane first: so what is left there is nothing but what has begun.
        for found in places.into_iter().rev() {
            match inner.slots[found.place].take_back(found.index) {
                Some(request) => not_begun.push(request),
                None => begun.push(found),
            }
        }
        for work in std::mem::take(&mut inner.injector) {
            match work {
                Work::Request(request) if is_its(&request.target) => not_begun.push(request),
                work => inner.injector.push_back(work),
            }
        }
        let is_any = batch.uncut() > 0
            || !not_begun.is_empty()
            || begun.iter().any(|found| running || inner.has_more_than_runs(*found));
        if is_any {
            inner.give_up(batch, &cancelled());
            for found in begun {
                self.end_chunk(inner, found, running);
            }
        }
        for request in not_begun {
            self.drop_cancelled(inner, request);
        }
        self.collect(inner);
        self.tell_leader(inner);
        is_any
    }

    /// Has a worker begin no further item of a chunk that it has begun; with `running`, it is to end the one
    /// that runs, too, and all have their outcome.
    fn end_chunk(&self, inner: &mut Inner, found: Found, running: bool) {
        let Found { place, sequence, .. } = found;
        let slot = &mut inner.slots[place];
        // One that has had its time is still to stop: there is one word for both.
        let is_overdue = slot.is_overdue(sequence);
        let Some(live) = &slot.live else { return };
        live.lane.ask_to_end(sequence, running || is_overdue);
        let worker = live.process.id().clone();
        let Some(flight) = slot.flight(sequence) else { return };
        let function = face::name_of(flight.code);
        let Some(Target::Chunk(span)) = &mut flight.target else { return };
        span.is_to_end = true;
        if !running {
            return;
        }
        let (batch, unsettled) = (span.batch.clone(), span.unsettled());
        slot.end_by = Some((sequence, rest::later(rest::now(), self.config.task_grace)));
        self.supervisor.nudge();
        let error = Error::new(Fault::Cancelled { worker: Some(worker) }).of_call(function, None);
        for (first, count) in unsettled {
            inner.deliver(&batch, Delivery::failed(first, count, error.clone()));
        }
    }

    /// Kills a process that goes on for longer than its grace with a chunk that was cancelled.
    pub(super) fn kill_if_unwanted(&self, inner: &mut Inner, place: usize, now: Instant) {
        let slot = &mut inner.slots[place];
        let Some((sequence, _)) = slot.end_by.filter(|(_, time)| *time <= now) else { return };
        slot.end_by = None;
        let process = slot.process;
        if slot.live.is_some() && self.pin(inner, place, sequence) {
            inner.kill_team(process, KILLED_FOR_CANCELLED);
        }
    }

    /// Lets go of a request that was cancelled before it had begun.
    pub(super) fn drop_cancelled(&self, inner: &mut Inner, request: Request) {
        self.put_load(request.load);
        inner.fail(request.target, &cancelled());
    }
}

impl Inner {
    /// Whether a chunk that was begun has an item that was not, as far as its worker has said.
    fn has_more_than_runs(&mut self, found: Found) -> bool {
        let Found { place, sequence, .. } = found;
        let slot = &mut self.slots[place];
        let Some(live) = &slot.live else { return false };
        let finished = u64::from(live.lane.finished_items());
        let flight = slot.flight(sequence);
        match flight.and_then(|flight| flight.target.as_ref()) {
            Some(Target::Chunk(span)) => {
                span.count > span.delivered.saturating_add(finished).saturating_add(1)
            }
            _ => false,
        }
    }
}

fn cancel_begun(inner: &mut Inner, place: usize, sequence: u64, cell: &Arc<TaskCell>) {
    let slot = &mut inner.slots[place];
    let code = slot.flight(sequence).map(|flight| flight.code);
    let process = slot.process;
    let worker = slot.live.as_ref().map(|live| live.process.id().clone());
    let mut error = Error::new(Fault::Cancelled { worker });
    if let Some(code) = code {
        error = error.of_call(face::name_of(code), None);
    }
    inner.settle(cell, Err(error));
    inner.kill_team(process, KILLED_FOR_CANCELLED);
}

/// Where a flight is.
#[derive(Debug, Clone, Copy)]
struct Found {
    place: usize,
    index: usize,
    sequence: u64,
}

/// The flights of which a condition holds.
fn find(inner: &Inner, is_it: impl Fn(&Flight) -> bool) -> impl Iterator<Item = Found> {
    inner.slots.iter().enumerate().flat_map(move |(place, slot)| {
        let found = slot.flights.iter().enumerate().filter(|(_, flight)| is_it(flight));
        let found = found.map(|(index, flight)| Found { place, index, sequence: flight.sequence });
        found.collect::<Vec<_>>()
    })
}
