//! Data that is put once and read by all workers: what is sent, what is copied, what is left.

mod everywhere;
mod lives;
mod refusals;

use procession::{Pool, SharedSlice};
use std::fs;
use std::time::Duration;

pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// A fixed pattern that no page repeats.
pub(crate) fn pattern(index: u64) -> u64 {
    index.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17)
}

pub(crate) fn patterned(len: usize) -> SharedSlice<u64> {
    let fill = |items: &mut [u64]| {
        items.iter_mut().zip(0..).for_each(|(item, index)| *item = pattern(index));
    };
    SharedSlice::with(len, fill).unwrap()
}

pub(crate) fn is_patterned(slice: &[u64], from: u64) -> bool {
    slice.iter().zip(from..).all(|(item, index)| *item == pattern(index))
}

/// How many pieces of shared data this process has mapped.
pub(crate) fn mapped() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("procession-shared")).count()
}

pub(crate) fn finish(pool: Pool) {
    pool.close();
    pool.join().unwrap();
}
