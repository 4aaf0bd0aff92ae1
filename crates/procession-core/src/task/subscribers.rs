//! Who wants to know when something is done.

use std::task::Waker;
use std::thread::Thread;

/// Threads and wakers to be woken once.
#[derive(Debug, Default)]
pub struct Subscribers {
    threads: Vec<Thread>,
    waker: Option<Waker>,
}

impl Subscribers {
    /// Whether there is nobody to wake.
    pub(crate) fn is_empty(&self) -> bool {
        self.threads.is_empty() && self.waker.is_none()
    }

    /// Adds the current thread, which then parks.
    pub(crate) fn add_current_thread(&mut self) {
        let current = std::thread::current();
        if !self.threads.iter().any(|thread| thread.id() == current.id()) {
            self.threads.push(current);
        }
    }

    /// Removes the current thread.
    pub(crate) fn remove_current_thread(&mut self) {
        let current = std::thread::current().id();
        self.threads.retain(|thread| thread.id() != current);
    }

    /// Sets the waker of the task that polls; `true` when there was none before.
    pub(crate) fn set_waker(&mut self, waker: &Waker) -> bool {
        match &mut self.waker {
            Some(known) => {
                known.clone_from(waker);
                false
            }
            none => {
                *none = Some(waker.clone());
                true
            }
        }
    }

    /// Forgets the waker.
    pub(crate) fn remove_waker(&mut self) -> bool {
        self.waker.take().is_some()
    }

    /// Unparks the threads; gives the waker, to be woken once no lock is held.
    #[must_use]
    pub(crate) fn wake(&mut self) -> Option<Waker> {
        for thread in self.threads.drain(..) {
            thread.unpark();
        }
        self.waker.take()
    }
}
