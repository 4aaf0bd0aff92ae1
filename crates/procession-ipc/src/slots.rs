//! A row of values of any kind in shared memory, each in a room of fixed size, none of which is ever seen
//! half written.
//!
//! | offset | what |
//! |---|---|
//! | 0 | [lock](crate::sync::Lock) |
//! | 8 | how many slots; written once, before anybody else has the memory |
//! | 16 + 16 i | slot i: where its room begins, in units of eight bytes from here (32 bits), and the bytes of one copy (32 bits); written once |
//! | 24 + 16 i | slot i: its state |
//!
//! A room has two copies of its value, one behind the other.
//!
//! | bits of a state | meaning |
//! |---|---|
//! | 0..32 | bytes of the value |
//! | 32..40 | kind of the value, which is the caller's affair |
//! | 63 | the second copy is the value, not the first |
//!
//! Rules: who reads or writes a slot holds the lock. A value is written into the copy that is not the value,
//! and then the state is stored, which makes it the value.
//!
//! | a process ends after | what follows |
//! |---|---|
//! | it took the lock, or wrote some of a copy | the value is the one from before; the lock is inherited |
//! | it stored the state | the value is the new one, whole; the lock is inherited |
//!
//! So whoever inherits the lock has nothing to repair. Where a room is, and how large, is in memory that
//! anybody may write, so it is checked each time.
//!
//! ORDER(slot): a release of the state by whoever writes it, an acquire by whoever reads. Between the living
//! the lock would do; a death cuts the writer's program somewhere, and so the copy must come before the state
//! in it.

#[cfg(test)]
mod tests;

use crate::primitive::Ordering;
use crate::roster::Roster;
use crate::segment::Segment;
use crate::sync::Lock;
use std::fmt;
use std::sync::Arc;

/// Where the slots begin.
const TABLE: usize = 16;

/// Bytes that a slot takes beside its room.
const SLOT_BYTES: usize = 16;

/// The rooms' unit.
const UNIT: usize = 8;

const SECOND: u64 = 1 << 63;

/// Slots that lie at some place of a segment.
#[derive(Debug, Clone)]
pub struct Slots {
    lock: Lock,
    at: usize,
    bytes: usize,
    count: usize,
}

/// Why a value cannot be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It has more bytes than this, which is what fits into a copy of its room.
    TooLong(usize),
    /// Somebody has written what makes no sense over the table.
    Damaged,
    /// There is no memory for it.
    NoMemory,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(room) => {
                write!(f, "the value is longer than the {room} bytes of its place")
            }
            Self::Damaged => f.write_str("its memory was written over"),
            Self::NoMemory => f.write_str("there is no memory for a copy of the value"),
        }
    }
}

/// What a slot is made with: so many bytes of room, and its first value.
#[derive(Debug, Clone, Copy)]
pub struct First<'a> {
    /// Least bytes that a value may have there.
    pub room: usize,
    /// The value's kind.
    pub kind: u8,
    /// The value.
    pub value: &'a [u8],
}

fn rounded(room: usize) -> Option<usize> {
    room.checked_next_multiple_of(UNIT).filter(|room| u32::try_from(*room).is_ok())
}

impl Slots {
    /// Bytes that slots with these rooms take; `None` if it is too much for slots.
    pub fn bytes_for(rooms: impl IntoIterator<Item = usize>) -> Option<usize> {
        let mut bytes = TABLE;
        for room in rooms {
            bytes = bytes.checked_add(SLOT_BYTES)?.checked_add(rounded(room)?.checked_mul(2)?)?;
        }
        u32::try_from(bytes / UNIT).is_ok().then_some(bytes)
    }

    /// Makes slots of the zeros at `at`, a multiple of eight, which are as many as
    /// [`bytes_for`](Self::bytes_for) says, before anybody else has them.
    ///
    /// # Panics
    /// When they are less.
    pub fn create(segment: &Segment, at: usize, firsts: &[First<'_>]) {
        let mut room_at = TABLE + firsts.len() * SLOT_BYTES;
        for (index, first) in firsts.iter().enumerate() {
            let room = rounded(first.room).expect("the rooms fit into slots");
            assert!(first.value.len() <= room, "a first value fits into its room");
            let place = (room_at / UNIT) as u64 | (room as u64) << 32;
            segment.word64(at + TABLE + index * SLOT_BYTES).store(place, Ordering::Relaxed);
            segment.copy_in(at + room_at, first.value);
            let state = first.value.len() as u64 | u64::from(first.kind) << 32;
            segment.word64(at + TABLE + index * SLOT_BYTES + 8).store(state, Ordering::Relaxed);
            room_at += 2 * room;
        }
        segment.word64(at + 8).store(firsts.len() as u64, Ordering::Relaxed);
    }

    /// The slots at `at`, a multiple of eight, in these many bytes of the segment; `None` if there are none.
    pub fn new(roster: Arc<Roster>, at: usize, bytes: usize) -> Option<Self> {
        if bytes < TABLE {
            return None;
        }
        let count = roster.segment().word64(at + 8).load(Ordering::Relaxed);
        let count = usize::try_from(count).ok()?;
        let fits = count <= (bytes - TABLE) / SLOT_BYTES;
        fits.then(|| Self { lock: Lock::new(roster, at), at, bytes, count })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What whoever reads or writes holds.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    fn segment(&self) -> &Segment {
        self.lock.roster().segment()
    }

    fn slot_at(&self, index: usize) -> usize {
        assert!(index < self.count, "slot {index} of {}", self.count);
        self.at + TABLE + index * SLOT_BYTES
    }

    /// Where the room of a slot begins in the segment, and the bytes of one copy, which lie inside of what
    /// is the slots'.
    fn room(&self, index: usize) -> Result<(usize, usize), Unfit> {
        let place = self.segment().word64(self.slot_at(index)).load(Ordering::Relaxed);
        let (start, room) = ((place as u32) as usize * UNIT, (place >> 32) as usize);
        let end = room.checked_mul(2).and_then(|both| both.checked_add(start));
        let is_inside = start >= TABLE && end.is_some_and(|end| end <= self.bytes);
        if is_inside { Ok((self.at + start, room)) } else { Err(Unfit::Damaged) }
    }

    /// Most bytes that a value may have in a slot.
    ///
    /// # Errors
    /// When the table was written over.
    ///
    /// # Panics
    /// When there is no such slot.
    pub fn room_of(&self, index: usize) -> Result<usize, Unfit> {
        self.room(index).map(|(_, room)| room)
    }

    /// The value of a slot, and its kind. The caller holds the lock.
    ///
    /// # Errors
    /// When the table was written over.
    ///
    /// # Panics
    /// When there is no such slot.
    pub fn read(&self, index: usize) -> Result<(u8, Vec<u8>), Unfit> {
        let (start, room) = self.room(index)?;
        // ORDER(slot): acquires the copy that the state makes the value.
        let state = self.segment().word64(self.slot_at(index) + 8).load(Ordering::Acquire);
        let length = (state as u32) as usize;
        if length > room {
            return Err(Unfit::Damaged);
        }
        let start = if state & SECOND == 0 { start } else { start + room };
        let value = self.segment().to_vec(start, length).ok_or(Unfit::NoMemory)?;
        Ok(((state >> 32) as u8, value))
    }

    /// Makes this the value of a slot. The caller holds the lock.
    ///
    /// # Errors
    /// When it does not fit into its room, or the table was written over.
    ///
    /// # Panics
    /// When there is no such slot.
    pub fn write(&self, index: usize, kind: u8, value: &[u8]) -> Result<(), Unfit> {
        let state = self.fill(index, kind, value)?;
        // ORDER(slot): releases the copy.
        self.segment().word64(self.slot_at(index) + 8).store(state, Ordering::Release);
        Ok(())
    }

    /// Writes a value into the copy that is not the value; the state that makes it the value.
    fn fill(&self, index: usize, kind: u8, value: &[u8]) -> Result<u64, Unfit> {
        let (start, room) = self.room(index)?;
        if value.len() > room {
            return Err(Unfit::TooLong(room));
        }
        let state = self.segment().word64(self.slot_at(index) + 8).load(Ordering::Relaxed);
        let other = !state & SECOND;
        let start = if other == 0 { start } else { start + room };
        self.segment().copy_in(start, value);
        Ok(value.len() as u64 | u64::from(kind) << 32 | other)
    }
}
