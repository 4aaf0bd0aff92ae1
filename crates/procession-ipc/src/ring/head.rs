//! How far a consumer has read, in a word of its own segment.

use crate::primitive::Ordering;
use crate::segment::Segment;

/// The head word of a ring.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    at: usize,
}

impl Head {
    /// The head word at `at` in the consumer's segment.
    pub const fn new(at: usize) -> Self {
        Self { at }
    }

    /// Shows the producer that everything before `position` was copied out.
    #[inline]
    pub fn show(self, own: &Segment, position: u32) {
        // ORDER(ring-free): after the consumer's copies; the producer acquires their end.
        own.word32(self.at).store(position, Ordering::Release);
    }

    /// What the consumer last showed; the producer may overwrite everything before it, once
    /// [`release`](super::Producer::release) has found that it can be true.
    #[inline]
    pub fn shown(self, peer: &Segment) -> u32 {
        // ORDER(ring-free): acquires the end of the consumer's copies.
        peer.word32(self.at).load(Ordering::Acquire)
    }

    /// What this side, the consumer, showed last.
    #[inline]
    pub fn last(self, own: &Segment) -> u32 {
        own.word32(self.at).load(Ordering::Relaxed)
    }
}
