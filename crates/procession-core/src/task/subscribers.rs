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

    /// Sets the waker of the task that polls; `true` when there was none before.
    pub(crate) fn set_waker(&mut self, waker: &Waker) -> bool {
        match &mut self.0.get_or_insert_default().waker {
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
        self.0.as_mut().is_some_and(|present| present.waker.take().is_some())
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
