//! Claim words: who has a request that was sent, the worker that begins it or the parent that takes
//! it back.
//!
//! There is one 64-bit word for each place in the window, at `sequence % WINDOW_MAX`:
//!
//! | bits | meaning |
//! |---|---|
//! | 0..2 | 0 nobody, 1 begun by the worker, 2 taken back by the parent |
//! | 2..64 | sequence of the request that the state speaks of; any lower one means nobody |
//!
//! A word only ever moves to a higher sequence, by compare-and-swap, so exactly one side gets a
//! request. Nothing else is guarded: the request's bytes stay as they are until its outcome is
//! known. The parent's lock orders its own attempts; if the worker dies, `begun` without an outcome
//! says what it was running.
//!
//! | the worker dies after | the parent sees |
//! |---|---|
//! | it read the frame | nobody: the request runs elsewhere |
//! | the swap | begun: the request was running |
//! | the response's tail | its outcome |
//!
//! The worker may write anything here. The parent remembers what it took, so the worst that a mad
//! worker does is to have more or fewer of its own requests count as running when it is killed.

#[cfg(test)]
mod tests;

use crate::layout::{WINDOW_MAX, b};
use crate::primitive::{AtomicU64, Ordering};
use crate::segment::Segment;
use std::sync::Arc;

const BEGUN: u64 = 1;
const TAKEN: u64 = 2;

/// The claim words of a lane.
#[derive(Debug, Clone)]
pub struct Claims {
    segment: Arc<Segment>,
}

impl Claims {
    /// The claim words in segment B.
    pub fn new(segment: Arc<Segment>) -> Self {
        Self { segment }
    }

    #[inline]
    fn word(&self, sequence: u64) -> &AtomicU64 {
        self.segment.word64(b::CLAIMS + (sequence as usize % WINDOW_MAX) * 8)
    }

    #[inline]
    fn claim(&self, sequence: u64, state: u64) -> bool {
        let word = self.word(sequence);
        // ORDER(claim): one modification order decides; nothing else is published through it.
        let seen = word.load(Ordering::Relaxed);
        if seen >> 2 == sequence {
            return false;
        }
        // ORDER(claim): the same word, the other claimant's swap.
        word.compare_exchange(seen, sequence << 2 | state, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// The worker begins a request; `false` when the parent has taken it back.
    #[must_use]
    #[inline]
    pub fn begin(&self, sequence: u64) -> bool {
        self.claim(sequence, BEGUN)
    }

    /// The parent takes a request back; `false` when the worker has begun it.
    #[must_use]
    #[inline]
    pub fn take_back(&self, sequence: u64) -> bool {
        self.claim(sequence, TAKEN)
    }

    /// Whether the worker has begun a request.
    pub fn is_begun(&self, sequence: u64) -> bool {
        self.word(sequence).load(Ordering::Acquire) == sequence << 2 | BEGUN
    }
}
