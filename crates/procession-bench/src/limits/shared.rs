//! Memory that a fork shares with its parent.

#![allow(unsafe_code)]

use rustix::mm::{self, MapFlags, ProtFlags};
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// Shared anonymous memory.
#[derive(Debug)]
pub(crate) struct Shared {
    start: *mut u8,
    bytes: usize,
}

impl Shared {
    /// Memory with every page faulted in.
    pub(crate) fn new(bytes: usize) -> io::Result<Self> {
        Self::mapped(bytes, MapFlags::SHARED.union(MapFlags::POPULATE))
    }

    /// The same with no page faulted in.
    pub(crate) fn cold(bytes: usize) -> io::Result<Self> {
        Self::mapped(bytes, MapFlags::SHARED)
    }

    fn mapped(bytes: usize, flags: MapFlags) -> io::Result<Self> {
        let protection = ProtFlags::READ.union(ProtFlags::WRITE);
        // SAFETY: the kernel chooses a range that nothing uses.
        let start = unsafe { mm::mmap_anonymous(ptr::null_mut(), bytes, protection, flags) }?;
        Ok(Self { start: start.cast(), bytes })
    }

    fn at(&self, offset: usize, bytes: usize) -> *mut u8 {
        assert!(offset.checked_add(bytes).is_some_and(|end| end <= self.bytes));
        // SAFETY: the offset is inside the mapping, as just checked.
        unsafe { self.start.add(offset) }
    }

    /// The 32-bit word at an offset, which is a multiple of four.
    pub(crate) fn word32(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4));
        let word = self.at(offset, 4).cast();
        // SAFETY: inside the mapping and aligned (checked), alive as long as `self`, and words are
        // never accessed otherwise while they are.
        unsafe { AtomicU32::from_ptr(word) }
    }

    /// The 64-bit words from an offset on, which is a multiple of eight.
    pub(crate) fn words(&self, offset: usize, count: usize) -> &[AtomicU64] {
        assert!(offset.is_multiple_of(8));
        let first = self.at(offset, count * 8).cast::<AtomicU64>();
        // SAFETY: inside the mapping and aligned (checked), alive as long as `self`, initialized by
        // the kernel with zeros; atomics may change behind the reference.
        unsafe { std::slice::from_raw_parts(first, count) }
    }

    /// Copies bytes in at memcpy's speed.
    ///
    /// # Safety
    /// Nobody else, this process or another, accesses those bytes meanwhile.
    pub(crate) unsafe fn copy_in(&self, offset: usize, from: &[u8]) {
        let to = self.at(offset, from.len());
        // SAFETY: room for all bytes was checked; private and shared memory do not overlap; the
        // caller keeps others away.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
        // A copy that is made twice, or back, is a copy all the same: the optimizer must not know.
        std::hint::black_box(to);
    }

    /// Copies bytes out at memcpy's speed.
    ///
    /// # Safety
    /// Nobody, this process or another, writes those bytes meanwhile.
    pub(crate) unsafe fn copy_out(&self, offset: usize, to: &mut [u8]) {
        let from = self.at(offset, to.len());
        // SAFETY: as in `copy_in`, the other way.
        unsafe { ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
        std::hint::black_box(to);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the very range that was mapped, whose references have all ended.
        let unmapped = unsafe { mm::munmap(self.start.cast(), self.bytes) };
        debug_assert!(unmapped.is_ok(), "a whole mapping can always be unmapped");
    }
}
