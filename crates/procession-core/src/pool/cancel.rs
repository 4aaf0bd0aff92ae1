//! Cancelling tasks.

use super::inner::{Inner, Work};
use super::shared::Shared;
use super::slot::{Flight, Request, Target};
use crate::error::{Error, Fault};
use crate::face;
use crate::task::{Batch, TaskCell};
use std::sync::Arc;

/// Why the others on a process that was killed for one task have died.
const KILLED_FOR_CANCELLED: &str =
    "the pool killed it because another task of its process was cancelled while it ran";

fn cancelled() -> Error {
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

    /// Cancels the items of a batch that no worker has begun; with `running`, also those that run, by
    /// killing their workers. `false` when there were none.
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
        begun.retain(|found| running && self.pin(inner, found.place, found.sequence));
        for work in std::mem::take(&mut inner.injector) {
            match work {
                Work::Request(request) if is_its(&request.target) => not_begun.push(request),
                work => inner.injector.push_back(work),
            }
        }
        let is_any = batch.uncut() > 0 || !not_begun.is_empty() || !begun.is_empty();
        if is_any {
            inner.give_up(batch, &cancelled());
        }
        for request in not_begun {
            self.drop_cancelled(inner, request);
        }
        for found in begun {
            // Its items have their outcomes when its end is known. It may have been killed before.
            let process = inner.slots[found.place].process;
            inner.kill_team(process, KILLED_FOR_CANCELLED);
        }
        self.collect(inner);
        self.tell_leader(inner);
        is_any
    }

    /// Lets go of a request that was cancelled before it had begun.
    pub(super) fn drop_cancelled(&self, inner: &mut Inner, request: Request) {
        self.put_load(request.load);
        inner.fail(request.target, &cancelled());
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
