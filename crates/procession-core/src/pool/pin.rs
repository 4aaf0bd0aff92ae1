//! Before a process is killed for one call: that it runs that call and no other.
//!
//! A worker goes on by itself. Between the look that finds a call running and the signal that is to end it, the
//! worker may be through with it and run what stands behind, which would be lost for nothing. So what stands
//! behind is taken back first. A worker publishes an outcome before it claims the next request: either that
//! one cannot be taken back, and the outcome is there to be collected; or it is, and the worker has nothing to
//! go on to.

use super::inner::{Inner, Work};
use super::shared::Shared;

impl Shared {
    /// Has a lane go on to nothing behind the request of this sequence: what has not begun there runs
    /// elsewhere. `false` when the worker is through with the request, which has its outcome then.
    ///
    /// Items of a chunk are one request: it may still go on from one to the next.
    pub(super) fn pin(&self, inner: &mut Inner, place: usize, sequence: u64) -> bool {
        while let Some(behind) = inner.slots[place].take_back_behind(sequence) {
            inner.stats.taken_back += 1;
            inner.has_pinned = true;
            // The last is taken back first.
            inner.injector.push_front(Work::Request(behind));
        }
        self.collect_from(inner, place);
        inner.slots[place].flight(sequence).is_some_and(|flight| flight.target.is_some())
    }
}
