//! Where tasks wait for a thread.

use super::engine::Engine;
use crate::error::Error;
use crossbeam_deque::{Injector, Steal};
use std::fmt;
use std::sync::Arc;

/// What waits in the queue: a task, or a map that has items to cut.
pub(super) trait Entry: Send + Sync {
    /// Runs what of it is due, on a thread of the engine: its place is `worker`.
    fn run(self: Arc<Self>, engine: &Engine, worker: usize);

    /// Fails what has not begun.
    fn refuse(&self, engine: &Engine, error: &Error);
}

/// Entries in the order in which they came.
pub(super) struct Queue {
    entries: Injector<Arc<dyn Entry>>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("len", &self.entries.len()).finish()
    }
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { entries: Injector::new() }
    }

    pub(super) fn push(&self, entry: Arc<dyn Entry>) {
        self.entries.push(entry);
    }

    pub(super) fn pop(&self) -> Option<Arc<dyn Entry>> {
        loop {
            match self.entries.steal() {
                Steal::Success(entry) => return Some(entry),
                Steal::Empty => return None,
                // Another thread was faster; it has one, and there may be more.
                Steal::Retry => std::hint::spin_loop(),
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
