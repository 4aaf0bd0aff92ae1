//! The real segment: a mapping of a shared memory object.

#![allow(unsafe_code)]

use crate::primitive::{AtomicU32, AtomicU64};
use procession_os::memory::Mapping;
use std::mem::{align_of, size_of};
use std::time::Duration;

/// A mapped segment; see the module's docs for what may be done with it.
#[derive(Debug)]
pub struct Segment {
    mapping: Mapping,
}

impl Segment {
    /// Wraps a mapping.
    pub fn new(mapping: Mapping) -> Self {
        Self { mapping }
    }

    /// Size of the segment in bytes.
    pub fn bytes(&self) -> usize {
        self.mapping.len()
    }

    /// The address of `count` bytes from `offset`.
    ///
    /// # Panics
    /// When the span is not inside the segment: offsets come from our own constants and from
    /// values that were checked before, so this is a defect, never a peer's doing.
    #[inline]
    fn span(&self, offset: usize, count: usize) -> *mut u8 {
        let end = offset.checked_add(count).expect("a span ends in the address space");
        assert!(end <= self.mapping.len(), "span {offset}+{count} outside the segment");
        // SAFETY: `offset` was just checked to be inside the mapping, which is one allocation.
        unsafe { self.mapping.as_ptr().add(offset) }
    }

    /// The 32-bit control word at `offset`.
    ///
    /// # Panics
    /// When the word is outside the segment or not aligned.
    #[inline]
    pub fn word32(&self, offset: usize) -> &AtomicU32 {
        let address = self.span(offset, size_of::<AtomicU32>()).cast::<u32>();
        assert!(address.addr().is_multiple_of(align_of::<AtomicU32>()));
        // SAFETY: the address is inside the mapping and aligned (checked above), the mapping lives
        // as long as `self`, and control words are only ever accessed as atomics of this width.
        unsafe { AtomicU32::from_ptr(address) }
    }

    /// The 64-bit control word at `offset`.
    ///
    /// # Panics
    /// When the word is outside the segment or not aligned.
    #[inline]
    pub fn word64(&self, offset: usize) -> &AtomicU64 {
        let address = self.span(offset, size_of::<AtomicU64>()).cast::<u64>();
        assert!(address.addr().is_multiple_of(align_of::<AtomicU64>()));
        // SAFETY: as in `word32`, with 64 bits.
        unsafe { AtomicU64::from_ptr(address) }
    }

    /// Lets the processor know that the line at `offset` will be written soon: the reader's
    /// processor has it, and to get it back takes longer than the write.
    ///
    /// # Panics
    /// When the offset is outside the segment.
    #[inline]
    pub fn prefetch_for_write(&self, offset: usize) {
        let address = self.span(offset, 1);
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
            // SAFETY: a prefetch has no effect that a program can see, whatever the address; the
            // processor feature that it belongs to is part of the baseline of this architecture.
            unsafe { _mm_prefetch::<_MM_HINT_ET0>(address.cast::<i8>()) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = address;
    }

    /// Copies `from` into the segment at `offset`.
    ///
    /// # Panics
    /// When the span is outside the segment.
    #[inline]
    pub fn copy_in(&self, offset: usize, from: &[u8]) {
        let mut to = self.span(offset, from.len());
        let (words, rest) = from.as_chunks::<8>();
        for word in words {
            // SAFETY: `span` proved room for all of `from`; each step stays inside it.
            unsafe { to.cast::<[u8; 8]>().write_volatile(*word) };
            // SAFETY: as above: at most one past the end of the span.
            to = unsafe { to.add(8) };
        }
        let (halves, rest) = rest.as_chunks::<4>();
        for half in halves {
            // SAFETY: as above.
            unsafe { to.cast::<[u8; 4]>().write_volatile(*half) };
            // SAFETY: as above.
            to = unsafe { to.add(4) };
        }
        for byte in rest {
            // SAFETY: as above.
            unsafe { to.write_volatile(*byte) };
            // SAFETY: as above.
            to = unsafe { to.add(1) };
        }
    }

    /// Copies bytes out of the segment at `offset` into `to`.
    ///
    /// # Panics
    /// When the span is outside the segment.
    #[inline]
    pub fn copy_out(&self, offset: usize, to: &mut [u8]) {
        let mut from = self.span(offset, to.len()).cast_const();
        let (words, rest) = to.as_chunks_mut::<8>();
        for word in words {
            // SAFETY: `span` proved that all of `to.len()` bytes are mapped; volatile, because a
            // peer may write them meanwhile: whatever is read is checked after the copy.
            *word = unsafe { from.cast::<[u8; 8]>().read_volatile() };
            // SAFETY: at most one past the end of the span.
            from = unsafe { from.add(8) };
        }
        let (halves, rest) = rest.as_chunks_mut::<4>();
        for half in halves {
            // SAFETY: as above.
            *half = unsafe { from.cast::<[u8; 4]>().read_volatile() };
            // SAFETY: as above.
            from = unsafe { from.add(4) };
        }
        for byte in rest {
            // SAFETY: as above.
            *byte = unsafe { from.read_volatile() };
            // SAFETY: as above.
            from = unsafe { from.add(1) };
        }
    }

    /// Sleeps while the word at `offset` holds `expected`; returns `false` on time-out. May return
    /// early: the caller looks again. Woken by [`wake`](Self::wake) of any process.
    pub fn wait(&self, offset: usize, expected: u32, timeout: Option<Duration>) -> bool {
        procession_os::wait::wait(self.word32(offset), expected, timeout)
    }

    /// Wakes everything that sleeps on the word at `offset`.
    pub fn wake(&self, offset: usize) {
        procession_os::wait::wake_all(self.word32(offset));
    }
}
