//! Large pages by advice, and the knobs of glibc's allocator.

use std::mem::MaybeUninit;
use std::ptr;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

/// What the kernel gives as one page if it is advised to; on other processors than those with small
/// pages of 4 KiB it is more, and the advice for less is not taken.
const LARGE_PAGE_BYTES: usize = 2 << 20;

pub(crate) fn will_be_filled(memory: &mut [MaybeUninit<u8>]) {
    let start = memory.as_mut_ptr();
    let skip = start.align_offset(LARGE_PAGE_BYTES);
    let bytes = memory.len().saturating_sub(skip) / LARGE_PAGE_BYTES * LARGE_PAGE_BYTES;
    let Some(span) = memory.get_mut(skip..).and_then(|rest| rest.get_mut(..bytes)) else { return };
    if span.is_empty() {
        return;
    }
    // SAFETY: the span is borrowed by us alone, and this advice changes no contents. If the kernel
    // does not take it, nothing is lost but time.
    let _ = unsafe { madvise(span.as_mut_ptr().cast(), span.len(), Advice::LinuxHugepage) };
}

#[cfg(target_env = "gnu")]
pub(crate) fn keep_freed_blocks(bytes: usize) {
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
    // SAFETY: the call changes when memory is asked of the system and given back to it, no more.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, bytes) };
    // SAFETY: as above.
    unsafe { libc::mallopt(libc::M_TRIM_THRESHOLD, bytes) };
}

#[cfg(not(target_env = "gnu"))]
pub(crate) fn keep_freed_blocks(_bytes: usize) {}

pub(crate) fn has_room(bytes: usize) -> bool {
    let protection = ProtFlags::READ.union(ProtFlags::WRITE);
    // SAFETY: the kernel chooses where the mapping lies, so no other is touched.
    let block = unsafe { mmap_anonymous(ptr::null_mut(), bytes, protection, MapFlags::PRIVATE) };
    let Ok(block) = block else { return false };
    // SAFETY: it is the whole mapping that was just made, and nobody else has its address.
    let unmapped = unsafe { munmap(block, bytes) };
    debug_assert_eq!(unmapped, Ok(()), "a whole mapping can be unmapped");
    true
}
