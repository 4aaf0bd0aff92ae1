//! Two ends, and a queue each way between them; who has an end, so that the other learns when it is gone.
//!
//! | offset | what |
//! |---|---|
//! | 0, 4096 | the queues: what end 0 sends, what end 1 sends |
//! | 8192 + 2048 e | holders of end e |
//! | 12288.. | the rings of the first queue, and from the middle on those of the second |
//!
//! | offset in holders | word |
//! |---|---|
//! | 0 | lock: held to change anything else |
//! | 4 | entries that were ever used |
//! | 16 + 20 i | entry i: a token |
//! | 20 + 20 i | how many handles it has |
//! | 24 + 20 i | how many it has sent |
//! | 28 + 20 i | of those, how many have arrived |
//! | 32 + 20 i | of those, how many are over: they have arrived, or never will |
//!
//! An end is gone when no process that lives has a handle of it, or has sent one that is on its way: who sends
//! a handle holds the end for the receiver, until that one does, or the sender knows that it never will: its
//! task is over, its process has ended. Of what is sent the larger of the last two counts is not on its way any
//! more; where some have been lost and others have arrived whose task goes on, the end is held until that is
//! over, too.
//!
//! | a process ends after | what follows |
//! |---|---|
//! | it noted a handle that it made or got | the entry of a dead one counts for nothing |
//! | it noted a handle that it got, and not that it arrived | the end is held until the sender knows |
//! | it noted that it let go of one, and woke nobody | who waits looks again with the next tick |

#[cfg(all(test, not(loom)))]
mod tests;

use crate::primitive::Ordering;
use crate::queue::{Got, Put, QUEUE_BYTES, Queue};
use crate::roster::{Roster, Token};
use crate::segment::Segment;
use crate::sync::{Lock, Locked};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

const HOLDERS: usize = 2 * QUEUE_BYTES;
const HOLDERS_BYTES: usize = 2048;
/// Longest wait for the lock, which is held for a few stores, by who has others waiting.
const PATIENCE: Duration = Duration::from_millis(20);
const RINGS: usize = HOLDERS + 2 * HOLDERS_BYTES;
const USED: usize = 4;
const ENTRIES: usize = 16;
const ENTRY_BYTES: usize = 20;
/// Words of an entry behind its token.
const HANDLES: usize = 4;
const SENT: usize = 8;
const ARRIVED: usize = 12;
const OVER: usize = 16;
/// Most processes that have one end.
const ENTRIES_MAX: usize = (HOLDERS_BYTES - ENTRIES) / ENTRY_BYTES;

/// One end of a pipe in a shared object. It counts for nothing until it is [held](Holders::hold).
#[derive(Debug, Clone)]
pub struct End {
    out: Queue,
    into: Queue,
    own: Holders,
    other: Holders,
}

/// Who has an end.
#[derive(Debug, Clone)]
pub struct Holders {
    lock: Lock,
}

impl End {
    /// An end, 0 or 1, of the pipe that has so many bytes from this offset on.
    pub fn new(roster: &Arc<Roster>, at: usize, bytes: usize, end: usize) -> Self {
        let rings_bytes = bytes.saturating_sub(RINGS) / 2 / 4096 * 4096;
        let queue = |number: usize| {
            let rings_at = at + RINGS + number * rings_bytes;
            let rings = rings_at..rings_at + rings_bytes;
            Queue::with_rings(roster.clone(), at + number * QUEUE_BYTES, rings)
        };
        let holders = |number: usize| {
            let at = at + HOLDERS + number * HOLDERS_BYTES;
            Holders { lock: Lock::new(roster.clone(), at) }
        };
        let other = 1 - end;
        Self { out: queue(end), into: queue(other), own: holders(end), other: holders(other) }
    }

    /// Whether so many bytes are enough for a pipe at this offset.
    pub fn fits(segment: &Segment, at: usize, bytes: usize) -> bool {
        let rings_at = at.saturating_add(RINGS);
        let half = bytes.saturating_sub(RINGS) / 2 / 4096 * 4096;
        bytes <= segment.bytes().saturating_sub(at)
            && Queue::fits_rings(&(rings_at..rings_at + half))
    }

    /// Who has this end.
    pub fn holders(&self) -> &Holders {
        &self.own
    }

    /// Lets go of a handle, and wakes the other end's waiters if it was the last.
    pub fn let_go(&self) {
        self.own.let_go();
        self.wake_if_gone();
    }

    /// Notes that a handle which this process has sent has arrived, or never will, and wakes the other end's
    /// waiters if that leaves nobody.
    pub fn note_over(&self) {
        self.own.note_over();
        self.wake_if_gone();
    }

    fn wake_if_gone(&self) {
        if self.own.are_gone() {
            self.out.wake_all();
            self.into.wake_all();
        }
    }

    /// Sends an item; [`Put::Closed`] if the other end is gone.
    ///
    /// # Errors
    /// When this process cannot take part.
    pub fn send(&self, item: &[u8], timeout: Option<Duration>) -> io::Result<Put> {
        if self.other.are_gone() {
            return Ok(Put::Closed);
        }
        self.out.put_unless(item, timeout, || self.other.watch())
    }

    /// Takes the first item that was sent; [`Got::Closed`] if there is none and the other end is gone.
    ///
    /// # Errors
    /// As [`Queue::get`].
    pub fn recv(&self, item: &mut Vec<u8>, timeout: Option<Duration>) -> io::Result<Got> {
        self.into.get_unless(Some(item), timeout, || self.other.watch())
    }

    /// As [`recv`](Self::recv), and leaves the item where it is.
    ///
    /// # Errors
    /// When this process cannot take part.
    pub fn poll(&self, timeout: Option<Duration>) -> io::Result<Got> {
        self.into.get_unless(None, timeout, || self.other.watch())
    }
}

impl Locked for Holders {
    fn lock(&self) -> &Lock {
        &self.lock
    }
}

impl Holders {
    /// Entries that stand for something: offset, and token.
    fn entries(&self) -> impl Iterator<Item = (usize, Token)> + '_ {
        let used = self.word(USED).load(Ordering::Acquire) as usize;
        let at = (0..used.min(ENTRIES_MAX)).map(|index| ENTRIES + index * ENTRY_BYTES);
        at.filter_map(|at| Some((at, Token::from_word(self.get(at)).filter(|_| self.stands(at))?)))
    }

    /// Whether an entry stands for something.
    fn stands(&self, at: usize) -> bool {
        let come = self.get(at + ARRIVED).max(self.get(at + OVER));
        self.get(at + HANDLES) > 0 || self.get(at + SENT) > come
    }

    /// The entry of a process, whether it stands for something or not.
    fn known(&self, token: Token) -> Option<usize> {
        let used = (self.get(USED) as usize).min(ENTRIES_MAX);
        let mut at = (0..used).map(|index| ENTRIES + index * ENTRY_BYTES);
        at.find(|at| Token::from_word(self.get(*at)) == Some(token))
    }

    /// This process's entry, or a free one that is its own from now on. The lock is held.
    fn own_entry(&self, own: Token) -> io::Result<usize> {
        if let Some(at) = self.known(own) {
            return Ok(at);
        }
        let is_free = |at: &usize| {
            // What is over may still be told of.
            let is_busy = self.stands(*at) || self.get(at + SENT) > self.get(at + OVER);
            !is_busy || Token::from_word(self.get(*at)).is_none_or(|it| !self.roster().is_alive(it))
        };
        let at = (0..ENTRIES_MAX).map(|index| ENTRIES + index * ENTRY_BYTES).find(is_free);
        let at = at.ok_or_else(|| {
            let what = format!("more than {ENTRIES_MAX} processes have one end of a pipe");
            io::Error::new(io::ErrorKind::QuotaExceeded, what)
        })?;
        for offset in [HANDLES, SENT, ARRIVED, OVER] {
            self.set(at + offset, 0);
        }
        self.set(at, own.word());
        let used = (at - ENTRIES) / ENTRY_BYTES + 1;
        let used = self.get(USED).max(used as u32);
        self.word(USED).store(used, Ordering::Release);
        Ok(at)
    }

    fn locked<R>(&self, change: impl FnOnce(Token) -> io::Result<R>) -> io::Result<R> {
        self.locked_within(None, change)
    }

    fn locked_within<R>(
        &self,
        patience: Option<Duration>,
        change: impl FnOnce(Token) -> io::Result<R>,
    ) -> io::Result<R> {
        let own = self.roster().token()?;
        // One that died with it has left words of its own that count for nothing.
        let how = self.lock.acquire(patience)?;
        if how.is_none() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let changed = change(own);
        self.lock.release();
        changed
    }

    fn add(&self, at: usize, count: i32) {
        self.set(at, self.get(at).saturating_add_signed(count));
    }

    /// Notes another handle of this process's.
    ///
    /// # Errors
    /// When this process cannot take part, or too many do.
    pub fn hold(&self) -> io::Result<()> {
        self.locked(|own| {
            self.add(self.own_entry(own)? + HANDLES, 1);
            Ok(())
        })
    }

    /// Notes a handle that this process sends; the word names the sender.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub fn note_sent(&self) -> io::Result<u32> {
        self.locked(|own| {
            let at = self.own_entry(own)?;
            if self.get(at + SENT) == self.get(at + OVER) {
                // All before it are over: the counts begin anew.
                for offset in [SENT, ARRIVED, OVER] {
                    self.set(at + offset, 0);
                }
            }
            self.add(at + SENT, 1);
            Ok(own.word())
        })
    }

    /// Notes that a handle which this process has sent has arrived, or never will.
    fn note_over(&self) {
        // Fails in a copy of the process that sent it; and where whoever has the lock is stopped, for a pool
        // waits meanwhile: the end is held longer then.
        let _ = self.locked_within(Some(PATIENCE), |own| {
            if let Some(at) = self.known(own) {
                self.add(at + OVER, 1);
            }
            Ok(())
        });
    }

    /// Notes a handle that this process got from the one of this word.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub fn note_arrived(&self, sender: u32) -> io::Result<()> {
        self.locked(|own| {
            self.add(self.own_entry(own)? + HANDLES, 1);
            if let Some(at) = Token::from_word(sender).and_then(|sender| self.known(sender)) {
                self.add(at + ARRIVED, 1);
            }
            Ok(())
        })
    }

    fn let_go(&self) {
        // Fails only where it was never held here: in a copy of the process that held it.
        let _ = self.locked(|own| {
            if let Some(at) = self.known(own) {
                self.add(at + HANDLES, -1);
            }
            Ok(())
        });
    }

    /// Whether nobody who lives has the end.
    pub fn are_gone(&self) -> bool {
        self.entries().all(|(_, token)| !self.roster().is_alive(token))
    }

    /// Whose ends are to be minded by who waits for them; a break if all have come.
    fn watch(&self) -> ControlFlow<(), Vec<Token>> {
        let living = self.entries().map(|(_, token)| token);
        let living: Vec<_> = living.filter(|token| self.roster().is_alive(*token)).collect();
        if living.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(living) }
    }
}
