//! Large payloads: what the memory itself can do.

#![allow(unsafe_code)]

use super::shared::Shared;
use crate::harness::Outcome;
use crate::pace::Pace;

/// Copies into warm shared memory: an argument there, and a result back if `ways` is two.
pub(crate) fn into_shared(bytes: usize, ways: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let memory = Shared::new(bytes)?;
    let source = vec![1; bytes];
    pace.time(|| {
        for _ in 0..ways {
            // SAFETY: no other process knows this memory.
            unsafe { memory.copy_in(0, &source) };
        }
        Ok(())
    })
}

/// The same into shared memory that is new each time: its pages are faulted in by the copy.
pub(crate) fn into_cold_shared(bytes: usize, ways: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let source = vec![1; bytes];
    pace.time(|| {
        for _ in 0..ways {
            let memory = Shared::cold(bytes)?;
            // SAFETY: no other process knows this memory.
            unsafe { memory.copy_in(0, &source) };
        }
        Ok(())
    })
}

/// In and out each way, between private memory that stays warm.
pub(crate) fn in_and_out(bytes: usize, ways: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let memory = Shared::new(bytes)?;
    let mut private = vec![1; bytes];
    pace.time(|| {
        for _ in 0..ways {
            // SAFETY: no other process knows this memory.
            unsafe { memory.copy_in(0, &private) };
            // SAFETY: as above.
            unsafe { memory.copy_out(0, &mut private) };
        }
        Ok(())
    })
}

/// In and out each way, each time out into a fresh vector, as a decoder that gives a vector away
/// must; with huge pages where the system gives some to who asks.
pub(crate) fn into_fresh_vectors(
    bytes: usize,
    ways: usize,
    pace: Pace,
    huge: bool,
) -> Outcome<Vec<f64>> {
    let memory = Shared::new(bytes)?;
    let mut private = vec![1; bytes];
    pace.time(|| {
        for _ in 0..ways {
            // SAFETY: no other process knows this memory.
            unsafe { memory.copy_in(0, &private) };
            let mut fresh = vec![0; bytes];
            if huge {
                ask_for_huge_pages(&mut fresh)?;
            }
            // SAFETY: as above.
            unsafe { memory.copy_out(0, &mut fresh) };
            private = fresh;
        }
        Ok(())
    })
}

fn ask_for_huge_pages(bytes: &mut [u8]) -> Outcome<()> {
    const PAGE: usize = 4096;
    let start = bytes.as_mut_ptr();
    let skipped = start.align_offset(PAGE);
    let length = bytes.len().saturating_sub(skipped) / PAGE * PAGE;
    let first = start.wrapping_add(skipped).cast();
    // SAFETY: whole pages inside the slice; the advice changes how they are backed, not what they
    // hold.
    unsafe { rustix::mm::madvise(first, length, rustix::mm::Advice::LinuxHugepage) }?;
    Ok(())
}
