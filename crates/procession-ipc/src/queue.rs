//! A queue that many processes put items into and take items from.
//!
//! Items lie in *rings*, each twice as large as the one before. Who puts goes on to a larger ring when the
//! one it writes is full, and to the first again when everything is taken; who takes follows. Memory that
//! is not used takes none, so there is room for many more items than the machine has memory. Who puts holds
//! one lock, who takes another: the two sides meet in nothing but two positions.
//!
//! | offset | word | written by |
//! |---|---|---|
//! | 0 | put lock | |
//! | 4 | put bell: moves with every put; takers sleep on it | who puts; takers set bit 0 |
//! | 8 | tail: behind the last item | who puts |
//! | 16 | puts: items that were put | who puts |
//! | 24, 32 | what tail and puts are about to be | who puts |
//! | 40 | a head that was seen | who puts |
//! | 64 | get lock | |
//! | 68 | get bell: moves with every take; those who want room sleep on it | who takes; those set bit 0 |
//! | 72 | head: the first item | who takes |
//! | 80 | gots: items that were taken | who takes |
//! | 88, 96 | what head and gots are about to be | who takes |
//! | 128 | most items that may lie in it; 0 is any number | who made it |
//! | 136 | closed | who closes, with both locks |
//! | 148, 152, 160, 1024.. | who has taken items and not done them: see `tasks` | who has the get lock |
//! | 192 + 8 k | the end of ring k: the next ring, and where this one ends | who puts |
//!
//! | bits of a bell | meaning |
//! |---|---|
//! | 0 | somebody may sleep on it: set before it sleeps; whoever moves the bell clears it, and wakes one |
//! | 1..32 | how often it has moved |
//!
//! | bits of a position | meaning |
//! |---|---|
//! | 56..64 | ring |
//! | 0..56 | bytes from the ring's first use since it was last left; modulo its size, the place |
//!
//! A ring that the head is in is entered by nobody; so a position of a ring means one place, and the ends
//! of those between head and tail stand.
//!
//! | who puts ends after | what follows |
//! |---|---|
//! | it wrote some of an item, or the end of its ring | nothing was put; the next writes over it |
//! | it stored the tail | the item is there; the next that puts corrects `puts` by what it was about to be |
//! | it stored `puts`, and not the bell, or woke nobody | takers look again with the next tick |
//!
//! | who takes ends after | what follows |
//! |---|---|
//! | it copied the item | it is taken by another |
//! | it gave the pages of a ring that it left back | the next gives them back once more |
//! | it stored the head | it had the item; the next that takes corrects `gots` |
//! | it stored `gots`, and not the bell, or woke nobody | who wants room looks again with the next tick |
//!
//! ORDER(queue-tail): the tail releases the items before it, and the ends of rings.
//! ORDER(queue-head): the head releases the places before it.
//! ORDER(queue-bell): a bell moves by a swap after what it tells of was stored, and a sleeper sets its bit
//! by a compare-exchange with what it saw before it looked: so one of the two sees the other.

mod rings;
mod tasks;
#[cfg(test)]
mod tests;

use crate::primitive::{AtomicU32, AtomicU64, Ordering};
use crate::roster::{Roster, Token};
use crate::segment::Segment;
#[cfg(not(loom))]
use crate::spin::Spin;
use crate::sync::{Acquired, Lock, deadline_after};
use rings::{Position, Rings};
#[cfg(not(loom))]
use std::cell::Cell;
use std::fmt;
use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::{Duration, Instant};
pub use tasks::Joined;

const PUT_BELL: usize = 4;
const TAIL: usize = 8;
const PUTS: usize = 16;
const NEXT_TAIL: usize = 24;
const NEXT_PUTS: usize = 32;
const HEAD_SEEN: usize = 40;
const GET_LOCK: usize = 64;
const GET_BELL: usize = 68;
const HEAD: usize = 72;
const GOTS: usize = 80;
const NEXT_HEAD: usize = 88;
const NEXT_GOTS: usize = 96;
const CAPACITY: usize = 128;
const CLOSED: usize = 136;
const ENDS: usize = 192;

/// Bytes before the first ring, which begin as zeros.
pub const QUEUE_BYTES: usize = 4096;

/// Somebody may sleep on the bell.
const SLEEPERS: u32 = 1;

/// A header before each item: how many bytes it has.
const HEADER_BYTES: usize = 8;
/// In place of a length: the next item is at the ring's start.
const SKIP: u64 = u64::MAX;

/// Locks here are held for one copy. Who has no time to wait for items or room has so much for a lock.
const LOCK_PATIENCE: Duration = Duration::from_millis(20);

/// A queue in a shared object.
#[derive(Debug, Clone)]
pub struct Queue {
    put_lock: Lock,
    get_lock: Lock,
    rings: Rings,
    at: usize,
}

/// What became of an item that was to be put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// It is in the queue.
    Done,
    /// There was no room for it in time.
    Full,
    /// The queue is closed.
    Closed,
    /// It is larger than the largest ring: of so many bytes.
    TooLarge(usize),
}

/// What came of a wait for an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Got {
    /// It was taken.
    Item,
    /// None came in time.
    Empty,
    /// The queue is closed, and none is left.
    Closed,
}

/// What lies in the queue makes no sense: another process has written over it. All of it was thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruined;

impl fmt::Display for Ruined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a process has written over the queue; what was in it is lost")
    }
}

impl std::error::Error for Ruined {}

#[cfg(not(loom))]
thread_local! {
    /// Whether it pays for this thread to spin before it sleeps.
    static SPIN: Cell<Spin> = Cell::new(Spin::new());
}

impl Queue {
    /// The queue at this offset, whose rings fill the rest of the segment.
    pub fn new(roster: Arc<Roster>, at: usize) -> Self {
        let rings = at + QUEUE_BYTES..roster.segment().bytes();
        Self::with_rings(roster, at, rings)
    }

    /// The queue at this offset, whose rings lie there.
    pub fn with_rings(roster: Arc<Roster>, at: usize, rings: Range<usize>) -> Self {
        let rings = Rings::new(&rings);
        let get_lock = Lock::new(roster.clone(), at + GET_LOCK);
        Self { put_lock: Lock::new(roster, at), get_lock, rings, at }
    }

    /// Whether a segment has room for a queue at this offset.
    pub fn fits(segment: &Segment, at: usize) -> bool {
        let rings_at = at.checked_add(QUEUE_BYTES);
        rings_at.is_some_and(|rings_at| Rings::fit(&(rings_at..segment.bytes())))
    }

    /// Whether rings can lie there.
    pub fn fits_rings(rings: &Range<usize>) -> bool {
        Rings::fit(rings)
    }

    /// Says how many items may lie in a new one, before anybody else knows of it; 0 is any number.
    pub fn begin(&self, capacity: u64) {
        self.word64(CAPACITY).store(capacity, Ordering::Relaxed);
    }

    fn roster(&self) -> &Arc<Roster> {
        self.put_lock.roster()
    }

    fn segment(&self) -> &Segment {
        self.roster().segment()
    }

    fn word32(&self, offset: usize) -> &AtomicU32 {
        self.segment().word32(self.at + offset)
    }

    fn word64(&self, offset: usize) -> &AtomicU64 {
        self.segment().word64(self.at + offset)
    }

    fn load(&self, offset: usize, order: Ordering) -> u64 {
        self.word64(offset).load(order)
    }

    fn end_of(&self, ring: usize) -> &AtomicU64 {
        self.word64(ENDS + 8 * ring)
    }

    /// How many items may lie in it; 0 is any number.
    pub fn capacity(&self) -> u64 {
        self.load(CAPACITY, Ordering::Relaxed)
    }

    /// How many items lie in it; another number a moment later.
    pub fn len(&self) -> u64 {
        // Takes first: they are never ahead of the puts.
        let gots = self.load(GOTS, Ordering::Acquire);
        self.load(PUTS, Ordering::Acquire).saturating_sub(gots)
    }

    /// Whether no item lies in it; otherwise a moment later.
    pub fn is_empty(&self) -> bool {
        // ORDER(queue-tail): acquires; of no consequence here.
        self.load(HEAD, Ordering::Acquire) == self.load(TAIL, Ordering::Acquire)
    }

    /// Whether as many items lie in it as may.
    pub fn is_full(&self) -> bool {
        let capacity = self.capacity();
        capacity > 0 && self.len() >= capacity
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.word32(CLOSED).load(Ordering::Acquire) != 0
    }

    /// Closes it: nothing more is put, and who waits for an item when none is left is told.
    ///
    /// # Errors
    /// When this process cannot take part.
    pub fn close(&self) -> io::Result<()> {
        self.enter_put(None)?;
        if let Err(error) = self.enter_get(None) {
            self.put_lock.release();
            return Err(error);
        }
        self.word32(CLOSED).store(1, Ordering::Release);
        let bells = [PUT_BELL, GET_BELL].map(|bell| (bell, self.move_bell(bell)));
        self.get_lock.release();
        self.put_lock.release();
        for (bell, has_sleepers) in bells {
            if has_sleepers {
                self.segment().wake(self.at + bell);
            }
        }
        Ok(())
    }

    /// Has all who wait look again.
    pub(crate) fn wake_all(&self) {
        for bell in [PUT_BELL, GET_BELL] {
            // Without the locks: a move by who has one may be to the same value, and is a move all the same.
            self.word32(bell).fetch_add(SLEEPERS + 1, Ordering::AcqRel);
            self.segment().wake(self.at + bell);
        }
    }

    /// Gets the put lock; `false` if it took too long.
    fn enter_put(&self, deadline: Option<Instant>) -> io::Result<bool> {
        let Some(how) = self.put_lock.acquire(patience(deadline))? else { return Ok(false) };
        if how == Acquired::Inherited
            && self.load(TAIL, Ordering::Relaxed) == self.load(NEXT_TAIL, Ordering::Relaxed)
        {
            let puts = self.load(NEXT_PUTS, Ordering::Relaxed);
            self.word64(PUTS).store(puts, Ordering::Release);
        }
        Ok(true)
    }

    /// Gets the get lock; `false` if it took too long.
    fn enter_get(&self, deadline: Option<Instant>) -> io::Result<bool> {
        let Some(how) = self.get_lock.acquire(patience(deadline))? else { return Ok(false) };
        if how == Acquired::Inherited
            && self.load(HEAD, Ordering::Relaxed) == self.load(NEXT_HEAD, Ordering::Relaxed)
        {
            let gots = self.load(NEXT_GOTS, Ordering::Relaxed);
            self.word64(GOTS).store(gots, Ordering::Release);
        }
        Ok(true)
    }

    /// Puts an item, waiting for room: at most `timeout`.
    ///
    /// # Errors
    /// When this process cannot take part.
    pub fn put(&self, item: &[u8], timeout: Option<Duration>) -> io::Result<Put> {
        self.put_unless(item, timeout, || ControlFlow::Continue(Vec::new()))
    }

    /// As [`put`](Self::put). Before it sleeps it asks whose ends it is to mind; a break is as if the queue
    /// were closed.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_unless(
        &self,
        item: &[u8],
        timeout: Option<Duration>,
        watch: impl Fn() -> ControlFlow<(), Vec<Token>>,
    ) -> io::Result<Put> {
        let mut deadline = None;
        let mut has_slept = false;
        loop {
            let seen = self.word32(GET_BELL).load(Ordering::Acquire);
            if !self.enter_put(deadline.or_else(|| deadline_after(timeout)))? {
                return Ok(Put::Full);
            }
            let (put, has_sleepers) = self.put_locked(item);
            self.put_lock.release();
            if put != Put::Full {
                if has_sleepers {
                    self.segment().wake_one(self.at + PUT_BELL);
                }
                if has_slept && !self.is_full() {
                    // There may be others, and room for them, and nobody has woken them meanwhile.
                    self.segment().wake_one(self.at + GET_BELL);
                }
                return Ok(put);
            }
            if deadline.is_none() {
                deadline = deadline_after(timeout);
            }
            let ControlFlow::Continue(minded) = watch() else { return Ok(Put::Closed) };
            if !self.sleep(GET_BELL, seen, &minded, deadline) {
                return Ok(Put::Full);
            }
            has_slept = true;
        }
    }

    /// Takes an item into `item`, in place of what was there, waiting for one: at most `timeout`.
    ///
    /// # Errors
    /// When this process cannot take part, or has no memory for the item, which stays; with [`Ruined`].
    pub fn get(&self, item: &mut Vec<u8>, timeout: Option<Duration>) -> io::Result<Got> {
        self.get_unless(Some(item), timeout, || ControlFlow::Continue(Vec::new()))
    }

    /// As [`get`](Self::get), or without taking it where there is no place for it. Before it sleeps it asks
    /// whose ends it is to mind; a break is as if the queue were closed.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_unless(
        &self,
        mut item: Option<&mut Vec<u8>>,
        timeout: Option<Duration>,
        watch: impl Fn() -> ControlFlow<(), Vec<Token>>,
    ) -> io::Result<Got> {
        let mut deadline = None;
        let mut has_slept = false;
        loop {
            let seen = self.word32(PUT_BELL).load(Ordering::Acquire);
            // Before the look for items: what was put before it was closed is seen.
            let is_closed = self.is_closed();
            if !self.is_empty() {
                let Some(item) = &mut item else {
                    if has_slept {
                        // It is for whoever takes it, who may sleep yet.
                        self.segment().wake_one(self.at + PUT_BELL);
                    }
                    return Ok(Got::Item);
                };
                if !self.enter_get(deadline.or_else(|| deadline_after(timeout)))? {
                    return Ok(Got::Empty);
                }
                let mut has_sleepers = false;
                let got = self.get_locked(item, &mut has_sleepers);
                self.get_lock.release();
                if has_sleepers {
                    self.segment().wake_one(self.at + GET_BELL);
                }
                if got? {
                    if has_slept && !self.is_empty() {
                        self.segment().wake_one(self.at + PUT_BELL);
                    }
                    return Ok(Got::Item);
                }
                // Another was faster.
                continue;
            }
            if is_closed {
                return Ok(Got::Closed);
            }
            if deadline.is_none() {
                deadline = deadline_after(timeout);
            }
            if timeout != Some(Duration::ZERO) && self.spin(seen) {
                continue;
            }
            match watch() {
                ControlFlow::Continue(minded) => {
                    if !self.sleep(PUT_BELL, seen, &minded, deadline) {
                        return Ok(Got::Empty);
                    }
                }
                // What was put before they ended counts.
                ControlFlow::Break(()) if self.is_empty() => return Ok(Got::Closed),
                ControlFlow::Break(()) => {}
            }
            has_slept = true;
        }
    }

    /// Spins until the put bell moves; `false` when it is time to sleep.
    #[cfg(not(loom))]
    fn spin(&self, seen: u32) -> bool {
        let mut spin = SPIN.get();
        let bell = self.word32(PUT_BELL);
        let has_moved = spin.wait(|| (bell.load(Ordering::Relaxed) ^ seen) > SLEEPERS);
        SPIN.set(spin);
        has_moved
    }

    #[cfg(loom)]
    fn spin(&self, _seen: u32) -> bool {
        false
    }

    /// Sleeps while the bell is as it was seen; `false` when the deadline has come.
    fn sleep(&self, bell: usize, seen: u32, minded: &[Token], deadline: Option<Instant>) -> bool {
        let (word, with) = (self.word32(bell), seen | SLEEPERS);
        // ORDER(queue-bell): see `move_bell`.
        if seen != with
            && word.compare_exchange(seen, with, Ordering::AcqRel, Ordering::Relaxed).is_err()
        {
            return true;
        }
        let has_time = self.roster().sleep(self.at + bell, with, minded, deadline);
        // There may be others, of whom the bit spoke, too.
        word.fetch_or(SLEEPERS, Ordering::Relaxed);
        has_time
    }

    /// Moves a bell, whose lock is held; whether one that sleeps on it is to be woken.
    #[must_use]
    fn move_bell(&self, bell: usize) -> bool {
        let word = self.word32(bell);
        let next = (word.load(Ordering::Relaxed) | SLEEPERS).wrapping_add(1);
        // ORDER(queue-bell): releases what was stored before; acquires what the sleeper looked at.
        word.swap(next, Ordering::AcqRel) & SLEEPERS != 0
    }

    /// Puts an item if there is room; and whether one that waits for items is to be woken.
    fn put_locked(&self, item: &[u8]) -> (Put, bool) {
        if self.is_closed() {
            return (Put::Closed, false);
        }
        let needs = (HEADER_BYTES + item.len()).next_multiple_of(HEADER_BYTES);
        if needs > self.rings.bytes_max() {
            return (Put::TooLarge(self.rings.bytes_max() - HEADER_BYTES), false);
        }
        if self.is_full() {
            return (Put::Full, false);
        }
        let tail = Position::from_word(self.load(TAIL, Ordering::Relaxed));
        // Another process may have written anything there.
        let tail = if self.rings.has(tail) { tail } else { Position::default() };
        let Some(place) = self.find_room(tail, needs) else { return (Put::Full, false) };
        let at = self.rings.offset(place);
        self.segment().copy_in(at, &(item.len() as u64).to_le_bytes());
        self.segment().copy_in(at + HEADER_BYTES, item);
        let tail = place.after(needs);
        let puts = self.load(PUTS, Ordering::Relaxed).wrapping_add(1);
        self.word64(NEXT_TAIL).store(tail.word(), Ordering::Relaxed);
        self.word64(NEXT_PUTS).store(puts, Ordering::Relaxed);
        // ORDER(queue-tail): releases the item.
        self.word64(TAIL).store(tail.word(), Ordering::Release);
        self.word64(PUTS).store(puts, Ordering::Release);
        (Put::Done, self.move_bell(PUT_BELL))
    }

    /// A place for so many bytes behind the tail, in its ring or in another.
    fn find_room(&self, tail: Position, needs: usize) -> Option<Position> {
        let mut head = Position::from_word(self.load(HEAD_SEEN, Ordering::Relaxed));
        if tail.ring == 0
            && let Some(place) = self.room_in_ring(tail, head, needs)
        {
            return Some(place);
        }
        // ORDER(queue-head): acquires: what was before it was read.
        head = Position::from_word(self.load(HEAD, Ordering::Acquire));
        self.word64(HEAD_SEEN).store(head.word(), Ordering::Relaxed);
        // Back to the first when nothing is left.
        let is_to_shrink = tail.ring > 0 && head == tail && needs <= self.rings.bytes(0);
        if !is_to_shrink && let Some(place) = self.room_in_ring(tail, head, needs) {
            return Some(place);
        }
        let fits = |ring: &usize| self.rings.bytes(*ring) >= needs && *ring != head.ring;
        let mut rings = if is_to_shrink { 0..1 } else { tail.ring + 1..self.rings.count() };
        let next = Position { ring: rings.find(fits)?, bytes: 0 };
        let end = Position { ring: next.ring, bytes: tail.bytes };
        // ORDER(queue-tail): released by the tail.
        self.end_of(tail.ring).store(end.word(), Ordering::Relaxed);
        Some(next)
    }

    /// A place in the tail's own ring: at the tail, or at the start with the rest skipped.
    fn room_in_ring(&self, tail: Position, head: Position, needs: usize) -> Option<Position> {
        let size = self.rings.bytes(tail.ring) as u64;
        // A head elsewhere has nothing of this ring behind it.
        let used =
            if head.ring == tail.ring { tail.bytes.checked_sub(head.bytes)? } else { tail.bytes };
        let free = size.checked_sub(used)?;
        let rest = size - tail.bytes % size;
        if needs as u64 <= rest {
            return (needs as u64 <= free).then_some(tail);
        }
        if rest + needs as u64 > free {
            return None;
        }
        self.segment().copy_in(self.rings.offset(tail), &SKIP.to_le_bytes());
        Some(tail.after(rest as usize))
    }

    /// Takes the first item; `false` if there is none. Notes whether one that waits for room is to be woken.
    fn get_locked(&self, item: &mut Vec<u8>, has_sleepers: &mut bool) -> io::Result<bool> {
        let mut head = Position::from_word(self.load(HEAD, Ordering::Relaxed));
        // ORDER(queue-tail): acquires the items before it, and the ends of rings.
        let tail = Position::from_word(self.load(TAIL, Ordering::Acquire));
        // Each turn goes on to a later place, unless somebody writes over the queue meanwhile.
        for _ in 0..=2 * self.rings.count() {
            if head == tail {
                return Ok(false);
            }
            if !self.rings.has(head) || !self.rings.has(tail) {
                return self.throw_away(tail, has_sleepers);
            }
            let end = Position::from_word(self.end_of(head.ring).load(Ordering::Relaxed));
            let limit = if tail.ring == head.ring { tail.bytes } else { end.bytes };
            if head.bytes == limit {
                let next = Position { ring: end.ring, bytes: 0 };
                if !self.rings.has(next) || next.ring == head.ring {
                    return self.throw_away(tail, has_sleepers);
                }
                self.rings.give_back(self.segment(), head.ring);
                head = next;
                let gots = self.load(GOTS, Ordering::Relaxed);
                *has_sleepers |= self.show_head(head, gots);
                continue;
            }
            let size = self.rings.bytes(head.ring) as u64;
            let Some(left) = limit.checked_sub(head.bytes).filter(|left| *left <= size) else {
                return self.throw_away(tail, has_sleepers);
            };
            let rest = size - head.bytes % size;
            let at = self.rings.offset(head);
            let mut header = [0; HEADER_BYTES];
            self.segment().copy_out(at, &mut header);
            let header = u64::from_le_bytes(header);
            if header == SKIP {
                if rest > left {
                    return self.throw_away(tail, has_sleepers);
                }
                head = head.after(rest as usize);
                continue;
            }
            let room = left.min(rest) - HEADER_BYTES as u64;
            let Some(bytes) = usize::try_from(header).ok().filter(|bytes| *bytes as u64 <= room)
            else {
                return self.throw_away(tail, has_sleepers);
            };
            let entry = self.find_entry()?;
            item.clear();
            item.try_reserve(bytes).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            item.resize(bytes, 0);
            self.segment().copy_out(at + HEADER_BYTES, item);
            let head = head.after((HEADER_BYTES + bytes).next_multiple_of(HEADER_BYTES));
            let gots = self.load(GOTS, Ordering::Relaxed).wrapping_add(1);
            *has_sleepers |= self.show_head(head, gots);
            self.note_taken(entry)?;
            return Ok(true);
        }
        self.throw_away(tail, has_sleepers)
    }

    fn show_head(&self, head: Position, gots: u64) -> bool {
        self.word64(NEXT_HEAD).store(head.word(), Ordering::Relaxed);
        self.word64(NEXT_GOTS).store(gots, Ordering::Relaxed);
        // ORDER(queue-head): releases the places before it.
        self.word64(HEAD).store(head.word(), Ordering::Release);
        self.word64(GOTS).store(gots, Ordering::Release);
        self.move_bell(GET_BELL)
    }

    #[cold]
    fn throw_away(&self, tail: Position, has_sleepers: &mut bool) -> io::Result<bool> {
        *has_sleepers |= self.show_head(tail, self.load(PUTS, Ordering::Acquire));
        Err(io::Error::new(io::ErrorKind::InvalidData, Ruined))
    }
}

/// How long to wait for a lock.
fn patience(deadline: Option<Instant>) -> Option<Duration> {
    let left = deadline?.saturating_duration_since(Instant::now());
    Some(left.max(LOCK_PATIENCE))
}
