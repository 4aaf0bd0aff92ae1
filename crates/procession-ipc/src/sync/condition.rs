//! Waiting for what somebody else changes under a lock.
//!
//! The lock that it belongs to protects everything here, too: who waits and who notifies has it.
//!
//! | offset | word |
//! |---|---|
//! | 0 | tickets: how many have waited |
//! | 16 + 16 i | place i: token of who waits there; 0 nobody |
//! | 20 + 16 i | 0 waits, 1 is notified; wait word of who waits there |
//! | 24 + 16 i | its ticket |
//!
//! Each has a place of its own, so that exactly as many wake as are notified, and the longest waiting first.
//!
//! | a process ends | what follows |
//! |---|---|
//! | waiting | whoever notifies or wants a place takes its place as free |
//! | notified, before it left its place | another who waits finds that with the next tick, and takes the notification over |
//! | notifying, before the wake | the notified one looks again with the next tick |

#[cfg(all(test, loom))]
mod models;
#[cfg(test)]
mod tests;

use super::{Acquired, Lock, deadline_after};
use crate::primitive::{AtomicU32, Ordering};
use crate::roster::{Roster, Token};
use std::io;
use std::sync::Arc;
use std::time::Duration;

const TICKETS: usize = 0;
const PLACES: usize = 16;
const PLACE_BYTES: usize = 16;
/// Most that wait at a time.
#[cfg(not(loom))]
const PLACES_MAX: usize = 255;
#[cfg(loom)]
const PLACES_MAX: usize = 2;

/// Bytes that a condition takes, which begin as zeros.
pub const CONDITION_BYTES: usize = PLACES + PLACES_MAX * PLACE_BYTES;

const WAITS: u32 = 0;
const NOTIFIED: u32 = 1;

/// A condition in a shared object, beside the lock that it belongs to.
#[derive(Debug, Clone)]
pub struct Condition {
    lock: Lock,
    roster: Arc<Roster>,
    at: usize,
}

/// Offset of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place(usize);

impl Condition {
    /// The condition at this offset, which may be in another object than its lock.
    pub fn new(lock: Lock, roster: Arc<Roster>, at: usize) -> Self {
        Self { lock, roster, at }
    }

    /// Its lock.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        self.roster().segment().word32(self.at + offset)
    }

    fn places(&self) -> impl Iterator<Item = Place> + use<> {
        (0..PLACES_MAX).map(|index| Place(PLACES + index * PLACE_BYTES))
    }

    fn holder(&self, place: Place) -> Option<Token> {
        Token::from_word(self.word(place.0).load(Ordering::Relaxed))
    }

    fn is_alive(&self, place: Place) -> bool {
        self.holder(place).is_some_and(|token| self.roster().is_alive(token))
    }

    fn state(&self, place: Place) -> u32 {
        // The lock orders what matters; without it this is a reason to look again.
        self.word(place.0 + 4).load(Ordering::Relaxed)
    }

    fn free(&self, place: Place) {
        self.word(place.0).store(0, Ordering::Relaxed);
    }

    fn take_place(&self, own: Token) -> io::Result<Place> {
        // The notification of one that died is another's.
        let is_free = |place: &Place| {
            self.holder(*place).is_none()
                || !self.is_alive(*place) && self.state(*place) != NOTIFIED
        };
        let place = self.places().find(is_free).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::QuotaExceeded,
                format!("more than {PLACES_MAX} wait for a condition"),
            )
        })?;
        let ticket = self.word(TICKETS).load(Ordering::Relaxed);
        self.word(TICKETS).store(ticket.wrapping_add(1), Ordering::Relaxed);
        self.word(place.0 + 8).store(ticket, Ordering::Relaxed);
        self.word(place.0 + 4).store(WAITS, Ordering::Relaxed);
        self.word(place.0).store(own.word(), Ordering::Relaxed);
        Ok(place)
    }

    /// The place of one that died with its notification.
    fn stranded(&self) -> Option<Place> {
        self.places().find(|place| {
            self.holder(*place).is_some()
                && self.state(*place) == NOTIFIED
                && !self.is_alive(*place)
        })
    }

    /// Lets go of the lock, waits to be notified, and gets the lock again, however long that takes. Says
    /// how it got it, and whether it was notified before `timeout` had passed.
    ///
    /// # Errors
    /// When too many wait, with the lock still held; or when the lock cannot be got again.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<(Acquired, bool)> {
        let own = self.roster().token()?;
        let deadline = deadline_after(timeout);
        let place = self.take_place(own)?;
        self.lock.release();
        let mut has_time = true;
        while has_time && self.state(place) != NOTIFIED {
            has_time = self.roster().sleep(self.at + place.0 + 4, WAITS, &[], deadline);
            if self.state(place) != NOTIFIED && self.stranded().is_some() {
                break;
            }
        }
        // Without a timeout there is no end but the lock.
        let how = self.lock.acquire(None)?.unwrap_or(Acquired::Inherited);
        let mut is_notified = self.state(place) == NOTIFIED;
        if !is_notified && let Some(stranded) = self.stranded() {
            self.free(stranded);
            is_notified = true;
        }
        self.free(place);
        Ok((how, is_notified))
    }

    /// Wakes up to so many of those who wait, the longest waiting first; how many. The caller has the lock.
    pub fn notify(&self, most: usize) -> usize {
        let mut waiting: Vec<_> = self
            .places()
            .filter(|place| self.holder(*place).is_some() && self.state(*place) == WAITS)
            .collect();
        let now = self.word(TICKETS).load(Ordering::Relaxed);
        waiting.sort_by_key(|place| {
            std::cmp::Reverse(now.wrapping_sub(self.word(place.0 + 8).load(Ordering::Relaxed)))
        });
        let mut count = 0;
        for place in waiting {
            if count == most {
                break;
            }
            if !self.is_alive(place) {
                self.free(place);
                continue;
            }
            self.word(place.0 + 4).store(NOTIFIED, Ordering::Relaxed);
            self.roster().segment().wake(self.at + place.0 + 4);
            count += 1;
        }
        count
    }
}
