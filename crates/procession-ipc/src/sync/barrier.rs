//! Where so many wait for one another.
//!
//! | offset | word |
//! |---|---|
//! | 0 | lock: held to change anything else |
//! | 4 | phase: how often all were there, or it was broken or mended; wait word |
//! | 8 | state: 0 filling, 1 broken |
//! | 12 | how many are there |
//! | 16 | parties: how many are to come |
//! | 20 | phase in which it was broken last |
//! | 64 + 4 i | token of the one who came as number i in this phase |
//!
//! | a process ends | what follows |
//! |---|---|
//! | waiting | those who wait with it find that with the next tick, and break the barrier |
//! | the lock held | whoever gets the lock breaks the barrier |
//! | it moved the phase, and woke nobody | those who wait look again with the next tick |

#[cfg(all(test, loom))]
mod models;
#[cfg(test)]
mod tests;

use super::{Acquired, Lock, Locked, deadline_after};
use crate::roster::{Roster, Token};
use std::io;
use std::sync::Arc;
use std::time::Duration;

const PHASE: usize = 4;
const STATE: usize = 8;
const COUNT: usize = 12;
const PARTIES: usize = 16;
const BROKEN_IN: usize = 20;
const COMERS: usize = 64;
/// Most parties.
pub const PARTIES_MAX: u32 = 1000;

/// Bytes that a barrier takes, which begin as zeros.
pub const BARRIER_BYTES: usize = COMERS + PARTIES_MAX as usize * 4;

const FILLING: u32 = 0;
const BROKEN: u32 = 1;

/// What came of waiting at a barrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Passed {
    /// All were there; this one came as number so much, from 0. The last one lets the others go.
    As(u32),
    /// It is broken: somebody had waited too long, has died, or has said so.
    Broken,
}

/// A barrier in a shared object.
#[derive(Debug, Clone)]
pub struct Barrier {
    lock: Lock,
}

impl Locked for Barrier {
    fn lock(&self) -> &Lock {
        &self.lock
    }
}

impl Barrier {
    /// The barrier at this offset.
    pub fn new(roster: Arc<Roster>, at: usize) -> Self {
        Self { lock: Lock::new(roster, at) }
    }

    /// Says for a new one how many are to come, before anybody else knows of it: 1 to [`PARTIES_MAX`].
    pub fn begin(&self, parties: u32) {
        self.set(PARTIES, parties);
        self.set(BROKEN_IN, u32::MAX);
    }

    fn enter(&self) -> io::Result<()> {
        if self.lock.acquire(None)? == Some(Acquired::Inherited) {
            self.break_it();
        }
        Ok(())
    }

    /// Moves the phase, and wakes all who wait.
    fn move_on(&self) {
        self.set(COUNT, 0);
        self.set(PHASE, self.get(PHASE).wrapping_add(1));
        self.roster().segment().wake(self.at() + PHASE);
    }

    fn break_it(&self) {
        self.set(STATE, BROKEN);
        self.set(BROKEN_IN, self.get(PHASE));
        self.move_on();
    }

    fn comers(&self) -> Vec<Token> {
        let count = self.get(COUNT).min(PARTIES_MAX) as usize;
        (0..count).filter_map(|index| Token::from_word(self.get(COMERS + index * 4))).collect()
    }

    /// Waits until all have come; or until somebody breaks the barrier, as this one does when `timeout` has
    /// passed. The last to come runs `action` before the others go on, and breaks the barrier if it panics.
    ///
    /// # Errors
    /// When this process gets no seat in the object.
    pub fn wait(&self, timeout: Option<Duration>, action: impl FnOnce()) -> io::Result<Passed> {
        let own = self.roster().token()?;
        let deadline = deadline_after(timeout);
        self.enter()?;
        if self.get(STATE) == BROKEN {
            self.lock.release();
            return Ok(Passed::Broken);
        }
        let (phase, number) = (self.get(PHASE), self.get(COUNT));
        self.set(COMERS + number.min(PARTIES_MAX - 1) as usize * 4, own.word());
        self.set(COUNT, number.wrapping_add(1));
        if number.wrapping_add(1) >= self.get(PARTIES) {
            let last = Last(self);
            action();
            std::mem::forget(last);
            self.move_on();
            self.lock.release();
            return Ok(Passed::As(number));
        }
        loop {
            let comers = self.comers();
            self.lock.release();
            let has_time = self.roster().sleep(self.at() + PHASE, phase, &comers, deadline);
            self.enter()?;
            if self.get(PHASE) != phase {
                let is_broken = self.get(BROKEN_IN) == phase;
                self.lock.release();
                return Ok(if is_broken { Passed::Broken } else { Passed::As(number) });
            }
            if !has_time || comers.iter().any(|comer| !self.roster().is_alive(*comer)) {
                self.break_it();
            }
        }
    }

    /// Breaks it: all who wait, and all who come before it is [reset](Self::reset), find it broken.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn abort(&self) -> io::Result<()> {
        self.enter()?;
        self.break_it();
        self.lock.release();
        Ok(())
    }

    /// Makes it as new. Those who wait find it broken.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn reset(&self) -> io::Result<()> {
        self.enter()?;
        if self.get(COUNT) > 0 {
            self.break_it();
        }
        self.set(STATE, FILLING);
        self.lock.release();
        Ok(())
    }

    /// Whether it is broken.
    pub fn is_broken(&self) -> bool {
        self.get(STATE) == BROKEN
    }

    /// How many wait.
    pub fn waiting(&self) -> u32 {
        self.get(COUNT)
    }

    /// How many are to come.
    pub fn parties(&self) -> u32 {
        self.get(PARTIES)
    }
}

/// Breaks the barrier if the last one's action does not come back.
struct Last<'a>(&'a Barrier);

impl Drop for Last<'_> {
    fn drop(&mut self) {
        self.0.break_it();
        self.0.lock.release();
    }
}
