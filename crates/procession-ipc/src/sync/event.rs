//! A flag that is waited for.
//!
//! One word: bit 0 is the flag, the others count how often it was set. Who waits sees that it was set also
//! if it is cleared again by then.
//!
//! | a process ends after | what follows |
//! |---|---|
//! | it changed the word, and woke nobody | sleepers look again with the next tick |
//!
//! ORDER(event): a release by who sets, an acquire by who sees it set.

#[cfg(all(test, loom))]
mod models;
#[cfg(test)]
mod tests;

use super::deadline_after;
use crate::primitive::{AtomicU32, Ordering};
use crate::roster::Roster;
use std::sync::Arc;
use std::time::Duration;

/// Bytes that an event takes, which begin as zeros.
pub const EVENT_BYTES: usize = 4;

/// An event in a shared object.
#[derive(Debug, Clone)]
pub struct Event {
    roster: Arc<Roster>,
    at: usize,
}

impl Event {
    /// The event at this offset.
    pub fn new(roster: Arc<Roster>, at: usize) -> Self {
        Self { roster, at }
    }

    fn word(&self) -> &AtomicU32 {
        self.roster.segment().word32(self.at)
    }

    /// Whether it is set.
    #[inline]
    pub fn is_set(&self) -> bool {
        // ORDER(event): acquires.
        self.word().load(Ordering::Acquire) % 2 == 1
    }

    fn change(&self, new: impl Fn(u32) -> u32) -> bool {
        let mut seen = self.word().load(Ordering::Relaxed);
        while seen != new(seen) {
            // ORDER(event): releases, and acquires for who clears what somebody else set.
            match self.word().compare_exchange(seen, new(seen), Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Sets it, and wakes all who wait.
    pub fn set(&self) {
        // From clear to set is one more.
        if self.change(|word| word.wrapping_add(u32::from(word.is_multiple_of(2)))) {
            self.roster.segment().wake(self.at);
        }
    }

    /// Clears it.
    pub fn clear(&self) {
        self.change(|word| word.wrapping_add(word % 2));
    }

    /// Waits until it is set, or `timeout` has passed; whether it was set meanwhile.
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        let deadline = deadline_after(timeout);
        let before = self.word().load(Ordering::Acquire);
        loop {
            // ORDER(event): acquires.
            let seen = self.word().load(Ordering::Acquire);
            if seen % 2 == 1 || seen != before {
                return true;
            }
            if !self.roster.sleep(self.at, seen, &[], deadline) {
                return self.is_set();
            }
        }
    }
}
