//! A lock that survives whoever holds it.
//!
//! One word:
//!
//! | bits | meaning |
//! |---|---|
//! | 0..31 | token of the holder; 0 nobody |
//! | 31 | somebody may sleep on the word |
//!
//! Who finds it free swaps its token in; who finds a holder sets the last bit and sleeps on the word and on
//! the holder's mark of life at once. A release swaps in 0, and wakes one sleeper if the last bit was set.
//! A sleeper that gets the lock sets the last bit again, for there may be others.
//!
//! | a process ends after | what follows |
//! |---|---|
//! | it swapped its token in | its mark changes: whoever wants the lock takes it over, and is told |
//! | it set the last bit | a release makes a system call in vain |
//! | it swapped 0 in, and woke nobody | sleepers mind its mark, and look again |
//! | it was woken, before it got the lock | the others look again with the next tick |
//!
//! ORDER(lock): a release of the word by whoever lets go, an acquire by whoever gets it; what is protected
//! may be relaxed. Taking over from a dead holder acquires its last release, if any; what it stored since is
//! in memory when the system has changed its mark.

#[cfg(test)]
mod tests;

use crate::primitive::{AtomicU32, Ordering, spin_hint};
use crate::roster::{Roster, Token};
#[cfg(not(loom))]
use procession_os::life;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Bytes that a lock takes, which begin as zeros.
pub const LOCK_BYTES: usize = 4;

const SLEEPERS: u32 = 1 << 31;

/// Looks at a lock that is held, before it is worth to sleep: critical sections are short.
#[cfg(not(loom))]
const SPINS: u32 = 100;
#[cfg(loom)]
const SPINS: u32 = 0;

/// How a lock was got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Acquired {
    /// From nobody, or from one that has let go of it.
    Clean,
    /// From one that died with it: what it protects may be half changed.
    Inherited,
}

/// A lock in a shared object.
#[derive(Debug, Clone)]
pub struct Lock {
    roster: Arc<Roster>,
    at: usize,
}

impl Lock {
    /// The lock at this offset.
    pub fn new(roster: Arc<Roster>, at: usize) -> Self {
        Self { roster, at }
    }

    /// The roster of those who may hold it.
    pub fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// Where it is.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    fn word(&self) -> &AtomicU32 {
        self.roster.segment().word32(self.at)
    }

    /// Gets the lock if nobody living has it.
    ///
    /// # Errors
    /// When this process gets no seat in the object.
    #[inline]
    pub fn try_acquire(&self) -> io::Result<Option<Acquired>> {
        let own = self.roster.token()?;
        Ok(if self.is_got_at_once(own) { Some(Acquired::Clean) } else { self.try_inherit(own) })
    }

    #[inline]
    fn is_got_at_once(&self, own: Token) -> bool {
        // ORDER(lock): acquires what the last holder released.
        self.word().compare_exchange(0, own.word(), Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn try_inherit(&self, own: Token) -> Option<Acquired> {
        let seen = self.word().load(Ordering::Relaxed);
        let holder = Token::from_word(seen)?;
        if self.roster.is_alive(holder) { None } else { self.inherit(seen, own) }
    }

    /// Takes the lock over from one that is dead; `None` if somebody else did.
    fn inherit(&self, seen: u32, own: Token) -> Option<Acquired> {
        // Its other threads have stopped by then.
        #[cfg(not(loom))]
        std::thread::sleep(life::SETTLING);
        let new = own.word() | SLEEPERS;
        // ORDER(lock): acquires.
        let taken = self.word().compare_exchange(seen, new, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok().then_some(Acquired::Inherited)
    }

    /// Gets the lock, waiting for it: until its holder lets go of it or dies, or `timeout` has passed;
    /// then there is none.
    ///
    /// # Errors
    /// As [`try_acquire`](Self::try_acquire).
    #[inline]
    pub fn acquire(&self, timeout: Option<Duration>) -> io::Result<Option<Acquired>> {
        let own = self.roster.token()?;
        if self.is_got_at_once(own) {
            return Ok(Some(Acquired::Clean));
        }
        Ok(self.acquire_slowly(own, timeout))
    }

    #[cold]
    fn acquire_slowly(&self, own: Token, timeout: Option<Duration>) -> Option<Acquired> {
        let deadline = super::deadline_after(timeout);
        for _ in 0..SPINS {
            if self.word().load(Ordering::Relaxed) == 0 && self.is_got_at_once(own) {
                return Some(Acquired::Clean);
            }
            spin_hint();
        }
        let mut sleepers = 0;
        loop {
            let seen = self.word().load(Ordering::Relaxed);
            let Some(holder) = Token::from_word(seen) else {
                let new = own.word() | sleepers;
                // ORDER(lock): acquires.
                let taken =
                    self.word().compare_exchange(seen, new, Ordering::Acquire, Ordering::Relaxed);
                if taken.is_ok() {
                    return Some(Acquired::Clean);
                }
                continue;
            };
            if !self.roster.is_alive(holder) {
                if let Some(inherited) = self.inherit(seen, own) {
                    return Some(inherited);
                }
                continue;
            }
            let with = seen | SLEEPERS;
            if seen != with {
                let marked =
                    self.word().compare_exchange(seen, with, Ordering::Relaxed, Ordering::Relaxed);
                if marked.is_err() {
                    continue;
                }
            }
            if !self.roster.sleep(self.at, with, &[holder], deadline) {
                return None;
            }
            sleepers = SLEEPERS;
        }
    }

    /// Lets go of the lock, and wakes one who waits for it. Whoever calls it has the lock, or speaks for
    /// who has. `false` if nobody had it.
    #[inline]
    pub fn release(&self) -> bool {
        // ORDER(lock): releases what was done under it.
        let before = self.word().swap(0, Ordering::Release);
        if before & SLEEPERS != 0 {
            self.roster.segment().wake_one(self.at);
        }
        before & !SLEEPERS != 0
    }

    /// Whether this process has the lock.
    pub fn is_own(&self) -> bool {
        let holder = Token::from_word(self.word().load(Ordering::Relaxed));
        holder.is_some() && holder == self.roster.token().ok()
    }

    /// Whether somebody living has the lock.
    pub fn is_held(&self) -> bool {
        let holder = Token::from_word(self.word().load(Ordering::Relaxed));
        holder.is_some_and(|holder| self.roster.is_alive(holder))
    }
}
