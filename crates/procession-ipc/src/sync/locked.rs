//! The words of an object that begins with the lock that protects them.

use super::Lock;
use crate::primitive::{AtomicU32, Ordering};
use crate::roster::Roster;
use std::sync::Arc;

/// An object whose first word is a lock; offsets count from there.
///
/// Its other words are protected by the lock, or are hints: so they need no order of their own.
pub(crate) trait Locked {
    /// The lock that the object begins with.
    fn lock(&self) -> &Lock;

    fn roster(&self) -> &Arc<Roster> {
        self.lock().roster()
    }

    fn at(&self) -> usize {
        self.lock().at()
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        self.roster().segment().word32(self.at() + offset)
    }

    fn get(&self, offset: usize) -> u32 {
        self.word(offset).load(Ordering::Relaxed)
    }

    fn set(&self, offset: usize, value: u32) {
        self.word(offset).store(value, Ordering::Relaxed);
    }
}
