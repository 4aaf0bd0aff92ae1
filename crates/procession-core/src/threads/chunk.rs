//! Some items of a map, and what came of them.

use super::ending::{Ending, Left};
use super::engine::Engine;
use super::workers::Name;
use crate::error::Error;
use crate::task::Failure;
use crate::worker::{as_thread_item, panic_hook};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is left of a chunk is shared with an idle thread if it takes longer than this.
const WORTH_SHARING: Duration = Duration::from_micros(50);

/// What came back for some items.
pub enum Delivery<R> {
    /// Results of the items from `first` on.
    Part {
        /// Index of the first item.
        first: u64,
        /// Their results.
        values: Vec<R>,
    },
    /// Items that have no result, for one reason.
    Failed {
        /// Index of the first item.
        first: u64,
        /// How many items.
        count: u64,
        /// Why.
        failure: Arc<Failure>,
    },
}

impl<R> fmt::Debug for Delivery<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part { first, values } => {
                f.debug_struct("Part").field("first", first).field("count", &values.len()).finish()
            }
            Self::Failed { first, count, failure } => f
                .debug_struct("Failed")
                .field("first", first)
                .field("count", count)
                .field("failure", failure)
                .finish(),
        }
    }
}

impl<R> Delivery<R> {
    /// Index of the first item.
    pub fn first(&self) -> u64 {
        match self {
            Self::Part { first, .. } | Self::Failed { first, .. } => *first,
        }
    }

    /// How many items.
    pub fn count(&self) -> u64 {
        match self {
            Self::Part { values, .. } => values.len() as u64,
            Self::Failed { count, .. } => *count,
        }
    }
}

/// Consecutive items that nobody has begun.
pub(super) struct Chunk<A> {
    /// Index of the first item.
    pub(super) first: u64,
    pub(super) items: Vec<A>,
}

/// What a thread has made of a chunk.
pub(super) struct Made<A, R> {
    pub(super) deliveries: Vec<Delivery<R>>,
    /// What was not begun, for the map was cancelled.
    pub(super) rest: Option<Chunk<A>>,
    /// Items that ran, and how long they took.
    pub(super) ran: u64,
    pub(super) took: Duration,
}

impl<A> Chunk<A> {
    /// Runs the items, unless they are to end; one that panics does not keep the others from running. When
    /// a thread of the pool has nothing to do meanwhile, `share` gets the back half of what is left.
    pub(super) fn run<R>(
        self,
        (engine, place): (&Engine, usize),
        (ending, left): (&Ending, &Left),
        share: impl Fn(Self),
        name: Name,
        function: impl Fn(A) -> R,
    ) -> Made<A, R> {
        let mut running = Running {
            start: Instant::now(),
            first: self.first,
            items: self.items.into_iter(),
            ran: 0,
            look_at: 0,
        };
        let mut deliveries = Vec::new();
        let doing = engine.doing(place);
        let outer = doing.set(Some(name));
        loop {
            let first = running.first + running.ran;
            let first_item = running.first;
            let mut values = Vec::with_capacity(running.items.len());
            let mut run = || {
                while !ending.is_asked()
                    && let Some(item) = running.items.next()
                {
                    left.set(running.items.len());
                    // Counted first: one that panics has run, too.
                    doing.set_item(first_item + running.ran);
                    running.ran += 1;
                    values.push(function(item));
                    if running.ran >= running.look_at && engine.sleep.has_idle() {
                        running.give_half().into_iter().for_each(&share);
                    }
                }
            };
            let caught = as_thread_item(ending.stops(), || panic_hook::catch(&mut run));
            if !values.is_empty() {
                deliveries.push(Delivery::Part { first, values });
            }
            match caught {
                Ok(()) => break,
                Err(report) => deliveries.push(Delivery::Failed {
                    first: running.first + running.ran - 1,
                    count: 1,
                    failure: Failure::new(
                        Error::panicked(None, report)
                            .of_call(name(), Some(running.first + running.ran - 1)),
                    ),
                }),
            }
        }
        doing.go_back_to(outer);
        let Running { start, first, items, ran, .. } = running;
        let (first, took, items) = (first + ran, start.elapsed(), items.collect::<Vec<_>>());
        let rest = (!items.is_empty()).then_some(Self { first, items });
        Made { deliveries, rest, ran, took }
    }
}

/// A chunk on its way.
struct Running<A> {
    start: Instant,
    first: u64,
    items: std::vec::IntoIter<A>,
    ran: u64,
    /// When so many have run, it is time to look at the clock again.
    look_at: u64,
}

impl<A> Running<A> {
    /// The back half of what is left, if that takes long enough to be worth another thread's while.
    fn give_half(&mut self) -> Option<Chunk<A>> {
        // Twice as many as now: so the clock costs next to nothing.
        self.look_at = 2 * self.ran;
        let left = self.items.len();
        let each = self.start.elapsed().as_secs_f64() / self.ran as f64;
        if left == 0 || each * (left as f64) < WORTH_SHARING.as_secs_f64() {
            return None;
        }
        let mut kept: Vec<A> = self.items.by_ref().collect();
        let items = kept.split_off(left / 2);
        let first = self.first + self.ran + kept.len() as u64;
        self.items = kept.into_iter();
        Some(Chunk { first, items })
    }
}
