//! Who has taken items and not said yet that they are done.
//!
//! | offset | word |
//! |---|---|
//! | 148 | 1 if this is kept account of |
//! | 152 | done bell: moves when a process says that it is done |
//! | 160 | dones: items that are done |
//! | 1024 + 8 i | entry i: a token |
//! | 1028 + 8 i | how many items it has taken and not done |
//!
//! All of it is written with the get lock held, in which an item is taken, too. So to whoever has the lock,
//! what was taken and is neither done nor in the name of one that lives is lost with one that died.
//!
//! | a process ends after | what follows |
//! |---|---|
//! | it took an item, and not its entry | what it took is lost, and who joins is told |
//! | it counted `dones`, and not its entry | it was done; the entry of a dead one counts for nothing |
//! | it did both, and woke nobody | who joins looks again with the next tick |

use super::{CAPACITY, GOTS, Queue, SLEEPERS};
use crate::primitive::Ordering;
use crate::roster::Token;
use crate::sync::deadline_after;
use std::io;
use std::time::Duration;

const COUNTS: usize = 148;
const DONE_BELL: usize = 152;
const DONES: usize = 160;
const ENTRIES: usize = 1024;
const ENTRY_BYTES: usize = 8;
/// Most processes that have taken items and not done them.
const ENTRIES_MAX: usize = 320;

const _: () = assert!(ENTRIES + ENTRIES_MAX * ENTRY_BYTES <= super::QUEUE_BYTES);
const _: () = assert!(COUNTS > CAPACITY && DONES + 8 <= super::ENDS);

/// What became of a wait until everything is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Joined {
    /// Everything was.
    Done,
    /// So many items were lost with those who had taken them; everything else was.
    Lost(u64),
    /// Not in time.
    TimedOut,
}

impl Queue {
    /// Says that account is kept of who has taken what, before anybody else knows of the queue.
    pub fn begin_to_count(&self) {
        self.word32(COUNTS).store(1, Ordering::Relaxed);
    }

    fn entries(&self) -> impl Iterator<Item = (usize, Option<Token>, u32)> + '_ {
        (0..ENTRIES_MAX).map(|index| {
            let at = ENTRIES + index * ENTRY_BYTES;
            let count = self.word32(at + 4).load(Ordering::Relaxed);
            let token = Token::from_word(self.word32(at).load(Ordering::Relaxed));
            (at, token.filter(|_| count > 0), count)
        })
    }

    /// A place for another item of this process's, if account is kept. The get lock is held.
    pub(super) fn find_entry(&self) -> io::Result<Option<usize>> {
        if self.word32(COUNTS).load(Ordering::Relaxed) == 0 {
            return Ok(None);
        }
        let own = self.roster().token()?;
        let mut free = None;
        for (at, token, _) in self.entries() {
            match token {
                Some(token) if token == own => return Ok(Some(at)),
                Some(token) if self.roster().is_alive(token) => {}
                _ => free = free.or(Some(at)),
            }
        }
        free.map(Some).ok_or_else(|| {
            let what = format!("more than {ENTRIES_MAX} processes have items that are not done");
            io::Error::new(io::ErrorKind::QuotaExceeded, what)
        })
    }

    /// Notes an item that was taken, in the entry that was found. The get lock is held.
    pub(super) fn note_taken(&self, entry: Option<usize>) -> io::Result<()> {
        let Some(at) = entry else { return Ok(()) };
        let own = self.roster().token()?.word();
        let is_own = self.word32(at).load(Ordering::Relaxed) == own;
        let count = if is_own { self.word32(at + 4).load(Ordering::Relaxed) } else { 0 };
        self.word32(at + 4).store(count.saturating_add(1), Ordering::Relaxed);
        self.word32(at).store(own, Ordering::Relaxed);
        Ok(())
    }

    fn undone(&self) -> u64 {
        let dones = self.load(DONES, Ordering::Relaxed);
        self.load(GOTS, Ordering::Relaxed).saturating_sub(dones)
    }

    /// Says that an item which was taken, here or anywhere, is done; `false` if none is left to be done.
    ///
    /// # Errors
    /// When this process cannot take part.
    pub fn task_done(&self) -> io::Result<bool> {
        let own = self.roster().token()?;
        self.enter_get(None)?;
        if self.undone() == 0 {
            self.get_lock.release();
            return Ok(false);
        }
        let dones = self.load(DONES, Ordering::Relaxed);
        self.word64(DONES).store(dones.wrapping_add(1), Ordering::Relaxed);
        // Its own, or one that was handed over to it.
        let living = |token: Token| self.roster().is_alive(token);
        let entry = self
            .entries()
            .find(|(_, token, _)| *token == Some(own))
            .or_else(|| self.entries().find(|(_, token, _)| token.is_some_and(living)));
        if let Some((at, _, count)) = entry {
            self.word32(at + 4).store(count.saturating_sub(1), Ordering::Relaxed);
        }
        let has_sleepers = self.move_bell(DONE_BELL);
        self.get_lock.release();
        if has_sleepers {
            self.segment().wake(self.at + DONE_BELL);
        }
        Ok(true)
    }

    /// Waits until every item that was put was taken and is done.
    ///
    /// # Errors
    /// When this process cannot take part.
    pub fn join(&self, timeout: Option<Duration>) -> io::Result<Joined> {
        let deadline = deadline_after(timeout);
        loop {
            let seen = self.word32(DONE_BELL).load(Ordering::Acquire);
            self.enter_get(None)?;
            let holders: Vec<_> = self
                .entries()
                .filter_map(|(_, token, _)| token.filter(|token| self.roster().is_alive(*token)))
                .collect();
            let is_done = self.is_empty() && holders.is_empty();
            let lost = if is_done { self.undone() } else { 0 };
            if lost > 0 {
                // They are told of once.
                let dones = self.load(DONES, Ordering::Relaxed);
                self.word64(DONES).store(dones.wrapping_add(lost), Ordering::Relaxed);
            }
            self.get_lock.release();
            if is_done {
                return Ok(if lost > 0 { Joined::Lost(lost) } else { Joined::Done });
            }
            let (word, with) = (self.word32(DONE_BELL), seen | SLEEPERS);
            if seen != with
                && word.compare_exchange(seen, with, Ordering::AcqRel, Ordering::Relaxed).is_err()
            {
                continue;
            }
            if !self.roster().sleep(self.at + DONE_BELL, with, &holders, deadline) {
                return Ok(Joined::TimedOut);
            }
        }
    }
}
