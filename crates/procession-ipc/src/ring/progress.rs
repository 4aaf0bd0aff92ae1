//! How far a part under construction has come, for whoever buries its writer; the protocol and its
//! crash table are in the ring's README.

use crate::primitive::Ordering;
use crate::segment::Segment;

/// The two words that speak of a part under construction, in the producer's segment.
#[derive(Debug, Clone, Copy)]
pub struct PartProgress {
    position_at: usize,
    progress_at: usize,
}

impl PartProgress {
    /// The words at these offsets: the position has 32 bits, the progress 64.
    pub const fn new(position_at: usize, progress_at: usize) -> Self {
        Self { position_at, progress_at }
    }

    /// Forgets what was finished: before a part is opened, and once it is published.
    #[inline]
    pub fn clear(self, own: &Segment) {
        own.word64(self.progress_at).store(0, Ordering::Relaxed);
    }

    /// Says that from now on the progress speaks of the part at `tail`.
    #[inline]
    pub fn begin(self, own: &Segment, tail: u32) {
        // ORDER(part-position): releases the cleared progress.
        own.word32(self.position_at).store(tail, Ordering::Release);
    }

    /// Says that `items` are finished, and that they fill the part's first `bytes`.
    #[inline]
    pub fn declare(self, own: &Segment, items: u32, bytes: u32) {
        let progress = u64::from(items) << 32 | u64::from(bytes);
        // ORDER(part-progress): releases the items' bytes.
        own.word64(self.progress_at).store(progress, Ordering::Release);
    }

    /// Items finished and the bytes they fill, in the part at `tail`; `None` when none is under
    /// construction there. The producer may have written anything: the ring checks the bytes.
    pub fn read(self, peer: &Segment, tail: u32) -> Option<(u32, u32)> {
        // ORDER(part-position): acquires the progress as it was cleared for this part.
        if peer.word32(self.position_at).load(Ordering::Acquire) != tail {
            return None;
        }
        // ORDER(part-progress): acquires the bytes of the items that are counted.
        let progress = peer.word64(self.progress_at).load(Ordering::Acquire);
        Some(((progress >> 32) as u32, progress as u32))
    }
}
