//! Locks and the like in memory that several processes write.
//!
//! All of them take the same two things for granted: a [roster](crate::roster), which tells who lives; and
//! that anything may stand in their words, since anybody who has the memory may write it. Then a lock may
//! be had twice, or not at all until its [timeout](crate::roster::TICK); but nobody reads or writes outside
//! of its place, and nobody sleeps for ever on the word of a dead one.

mod barrier;
mod condition;
mod event;
mod lock;
mod locked;
mod semaphore;

pub use barrier::{BARRIER_BYTES, Barrier, PARTIES_MAX, Passed};
pub use condition::{CONDITION_BYTES, Condition};
pub use event::{EVENT_BYTES, Event};
pub use lock::{Acquired, LOCK_BYTES, Lock};
pub(crate) use locked::Locked;
pub use semaphore::{SEMAPHORE_BYTES, Semaphore};

use std::time::{Duration, Instant};

/// The point in time after `timeout`; `None` if there is none, and so no end to the wait.
pub(crate) fn deadline_after(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}
