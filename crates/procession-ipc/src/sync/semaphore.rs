//! Permits that come back when their holder dies.
//!
//! | offset | word |
//! |---|---|
//! | 0 | lock: held to change anything else |
//! | 4 | changes: moves when there is more to be had; sleepers' wait word |
//! | 8 | sleepers, or more |
//! | 12 | total: permits that are free or in the name of somebody |
//! | 16 | free |
//! | 20 | bound: most that may be free; 0 is none |
//! | 64 + 8 i | entry i: a token |
//! | 68 + 8 i | how many permits are in its name |
//!
//! A permit is taken in a process's name, and then its death gives it back; or in nobody's, and then anybody
//! may give it back, as Python's semaphores work. `free` is what `total` and the entries say, kept so as not
//! to add them up: who gets the lock from a dead one adds them up.
//!
//! | the lock's holder ends after | what follows |
//! |---|---|
//! | it changed `total` or an entry, not `free` | the next holder adds up |
//! | it changed `free`, and not `changes`, or woke nobody | sleepers look again with the next tick |
//!
//! | the holder of permits ends | sleepers mind its mark of life, and take them back under the lock |

#[cfg(all(test, loom))]
mod models;
#[cfg(test)]
mod tests;

use super::{Acquired, Lock, Locked, deadline_after};
use crate::roster::{Roster, Token};
use std::io;
use std::sync::Arc;
use std::time::Duration;

const CHANGES: usize = 4;
const SLEEPERS: usize = 8;
const TOTAL: usize = 12;
const FREE: usize = 16;
const BOUND: usize = 20;
const ENTRIES: usize = 64;
const ENTRY_BYTES: usize = 8;
/// Most processes in whose names there are permits at a time; those of more are in nobody's.
#[cfg(not(loom))]
const ENTRIES_MAX: usize = 120;
#[cfg(loom)]
const ENTRIES_MAX: usize = 2;

/// Bytes that a semaphore takes, which begin as zeros.
pub const SEMAPHORE_BYTES: usize = ENTRIES + ENTRIES_MAX * ENTRY_BYTES;

/// A semaphore in a shared object.
#[derive(Debug, Clone)]
pub struct Semaphore {
    lock: Lock,
}

impl Locked for Semaphore {
    fn lock(&self) -> &Lock {
        &self.lock
    }
}

impl Semaphore {
    /// The semaphore at this offset.
    pub fn new(roster: Arc<Roster>, at: usize) -> Self {
        Self { lock: Lock::new(roster, at) }
    }

    /// Gives a new one its permits, before anybody else knows of it; and says how many may be free at
    /// most, if there is such a limit.
    pub fn begin(&self, permits: u32, bound: Option<u32>) {
        self.set(TOTAL, permits);
        self.set(FREE, permits);
        self.set(BOUND, bound.unwrap_or(0));
    }

    /// Those in whose names there are permits: offset of the count, and token.
    fn entries(&self) -> impl Iterator<Item = (usize, Option<Token>)> + '_ {
        (0..ENTRIES_MAX).map(|index| {
            let at = ENTRIES + index * ENTRY_BYTES;
            (at + 4, Token::from_word(self.get(at)).filter(|_| self.get(at + 4) > 0))
        })
    }

    fn enter(&self) -> io::Result<()> {
        if self.lock.acquire(None)? == Some(Acquired::Inherited) {
            self.add_up();
        }
        Ok(())
    }

    /// Makes `free` what the other words say.
    fn add_up(&self) {
        let held = self.entries().filter(|(_, token)| token.is_some());
        let held = held.fold(0_u32, |sum, (at, _)| sum.saturating_add(self.get(at)));
        self.set(FREE, self.get(TOTAL).saturating_sub(held));
    }

    /// Takes back what is in the names of dead ones; how many permits.
    fn take_back(&self) -> u32 {
        let mut count = 0_u32;
        for (at, token) in self.entries() {
            if token.is_some_and(|token| !self.roster().is_alive(token)) {
                count = count.saturating_add(self.get(at));
                self.set(at, 0);
            }
        }
        if count > 0 {
            self.add_up();
            self.tell();
        }
        count
    }

    /// Tells sleepers that there is more to be had.
    fn tell(&self) {
        self.set(CHANGES, self.get(CHANGES).wrapping_add(1));
        if self.get(SLEEPERS) > 0 {
            self.roster().segment().wake(self.at() + CHANGES);
        }
    }

    /// The count in this process's name, making an entry for it; `None` if there is no place.
    fn own_entry(&self, own: Token) -> Option<usize> {
        let found = self.entries().find(|(_, token)| *token == Some(own));
        let place = found.or_else(|| self.entries().find(|(_, token)| token.is_none()));
        let (at, token) = place?;
        if token.is_none() {
            self.set(at, 0);
            self.set(at - 4, own.word());
        }
        Some(at)
    }

    /// Takes a permit, waiting for one: until one is given back, a holder dies, or `timeout` has passed;
    /// then there is none. With `named` it is in this process's name. [`Acquired::Inherited`] says that
    /// permits of dead holders were taken back for it.
    ///
    /// # Errors
    /// When this process gets no seat in the object.
    pub fn acquire(&self, named: bool, timeout: Option<Duration>) -> io::Result<Option<Acquired>> {
        let own = self.roster().token()?;
        let deadline = deadline_after(timeout);
        let mut how = Acquired::Clean;
        loop {
            self.enter()?;
            if self.get(FREE) == 0 && self.take_back() > 0 {
                how = Acquired::Inherited;
            }
            if self.get(FREE) > 0 {
                match self.own_entry(own).filter(|_| named) {
                    Some(at) => self.set(at, self.get(at).saturating_add(1)),
                    None => self.set(TOTAL, self.get(TOTAL).saturating_sub(1)),
                }
                self.set(FREE, self.get(FREE) - 1);
                self.lock.release();
                return Ok(Some(how));
            }
            let seen = self.get(CHANGES);
            self.set(SLEEPERS, self.get(SLEEPERS).saturating_add(1));
            let holders: Vec<_> = self.entries().filter_map(|(_, token)| token).collect();
            self.lock.release();
            let has_time = self.roster().sleep(self.at() + CHANGES, seen, &holders, deadline);
            self.enter()?;
            self.set(SLEEPERS, self.get(SLEEPERS).saturating_sub(1));
            self.lock.release();
            if !has_time {
                return Ok(None);
            }
        }
    }

    /// Gives permits back: those in this process's name with `named`, or so many in nobody's. `false`, and
    /// nothing was given back, if more would be free than may be.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    pub fn release(&self, named: bool, count: u32) -> io::Result<bool> {
        let own = self.roster().token()?;
        self.enter()?;
        let bound = self.get(BOUND);
        let free = self.get(FREE).checked_add(count).filter(|free| bound == 0 || *free <= bound);
        if let Some(free) = free {
            let entry = self.entries().find(|(_, token)| named && *token == Some(own));
            match entry.filter(|(at, _)| self.get(*at) >= count) {
                Some((at, _)) => self.set(at, self.get(at) - count),
                None => self.set(TOTAL, self.get(TOTAL).saturating_add(count)),
            }
            self.set(FREE, free);
            self.tell();
        }
        self.lock.release();
        Ok(free.is_some())
    }

    /// How many permits are free; another number a moment later.
    pub fn value(&self) -> u32 {
        self.get(FREE)
    }
}
