//! Where the rings of a queue lie.

use crate::segment::Segment;
use std::ops::Range;

/// Bytes of the first ring; each other is twice as large as the one before.
#[cfg(not(loom))]
const FIRST_BYTES: usize = 64 << 10;
#[cfg(loom)]
const FIRST_BYTES: usize = 32;

/// Most rings: as many ends as fit before the first.
const RINGS_MAX: usize = 40;

/// The pages of a ring of so many bytes are given back when it is left.
#[cfg(not(loom))]
const GIVE_BACK_BYTES: usize = 1 << 20;

/// A place in a ring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) ring: usize,
    pub(super) bytes: u64,
}

const BYTES_BITS: u32 = 56;

impl Position {
    pub(super) fn from_word(word: u64) -> Self {
        Self { ring: (word >> BYTES_BITS) as usize, bytes: word & ((1 << BYTES_BITS) - 1) }
    }

    pub(super) fn word(self) -> u64 {
        (self.ring as u64) << BYTES_BITS | self.bytes & ((1 << BYTES_BITS) - 1)
    }

    pub(super) fn after(self, bytes: usize) -> Self {
        Self { ring: self.ring, bytes: self.bytes + bytes as u64 }
    }
}

/// The rings of a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rings {
    at: usize,
    count: usize,
}

impl Rings {
    /// As many as there is room for.
    pub(super) fn new(place: &Range<usize>) -> Self {
        let (at, room) = (place.start, place.len());
        let all = |count: usize| FIRST_BYTES.checked_mul((1 << count) - 1);
        let fits = |count: &usize| all(*count).is_some_and(|bytes| bytes <= room);
        let count = (1..=RINGS_MAX).take_while(fits).last().unwrap_or(0);
        assert!(count > 0, "a queue without room for a ring");
        Self { at, count }
    }

    /// Whether there is room for one.
    pub(super) fn fit(place: &Range<usize>) -> bool {
        place.len() >= FIRST_BYTES
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn bytes(&self, ring: usize) -> usize {
        FIRST_BYTES << ring
    }

    /// The largest's.
    pub(super) fn bytes_max(&self) -> usize {
        self.bytes(self.count - 1)
    }

    /// Whether a position, which may be anything, is one: in a ring, and at a place for a header.
    pub(super) fn has(&self, position: Position) -> bool {
        position.ring < self.count && position.bytes.is_multiple_of(super::HEADER_BYTES as u64)
    }

    /// Where a position is in the segment.
    pub(super) fn offset(&self, position: Position) -> usize {
        let start = self.at + FIRST_BYTES * ((1 << position.ring) - 1);
        start + (position.bytes % self.bytes(position.ring) as u64) as usize
    }

    /// Gives the memory of a ring that nobody uses back to the system, if it is large.
    #[cfg(not(loom))]
    pub(super) fn give_back(&self, segment: &Segment, ring: usize) {
        if self.bytes(ring) >= GIVE_BACK_BYTES {
            segment.give_back(self.offset(Position { ring, bytes: 0 }), self.bytes(ring));
        }
    }

    #[cfg(loom)]
    pub(super) fn give_back(&self, _segment: &Segment, _ring: usize) {}
}
