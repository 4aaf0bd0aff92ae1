//! Ordinary private memory, where large blocks of it cost more than what is done with them.
//!
//! The pages of a fresh block are given one by one, as each is first touched, and that takes longer
//! than to fill them. None of this changes what a program can see, but for its speed.

use std::mem::MaybeUninit;

use crate::sys;

/// Tells the system that all of this memory is about to be used, so that it gives large pages.
///
/// Does nothing where the memory is too small for one, or there are none.
pub fn will_be_filled(memory: &mut [MaybeUninit<u8>]) {
    sys::heap::will_be_filled(memory);
}

/// Has the allocator of the C library, if it is the one in use, keep freed blocks of up to `bytes`
/// for the next of the kind, instead of giving them back to the system.
pub fn keep_freed_blocks(bytes: usize) {
    sys::heap::keep_freed_blocks(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_any_size_and_place_can_be_told_of() {
        for bytes in [0, 1, 4096, 3 << 20, 9 << 20] {
            let mut block = vec![7_u8; bytes + 3];
            let spare = as_spare(&mut block[3..]);
            will_be_filled(spare);
            assert!(block.iter().all(|byte| *byte == 7));
        }
    }

    /// The bytes as memory that may hold anything.
    fn as_spare(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
        let (start, count) = (bytes.as_mut_ptr(), bytes.len());
        // SAFETY: the same bytes, borrowed for as long; what holds a value may be seen as what may
        // hold one, as long as nothing else is stored, and the test stores nothing.
        unsafe { std::slice::from_raw_parts_mut(start.cast::<MaybeUninit<u8>>(), count) }
    }

    #[test]
    fn freed_blocks_can_be_kept() {
        keep_freed_blocks(64 << 20);
        drop(vec![1_u8; 40 << 20]);
        drop(vec![1_u8; 40 << 20]);
    }
}
