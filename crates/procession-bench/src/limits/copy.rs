//! Large payloads: what the memory itself can do.

#![allow(unsafe_code)]

use super::shared::Shared;
use crate::harness::Outcome;
use crate::pace::Pace;

/// One copy into warm shared memory each way: an argument there, a result back.
pub(crate) fn once_each_way(bytes: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let mut memory = Shared::new(bytes)?;
    let source = vec![1; bytes];
    pace.time(|| {
        memory.copy_in(&source);
        memory.copy_in(&source);
        Ok(())
    })
}

/// In and out each way, between private memory that stays warm.
pub(crate) fn twice_each_way(bytes: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let mut memory = Shared::new(bytes)?;
    let mut private = vec![1; bytes];
    pace.time(|| {
        for _ in 0..2 {
            memory.copy_in(&private);
            memory.copy_out(&mut private);
        }
        Ok(())
    })
}

/// In and out each way, each time out into a fresh vector, as a decoder that gives a vector away
/// must; with huge pages where the system gives some to who asks.
pub(crate) fn into_fresh_vectors(bytes: usize, pace: Pace, huge: bool) -> Outcome<Vec<f64>> {
    let mut memory = Shared::new(bytes)?;
    let mut private = vec![1; bytes];
    pace.time(|| {
        for _ in 0..2 {
            memory.copy_in(&private);
            let mut fresh = vec![0; bytes];
            if huge {
                ask_for_huge_pages(&mut fresh)?;
            }
            memory.copy_out(&mut fresh);
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
