//! Who wants to know when something is done.

use crate::rest;
use std::task::Waker;
use std::thread::Thread;

/// Threads and wakers to be woken once. Most tasks never have any, so there is nothing but a
/// pointer until there is one.
#[derive(Debug, Default)]
pub struct Subscribers(Option<Box<Present>>);

#[derive(Debug, Default)]
struct Present {
    threads: Vec<Thread>,
    waker: Option<Waker>,
}

impl Subscribers {
    /// Whether there is nobody to wake.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|present| present.threads.is_empty() && present.waker.is_none())
    }

    /// Adds the current thread, which then parks.
    pub(crate) fn add_current_thread(&mut self) {
        let current = std::thread::current();
        let present = self.0.get_or_insert_default();
        if !present.threads.iter().any(|thread| thread.id() == current.id()) {
            present.threads.push(current);
        }
    }

    /// Removes the current thread.
    pub(crate) fn remove_current_thread(&mut self) {
        if let Some(present) = &mut self.0 {
            let current = std::thread::current().id();
            present.threads.retain(|thread| thread.id() != current);
        }
    }

    /// Puts the waker of the task that polls in the place of the one before, or none; gives that one.
    ///
    /// To clone a waker and to drop one is the user's code: neither is done here, under a lock.
    #[must_use]
    pub(crate) fn replace_waker(&mut self, waker: Option<Waker>) -> Option<Waker> {
        match (&mut self.0, waker) {
            (None, None) => None,
            (present, waker) => {
                std::mem::replace(&mut present.get_or_insert_default().waker, waker)
            }
        }
    }

    /// Unparks the threads; gives the waker, to be woken once no lock is held.
    #[must_use]
    pub(crate) fn wake(&mut self) -> Option<Waker> {
        let present = self.0.take()?;
        for thread in present.threads {
            rest::unpark(&thread);
        }
        present.waker
    }
}
