//! Where one task's outcome arrives.

use super::{Failure, Outcome, Subscribers, Terms};
use crate::payload::Value;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::task::Waker;

/// Ends of workers that say that they did not begin a task which was their next, until it is taken to be
/// what they end of. It may happen to any worker once; one that goes mad may lose the word that says what it
/// runs, and so would all others that the task is sent to.
pub(crate) const UNBEGUN_MAX: u8 = 8;

/// The one place where a task's outcome arrives, shared by the pool and the caller's handle.
#[derive(Debug, Default)]
pub struct TaskCell {
    done: AtomicBool,
    /// Whether what arrived was no value.
    failed: AtomicBool,
    /// How many workers have ended before they began it, although it was next.
    unbegun: AtomicU8,
    /// How many workers have died while they ran it.
    lost: AtomicU32,
    /// Most tasks have none.
    terms: Option<Box<Terms>>,
    inner: Mutex<Inner>,
}

/// An outcome, as it arrives.
type Arrived = Result<Value, Arc<Failure>>;

/// What came of giving a task an outcome.
#[derive(Debug)]
#[must_use]
pub(crate) enum Settled {
    /// It is the task's; this waker is due.
    Now(Option<Waker>),
    /// The task has had one before, and keeps it.
    Before,
}

#[derive(Debug, Default)]
struct Inner {
    outcome: Option<Arrived>,
    subscribers: Subscribers,
}

impl TaskCell {
    /// A cell for a task that runs on these terms.
    pub(crate) fn new(terms: &Terms) -> Self {
        let terms = (!terms.are_none()).then(|| Box::new(*terms));
        Self { terms, ..Self::default() }
    }

    /// On what terms it runs.
    pub(crate) fn terms(&self) -> Terms {
        self.terms.as_deref().copied().unwrap_or_default()
    }

    /// How many attempts there were before the one that is made now.
    pub(crate) fn attempts_before(&self) -> u32 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Notes that a worker has ended for which it was next, and says that it did not begin it; `true` when
    /// that is as many as are believed.
    pub(crate) fn was_unbegun_too_often(&self) -> bool {
        let before = self.unbegun.load(Ordering::Relaxed);
        // The pool's lock orders those who count.
        self.unbegun.store(before.saturating_add(1), Ordering::Relaxed);
        before.saturating_add(1) >= UNBEGUN_MAX
    }

    /// Notes that a worker died while it ran the task; `true` when another may try.
    pub(crate) fn may_try_again(&self) -> bool {
        !self.is_done() && self.lost.fetch_add(1, Ordering::Relaxed) < self.terms().retries
    }

    /// A cell of a task that has failed already.
    pub(crate) fn failed(failure: Arc<Failure>) -> Self {
        Self {
            done: AtomicBool::new(true),
            failed: AtomicBool::new(true),
            inner: Mutex::new(Inner { outcome: Some(Err(failure)), ..Inner::default() }),
            ..Self::default()
        }
    }

    /// Whether the outcome has arrived.
    pub fn is_done(&self) -> bool {
        // ORDER(cell-done): acquires what `settle` stored before it; the outcome itself is behind
        // the lock.
        self.done.load(Ordering::Acquire)
    }

    /// Stores the outcome and unparks who waits. Only the first outcome counts.
    pub(crate) fn settle(&self, outcome: Arrived) -> Settled {
        let mut inner = self.inner.lock();
        if self.is_done() {
            return Settled::Before;
        }
        self.failed.store(outcome.is_err(), Ordering::Relaxed);
        inner.outcome = Some(outcome);
        // ORDER(cell-done): releases the outcome to whoever sees `done` without the lock.
        self.done.store(true, Ordering::Release);
        Settled::Now(inner.subscribers.wake())
    }

    /// Takes the outcome; `None` before it arrives and after it was taken.
    pub fn take(&self) -> Option<Outcome> {
        let outcome = self.inner.lock().outcome.take();
        outcome.map(|outcome| outcome.map_err(|failure| failure.look()))
    }

    /// Whether the task succeeded, be its outcome taken by now or not; `None` before it arrives.
    pub fn succeeded(&self) -> Option<bool> {
        if !self.is_done() {
            return None;
        }
        if let Some(Err(failure)) = &self.inner.lock().outcome {
            failure.look();
        }
        Some(!self.failed.load(Ordering::Relaxed))
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
