//! The real segment: a mapping of a shared memory object.

#![allow(unsafe_code)]

use super::atomic::Atomic;
use crate::primitive::{AtomicU32, AtomicU64};
use bytemuck::Pod;
use procession_os::memory::Mapping;
use std::mem::{MaybeUninit, align_of, size_of};
use std::slice;
use std::time::Duration;

/// Eight bytes at any address, moved by one instruction each way. (An array of bytes would be moved
/// byte by byte where it is volatile.)
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Word(u64);

/// As [`Word`], with four.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Half(u32);

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

    /// So many atomics from `offset` on, where they lie.
    ///
    /// # Panics
    /// When they are outside the segment or not aligned.
    pub fn atomics<A: Atomic>(&self, offset: usize, count: usize) -> &[A] {
        let bytes = count.checked_mul(size_of::<A>()).expect("a span fits the address space");
        let address = self.span(offset, bytes).cast::<A>();
        assert!(address.addr().is_multiple_of(align_of::<A>()));
        // SAFETY: the bytes are inside the mapping and aligned (checked above), and the mapping lives as
        // long as `self`; the trait says that any bytes are a value, which is changed by atomic
        // operations alone, whoever changes it, so that shared references are all there ever are.
        unsafe { slice::from_raw_parts(address, count) }
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
            // SAFETY: `span` proved room for all of `from`; each step stays inside it. The type has
            // no alignment.
            unsafe { to.cast::<Word>().write_volatile(Word(u64::from_ne_bytes(*word))) };
            // SAFETY: as above: at most one past the end of the span.
            to = unsafe { to.add(8) };
        }
        let (halves, rest) = rest.as_chunks::<4>();
        for half in halves {
            // SAFETY: as above.
            unsafe { to.cast::<Half>().write_volatile(Half(u32::from_ne_bytes(*half))) };
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
            // peer may write them meanwhile: whatever is read is checked after the copy. The type
            // has no alignment.
            let Word(read) = unsafe { from.cast::<Word>().read_volatile() };
            *word = read.to_ne_bytes();
            // SAFETY: at most one past the end of the span.
            from = unsafe { from.add(8) };
        }
        let (halves, rest) = rest.as_chunks_mut::<4>();
        for half in halves {
            // SAFETY: as above.
            let Half(read) = unsafe { from.cast::<Half>().read_volatile() };
            *half = read.to_ne_bytes();
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

    /// Copies `count` numbers out of the segment at `offset`, into fresh memory; `None` when there is no
    /// memory for them: how many there are may be a peer's word.
    ///
    /// # Panics
    /// When the span is outside the segment.
    pub fn to_vec<N: Pod>(&self, offset: usize, count: usize) -> Option<Vec<N>> {
        let bytes = count.checked_mul(size_of::<N>()).expect("a span fits the address space");
        let mut from = self.span(offset, bytes).cast_const();
        let mut numbers = Vec::<N>::new();
        numbers.try_reserve_exact(count).ok()?;
        let mut to = numbers.as_mut_ptr().cast::<u8>();
        // SAFETY: the vector has room for `count` numbers, so for `bytes` bytes, which nobody else
        // knows of yet; memory of any contents may be seen as bytes that are not initialized.
        let room = unsafe { slice::from_raw_parts_mut(to.cast::<MaybeUninit<u8>>(), bytes) };
        procession_os::heap::will_be_filled(room);
        for _ in 0..bytes / 8 {
            // SAFETY: `span` proved that all of `bytes` are mapped; volatile, because a peer may
            // write them meanwhile: whatever is read is a number, and is checked after the copy.
            let word = unsafe { from.cast::<Word>().read_volatile() };
            // SAFETY: as many bytes as were mapped have room in the vector.
            unsafe { to.cast::<Word>().write(word) };
            // SAFETY: at most one past the end of the span.
            from = unsafe { from.add(8) };
            // SAFETY: at most one past the end of the vector's room.
            to = unsafe { to.add(8) };
        }
        for _ in 0..bytes % 8 {
            // SAFETY: as above.
            let byte = unsafe { from.read_volatile() };
            // SAFETY: as above.
            unsafe { to.write(byte) };
            // SAFETY: as above.
            from = unsafe { from.add(1) };
            // SAFETY: as above.
            to = unsafe { to.add(1) };
        }
        // SAFETY: the vector has room for `count`, and every byte of them was just written; any bytes
        // make an `N`, which is plain old data.
        unsafe { numbers.set_len(count) };
        Some(numbers)
    }

    /// Gives the memory of a span of whole pages back to the system.
    ///
    /// # Panics
    /// When the span is outside the segment.
    pub fn give_back(&self, offset: usize, count: usize) {
        let _span = self.span(offset, count);
        self.mapping.give_back(offset, count);
    }

    /// Sleeps while the word at `offset` holds `expected`; returns `false` on time-out. May return
    /// early: the caller looks again. Woken by [`wake`](Self::wake) of any process.
    pub fn wait(&self, offset: usize, expected: u32, timeout: Option<Duration>) -> bool {
        procession_os::wait::wait(self.word32(offset), expected, timeout)
    }

    /// Sleeps while each of the words at these offsets holds the value beside it; returns as
    /// [`wait`](Self::wait).
    pub fn wait_any(&self, words: &[(usize, u32)], timeout: Option<Duration>) -> bool {
        if let [(offset, expected)] = words {
            return self.wait(*offset, *expected, timeout);
        }
        let words: Vec<_> =
            words.iter().map(|(offset, expected)| (self.word32(*offset), *expected)).collect();
        procession_os::wait::wait_any(&words, timeout)
    }

    /// Wakes one that sleeps on the word at `offset`.
    pub fn wake_one(&self, offset: usize) {
        procession_os::wait::wake_one(self.word32(offset));
    }

    /// As [`procession_os::life::take`].
    ///
    /// # Errors
    /// When the system cannot look after it.
    pub fn take_mark(&self, mark: usize) -> std::io::Result<bool> {
        procession_os::life::take(&self.mapping, mark)
    }

    /// As [`procession_os::life::announce`].
    pub fn announce_mark(&self, mark: usize) {
        procession_os::life::announce(&self.mapping, mark);
    }

    /// As [`procession_os::life::leave`].
    pub fn leave_mark(&self, mark: usize) {
        procession_os::life::leave(&self.mapping, mark);
    }

    /// As [`procession_os::life::prepare_to_sleep`], of the mark at `offset`.
    pub fn prepare_to_sleep(&self, offset: usize) -> u32 {
        procession_os::life::prepare_to_sleep(self.word32(offset))
    }

    /// Wakes everything that sleeps on the word at `offset`.
    pub fn wake(&self, offset: usize) {
        procession_os::wait::wake_all(self.word32(offset));
    }
}
