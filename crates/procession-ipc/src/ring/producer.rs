//! The writing end of a ring.

use super::Geometry;
use crate::frame::{HEADER_BYTES, Header, KIND_SKIP, slots_for};
use crate::primitive::Ordering;
use crate::segment::Segment;
use std::sync::Arc;

/// How far ahead of the tail the processor is told of the next write.
const SLOTS_AHEAD: u32 = 6;

/// The writing end of a ring. There is one; it is the only writer of the ring's segment.
#[derive(Debug)]
pub struct Producer {
    segment: Arc<Segment>,
    ring: Geometry,
    tail: u32,
    free_to: u32,
}

/// Room for a frame whose payload is written piece by piece; see [`Producer::open`].
#[derive(Debug)]
pub struct Part {
    at: usize,
    capacity: usize,
    filled: usize,
}

/// A frame that was pushed.
#[derive(Debug, Clone, Copy)]
pub struct Pushed {
    /// Position behind it.
    pub end: u32,
    payload_at: u32,
    payload_bytes: u32,
}

impl Part {
    /// Bytes of payload written so far.
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// Bytes of payload that still fit.
    pub fn room(&self) -> usize {
        self.capacity - self.filled
    }
}

impl Producer {
    /// The writing end of an empty ring.
    pub fn new(segment: Arc<Segment>, ring: Geometry) -> Self {
        Self { segment, ring, tail: 0, free_to: 0 }
    }

    /// Position of the next frame.
    #[inline]
    pub fn tail(&self) -> u32 {
        self.tail
    }

    /// Everything before `position` has been consumed and may be overwritten.
    ///
    /// A position that is not between the last one and the tail is ignored: it may come from a
    /// peer.
    #[inline]
    pub fn release(&mut self, position: u32) {
        let filled = self.tail.wrapping_sub(self.free_to);
        if position.wrapping_sub(self.free_to) <= filled {
            self.free_to = position;
        }
    }

    /// The position up to which the ring was released.
    pub fn released(&self) -> u32 {
        self.free_to
    }

    /// Whether a frame with `bytes` of payload could be pushed now.
    #[inline]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.fits(slots_for(bytes))
    }

    /// Whether `slots` side by side are free, at the tail or behind the end of its lap.
    #[inline]
    fn fits(&self, slots: u32) -> bool {
        let free = self.ring.slots - self.tail.wrapping_sub(self.free_to);
        let lap = self.ring.slots_to_lap_end(self.tail);
        if slots <= lap { slots <= free } else { lap + slots <= free }
    }

    /// Makes room for `slots` side by side at the tail; publishes a skip frame where the lap ends
    /// too soon. `None`: the ring is full for now.
    ///
    /// # Panics
    /// When a frame of `slots` does not fit twice into the ring: it might never fit.
    #[inline]
    fn room_at_tail(&mut self, slots: u32) -> Option<usize> {
        assert!(slots <= self.ring.slots / 2, "a frame of {slots} slots may never fit");
        if !self.fits(slots) {
            return None;
        }
        let lap = self.ring.slots_to_lap_end(self.tail);
        if slots > lap {
            self.skip(lap);
        }
        Some(self.ring.slot_at(self.tail))
    }

    /// Publishes a frame that fills the rest of the lap.
    #[cold]
    fn skip(&mut self, lap: u32) {
        let skip = Header {
            kind: KIND_SKIP,
            payload_bytes: (lap as usize * crate::layout::SLOT_BYTES - HEADER_BYTES) as u32,
            ..Header::default()
        };
        self.segment.copy_in(self.ring.slot_at(self.tail), &skip.to_bytes());
        self.advance(lap);
    }

    #[inline]
    fn advance(&mut self, slots: u32) {
        self.tail = self.tail.wrapping_add(slots);
        // ORDER(ring-publish): releases the frame's bytes to the consumer's acquire.
        self.segment.word32(self.ring.tail_at).store(self.tail, Ordering::Release);
    }

    /// Writes and publishes a frame; `None` when the ring has no room for it now.
    ///
    /// `header.payload_bytes` is set here. The caller rings the doorbell.
    ///
    /// # Panics
    /// When the frame is larger than half the ring.
    #[must_use]
    #[inline]
    pub fn push(&mut self, mut header: Header, payload: &[u8]) -> Option<Pushed> {
        header.payload_bytes = payload.len() as u32;
        let at = self.room_at_tail(header.slots())?;
        self.segment.copy_in(at, &header.to_bytes());
        self.segment.copy_in(at + HEADER_BYTES, payload);
        self.advance(header.slots());
        self.segment.prefetch_for_write(self.ring.slot_at(self.tail.wrapping_add(SLOTS_AHEAD)));
        Some(Pushed {
            end: self.tail,
            payload_at: (at + HEADER_BYTES) as u32,
            payload_bytes: header.payload_bytes,
        })
    }

    /// Copies the payload of a frame back that was pushed and not yet released.
    pub fn read_back(&self, pushed: &Pushed) -> Vec<u8> {
        let mut bytes = vec![0; pushed.payload_bytes as usize];
        self.segment.copy_out(pushed.payload_at as usize, &mut bytes);
        bytes
    }

    /// Reserves room for a frame with up to `capacity` bytes of payload, which is written piece by
    /// piece and published by [`commit`](Self::commit). Only one part may be open, and nothing may
    /// be pushed meanwhile. `None` when the ring has no room for it now.
    ///
    /// # Panics
    /// When the frame would be larger than half the ring.
    pub fn open(&mut self, capacity: usize) -> Option<Part> {
        let at = self.room_at_tail(slots_for(capacity))?;
        Some(Part { at: at + HEADER_BYTES, capacity, filled: 0 })
    }

    /// Appends bytes to an open part.
    ///
    /// # Panics
    /// When they do not fit: ask [`Part::room`] first.
    #[inline]
    pub fn append(&mut self, part: &mut Part, bytes: &[u8]) {
        assert!(bytes.len() <= part.room(), "a part holds no more than was reserved");
        self.segment.copy_in(part.at + part.filled, bytes);
        part.filled += bytes.len();
    }

    /// Publishes an open part as a frame with this header.
    pub fn commit(&mut self, part: Part, mut header: Header) {
        header.payload_bytes = part.filled as u32;
        self.segment.copy_in(part.at - HEADER_BYTES, &header.to_bytes());
        self.advance(header.slots());
    }
}
