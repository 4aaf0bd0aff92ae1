#![doc = include_str!("README.md")]

mod consumer;
mod head;
mod producer;
mod progress;
#[cfg(test)]
mod tests;

pub use consumer::{Consumer, Corrupt, Frame};
pub use head::Head;
pub use producer::{Part, Producer, Pushed};
pub use progress::PartProgress;

use crate::layout::SLOT_BYTES;

/// Where a ring lies in its segment, and how large it is.
#[derive(Debug, Clone, Copy)]
pub struct Geometry {
    /// Offset of the tail word.
    pub tail_at: usize,
    /// Offset of the first slot.
    pub data_at: usize,
    /// Slots; a power of two.
    pub slots: u32,
}

impl Geometry {
    /// The offset of the slot at a position.
    #[inline]
    fn slot_at(&self, position: u32) -> usize {
        self.data_at + (position & (self.slots - 1)) as usize * SLOT_BYTES
    }

    /// Slots from a position to the end of its lap.
    #[inline]
    fn slots_to_lap_end(&self, position: u32) -> u32 {
        self.slots - (position & (self.slots - 1))
    }
}
