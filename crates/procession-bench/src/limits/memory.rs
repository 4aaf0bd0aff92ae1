//! Memory: the least that something which waits can take.

#![allow(unsafe_code)]

use crate::harness::Outcome;
use crate::pace::time_once;
use std::hint::black_box;

/// Has the allocator give what nobody uses back to the system.
pub(crate) fn give_back() {
    // SAFETY: has no conditions; it only looks at memory that is free.
    let gave = unsafe { libc::malloc_trim(0) };
    // Whether there was any does not matter.
    black_box(gave);
}

/// So many numbers in an allocation each.
pub(crate) fn boxed(count: u64, measure: &mut dyn FnMut() -> Outcome<()>) -> Outcome<()> {
    let boxes: Vec<Box<u64>> = (0..count).map(Box::new).collect();
    let measured = measure();
    black_box(&boxes);
    measured
}

/// Nanoseconds for making one of those.
pub(crate) fn allocate(count: u64) -> Outcome<Vec<f64>> {
    let time = time_once(|| boxed(count, &mut || Ok(())))?;
    Ok(vec![time / count as f64])
}
