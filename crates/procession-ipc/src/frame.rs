//! One message on a ring: a header of 32 bytes and a payload.

use crate::layout::SLOT_BYTES;

/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 32;

/// Fills the rest of a lap; carries nothing.
pub const KIND_SKIP: u16 = 0xffff;

/// The payload is not in the ring but names a bulk segment.
pub const FLAG_BULK: u16 = 1;

/// A frame's header. The meaning of `kind`, `word` and `extra` is the engine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// What the frame is.
    pub kind: u16,
    /// Bit flags.
    pub flags: u16,
    /// Bytes of payload that follow in the ring.
    pub payload_bytes: u32,
    /// Number of the request on its lane, counted from 1.
    pub sequence: u64,
    /// A request's code reference, a response's status.
    pub word: u64,
    /// Whatever else the kind needs.
    pub extra: u64,
}

impl Header {
    /// Slots that a frame with this header fills.
    #[inline]
    pub fn slots(&self) -> u32 {
        slots_for(self.payload_bytes as usize)
    }

    /// The header as bytes, little-endian.
    #[inline]
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let first = u64::from(self.kind)
            | u64::from(self.flags) << 16
            | u64::from(self.payload_bytes) << 32;
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&first.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.word.to_le_bytes());
        bytes[24..].copy_from_slice(&self.extra.to_le_bytes());
        bytes
    }

    /// Reads a header back. Any bytes make one; the ring checks what it says.
    #[inline]
    pub fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Self {
        let word = |at: usize| {
            u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes of a header"))
        };
        let first = word(0);
        Self {
            kind: first as u16,
            flags: (first >> 16) as u16,
            payload_bytes: (first >> 32) as u32,
            sequence: word(8),
            word: word(16),
            extra: word(24),
        }
    }
}

/// Slots that a frame with `payload_bytes` of payload fills.
#[inline]
pub const fn slots_for(payload_bytes: usize) -> u32 {
    (HEADER_BYTES + payload_bytes).div_ceil(SLOT_BYTES) as u32
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_its_bytes() {
        let header = Header {
            kind: 7,
            flags: FLAG_BULK,
            payload_bytes: 12_345,
            sequence: u64::MAX - 3,
            word: 1 << 63,
            extra: 42,
        };
        assert_eq!(Header::from_bytes(&header.to_bytes()), header);
        assert_eq!(header.slots() as usize, (12_345 + 32_usize).div_ceil(64));
    }
}
