//! Who takes part in a shared object, and whether they still live.
//!
//! Locks, queues and the like lie in memory that several processes write, and any of them may be killed at
//! any instruction. Each one that uses the object takes a *seat* in it, and what it holds it holds in the
//! name of its *token*: the seat, and how many had that seat before. The seat's [mark of
//! life](procession_os::life) is the system's to change when the process ends; so a lock that names a token
//! tells whoever wants it whether there is anybody to wait for.
//!
//! | offset | what |
//! |---|---|
//! | 8 s | mark of seat s, from 1 |
//! | 8 s + 4 | generation: how many have taken the seat; written by who is taking it |
//!
//! | bits of a token | meaning |
//! |---|---|
//! | 0..10 | seat, never 0 |
//! | 10..31 | generation, modulo 2^21 |
//!
//! | a process ends after | others see |
//! |---|---|
//! | it took the mark | nobody in the seat (it was not announced) |
//! | it counted the generation | nobody in the seat; the old tokens are of the past either way |
//! | it announced the mark | its token alive, until the system changes the mark |
//!
//! A token of the past comes alive again when its seat was taken 2^21 times since, with something still
//! held in its name; that is taken not to happen.

#[cfg(all(test, loom))]
mod models;
#[cfg(test)]
pub(crate) mod tests;

use crate::segment::Segment;
use procession_os::life;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(not(loom))]
use crate::primitive::AtomicU64;
use crate::primitive::Ordering;
#[cfg(not(loom))]
use parking_lot::Mutex;
use std::io;

/// Bytes at the start of a segment that belong to the roster.
pub const ROSTER_BYTES: usize = life::MARKS * life::MARK_BYTES;

/// Most processes that can take part at a time.
pub const SEATS: usize = life::MARKS - 1;

/// Longest sleep without another look. A wake-up can die with the one who was to pass it on, or with the
/// one it was for; what it would have told is found then.
pub const TICK: Duration = Duration::from_millis(250);

const SEAT_BITS: u32 = 10;
const GENERATIONS: u32 = 1 << 21;

/// A process's part in a shared object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token(u32);

impl Token {
    /// The token that a word names, of which the last 31 bits are looked at; `None` if it names nobody.
    pub fn from_word(word: u32) -> Option<Self> {
        let word = word & (u32::MAX >> 1);
        (word != 0).then_some(Self(word))
    }

    /// For a word, of which it leaves the first bit free.
    pub fn word(self) -> u32 {
        self.0
    }

    fn new(seat: usize, generation: u32) -> Self {
        Self(seat as u32 | (generation % GENERATIONS) << SEAT_BITS)
    }

    fn mark_at(self) -> usize {
        (self.0 as usize % life::MARKS) * life::MARK_BYTES
    }

    fn generation(self) -> u32 {
        self.0 >> SEAT_BITS
    }
}

/// This process's view of who takes part.
#[derive(Debug)]
pub struct Roster {
    segment: Arc<Segment>,
    /// The epoch in which this process took its seat, and its token.
    #[cfg(not(loom))]
    own: AtomicU64,
    #[cfg(not(loom))]
    joining: Mutex<()>,
    #[cfg(loom)]
    own: Token,
}

impl Roster {
    /// The roster in this segment, which was mapped with marks.
    #[cfg(not(loom))]
    pub fn new(segment: Arc<Segment>) -> Self {
        Self { segment, own: AtomicU64::new(0), joining: Mutex::new(()) }
    }

    /// The segment.
    pub fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// This process's token. It takes a seat for it when it has none in this [epoch](life::epoch).
    ///
    /// # Errors
    /// When all seats are taken, or the system cannot look after one.
    #[cfg(not(loom))]
    #[inline]
    pub fn token(&self) -> io::Result<Token> {
        // ORDER(seat): with the store in `join`; whoever gets the token sees the seat taken.
        let own = self.own.load(Ordering::Acquire);
        if (own >> 32) as u32 == life::epoch() { Ok(Token(own as u32)) } else { self.join() }
    }

    #[cfg(not(loom))]
    #[cold]
    fn join(&self) -> io::Result<Token> {
        let _joining = self.joining.lock();
        let own = self.own.load(Ordering::Acquire);
        if (own >> 32) as u32 == life::epoch() {
            return Ok(Token(own as u32));
        }
        for seat in 1..=SEATS {
            let Some(token) = take_seat(&self.segment, seat)? else { continue };
            // ORDER(seat): with the load in `token`.
            self.own.store(u64::from(life::epoch()) << 32 | u64::from(token.0), Ordering::Release);
            return Ok(token);
        }
        Err(io::Error::new(
            io::ErrorKind::QuotaExceeded,
            format!("more than {SEATS} processes use this shared object"),
        ))
    }

    /// A process of a model, which has its seat.
    #[cfg(loom)]
    pub fn model(segment: Arc<Segment>, seat: usize) -> Self {
        segment.word32(seat * life::MARK_BYTES).store(seat as u32, Ordering::Relaxed);
        Self { segment, own: Token::new(seat, 0) }
    }

    /// This process's token.
    #[cfg(loom)]
    pub fn token(&self) -> io::Result<Token> {
        Ok(self.own)
    }

    /// Whether the process with this token lives.
    pub fn is_alive(&self, token: Token) -> bool {
        // ORDER(announce): a mark that is seen alive shows the generation that was counted before.
        let mark = self.segment.word32(token.mark_at()).load(Ordering::Acquire);
        let generation = self.segment.word32(token.mark_at() + 4).load(Ordering::Relaxed);
        life::is_alive(mark) && generation % GENERATIONS == token.generation()
    }

    /// Sleeps while the word at `word_at` is `seen`, until one of the `holders` ends, the deadline has
    /// come, or a [`TICK`] has passed; and may wake early. `false` if the deadline has come.
    pub fn sleep(
        &self,
        word_at: usize,
        seen: u32,
        holders: &[Token],
        deadline: Option<Instant>,
    ) -> bool {
        let mut timeout = TICK;
        if let Some(deadline) = deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            timeout = timeout.min(left);
        }
        let mut words = [(0, 0); HOLDERS_MAX + 1];
        words[0] = (word_at, seen);
        let mut count = 1;
        for holder in holders.iter().take(HOLDERS_MAX) {
            let mark = self.segment.prepare_to_sleep(holder.mark_at());
            if !self.is_alive(*holder) {
                return true;
            }
            words[count] = (holder.mark_at(), mark);
            count += 1;
        }
        self.segment.wait_any(&words[..count], Some(timeout));
        true
    }
}

/// Takes a seat, if it is nobody's.
#[cfg(any(test, not(loom)))]
fn take_seat(segment: &Segment, seat: usize) -> io::Result<Option<Token>> {
    let mark_at = seat * life::MARK_BYTES;
    let mark = segment.word32(mark_at).load(Ordering::Relaxed);
    if !life::is_free(mark) || !segment.take_mark(seat)? {
        return Ok(None);
    }
    let generation = segment.word32(mark_at + 4);
    let taken = generation.load(Ordering::Relaxed).wrapping_add(1);
    // ORDER(announce): released by the announcement.
    generation.store(taken, Ordering::Relaxed);
    segment.announce_mark(seat);
    Ok(Some(Token::new(seat, taken)))
}

/// Most holders whose ends one sleep minds at once; those of others are noticed with the next [`TICK`].
const HOLDERS_MAX: usize = 31;

#[cfg(not(loom))]
impl Drop for Roster {
    fn drop(&mut self) {
        let own = *self.own.get_mut();
        if (own >> 32) as u32 == life::epoch() {
            self.segment.leave_mark(Token(own as u32).0 as usize % life::MARKS);
        }
    }
}
