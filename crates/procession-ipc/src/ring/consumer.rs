//! The reading end of a ring.

use super::Geometry;
use crate::frame::{HEADER_BYTES, Header, KIND_SKIP};
use crate::layout::SLOT_BYTES;
use crate::primitive::Ordering;
use crate::segment::Segment;
use std::fmt;
use std::sync::Arc;

/// The reading end of a ring. Believes nothing that it reads.
#[derive(Debug)]
pub struct Consumer {
    segment: Arc<Segment>,
    ring: Geometry,
    position: u32,
    tail: u32,
    corrupt: bool,
}

/// A frame at the head of a ring: its header, copied out, and where its payload lies.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// The header; its `payload_bytes` was checked against the ring.
    pub header: Header,
    payload_at: usize,
}

/// What a ring's producer wrote cannot be a frame; nothing more is read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrupt {
    what: &'static str,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "corrupt ring: {}", self.what)
    }
}

impl std::error::Error for Corrupt {}

impl Consumer {
    /// The reading end of an empty ring.
    pub fn new(segment: Arc<Segment>, ring: Geometry) -> Self {
        Self { segment, ring, position: 0, tail: 0, corrupt: false }
    }

    /// How far this end has read.
    #[inline]
    pub fn position(&self) -> u32 {
        self.position
    }

    /// The tail as the producer shows it now.
    #[inline]
    pub fn shown_tail(&self) -> u32 {
        // ORDER(ring-publish): acquires the bytes of every frame before the tail.
        self.segment.word32(self.ring.tail_at).load(Ordering::Acquire)
    }

    fn fail(&mut self, what: &'static str) -> Result<Option<Frame>, Corrupt> {
        self.corrupt = true;
        Err(Corrupt { what })
    }

    /// The next frame, if there is one.
    ///
    /// # Errors
    /// [`Corrupt`] when the producer's words make no sense, then and ever after.
    #[inline]
    pub fn peek(&mut self) -> Result<Option<Frame>, Corrupt> {
        if self.corrupt {
            return self.fail("an earlier frame made no sense");
        }
        loop {
            if self.position == self.tail {
                let tail = self.shown_tail();
                if tail == self.tail {
                    return Ok(None);
                }
                if tail.wrapping_sub(self.position) > self.ring.slots {
                    return self.fail("the tail is further than the ring is long");
                }
                self.tail = tail;
            }
            let at = self.ring.slot_at(self.position);
            let mut bytes = [0; HEADER_BYTES];
            self.segment.copy_out(at, &mut bytes);
            let header = Header::from_bytes(&bytes);
            let slots_max = self
                .ring
                .slots_to_lap_end(self.position)
                .min(self.tail.wrapping_sub(self.position));
            let bytes_max = slots_max as usize * SLOT_BYTES - HEADER_BYTES;
            if header.payload_bytes as usize > bytes_max {
                return self.fail("a frame is longer than what was published");
            }
            if header.kind != KIND_SKIP {
                return Ok(Some(Frame { header, payload_at: at + HEADER_BYTES }));
            }
            // So no two follow each other, and a peer that writes nothing else holds nobody here.
            let lap = self.ring.slots_to_lap_end(self.position);
            if header.slots() != lap || lap == self.ring.slots {
                return self.fail("a skip frame that does not end a lap");
            }
            self.position = self.position.wrapping_add(header.slots());
        }
    }

    /// Slots that were published and, as far as this end knows, not read yet.
    #[inline]
    pub fn backlog(&self) -> u32 {
        self.tail.wrapping_sub(self.position)
    }

    /// Copies a frame's payload out, replacing what `to` holds.
    #[inline]
    pub fn copy_payload(&self, frame: &Frame, to: &mut Vec<u8>) {
        to.resize(frame.header.payload_bytes as usize, 0);
        self.segment.copy_out(frame.payload_at, to);
    }

    /// Copies a frame's payload into `to`.
    ///
    /// # Panics
    /// When `to` is not exactly as long as the payload.
    #[inline]
    pub fn copy_payload_exact(&self, frame: &Frame, to: &mut [u8]) {
        assert_eq!(to.len(), frame.header.payload_bytes as usize);
        self.segment.copy_out(frame.payload_at, to);
    }

    /// Moves past the frame that [`peek`](Self::peek) showed; returns the new position, for the
    /// owner to publish as the head.
    #[inline]
    pub fn advance(&mut self, frame: &Frame) -> u32 {
        self.position = self.position.wrapping_add(frame.header.slots());
        self.position
    }

    /// Copies `count` bytes of the part that a dead producer had under construction at `tail`;
    /// `None` when such a part cannot be, or when frames before it were not read.
    pub fn copy_unfinished_part(&self, tail: u32, count: usize) -> Option<Vec<u8>> {
        if self.corrupt || tail != self.position {
            return None;
        }
        let room = self.ring.slots_to_lap_end(tail) as usize * SLOT_BYTES - HEADER_BYTES;
        if count > room {
            return None;
        }
        let mut bytes = vec![0; count];
        self.segment.copy_out(self.ring.slot_at(tail) + HEADER_BYTES, &mut bytes);
        Some(bytes)
    }
}
