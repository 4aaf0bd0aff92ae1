//! Where one task's outcome arrives.

use super::{Outcome, Subscribers};
use crate::error::Error;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

/// The one place where a task's outcome arrives, shared by the pool and the caller's handle.
#[derive(Debug, Default)]
pub struct TaskCell {
    done: AtomicBool,
    looked_at: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    outcome: Option<Outcome>,
    subscribers: Subscribers,
}

impl TaskCell {
    /// A cell whose outcome is known already.
    pub(crate) fn settled(outcome: Outcome) -> Self {
        Self {
            done: AtomicBool::new(true),
            looked_at: AtomicBool::new(false),
            inner: Mutex::new(Inner { outcome: Some(outcome), ..Inner::default() }),
        }
    }

    /// Whether the outcome has arrived.
    pub fn is_done(&self) -> bool {
        // ORDER(cell-done): acquires what `settle` stored before it; the outcome itself is behind
        // the lock.
        self.done.load(Ordering::Acquire)
    }

    /// Stores the outcome and unparks who waits; gives the waker that is due. Only the first
    /// outcome counts.
    pub(crate) fn settle(&self, outcome: Outcome) -> Option<Waker> {
        let mut inner = self.inner.lock();
        if self.is_done() {
            return None;
        }
        inner.outcome = Some(outcome);
        // ORDER(cell-done): releases the outcome to whoever sees `done` without the lock.
        self.done.store(true, Ordering::Release);
        inner.subscribers.wake()
    }

    /// Takes the outcome; `None` before it arrives and after it was taken.
    pub fn take(&self) -> Option<Outcome> {
        self.mark_looked_at();
        self.inner.lock().outcome.take()
    }

    /// Whether the task succeeded; `None` before the outcome arrives.
    pub fn succeeded(&self) -> Option<bool> {
        if !self.is_done() {
            return None;
        }
        self.mark_looked_at();
        // A taken outcome is only ever asked about by the handle that took it.
        Some(self.inner.lock().outcome.as_ref().is_none_or(Result::is_ok))
    }

    fn mark_looked_at(&self) {
        self.looked_at.store(true, Ordering::Relaxed);
    }

    /// The error that nobody has looked at, if there is one.
    pub(crate) fn unseen_error(&self) -> Option<Error> {
        if self.looked_at.load(Ordering::Relaxed) {
            return None;
        }
        match &self.inner.lock().outcome {
            Some(Err(error)) => Some(error.clone()),
            _ => None,
        }
    }

    /// Runs `change` on the subscribers unless the outcome has arrived (`false`).
    pub(crate) fn subscribe(&self, change: &mut dyn FnMut(&mut Subscribers)) -> bool {
        let mut inner = self.inner.lock();
        let pending = !self.is_done();
        if pending {
            change(&mut inner.subscribers);
        }
        pending
    }
}
