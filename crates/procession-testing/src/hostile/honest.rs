//! Work whose results are known.

use std::sync::atomic::{AtomicBool, Ordering};

/// This process has gone mad.
static IS_MAD: AtomicBool = AtomicBool::new(false);

/// The first number of every honest result that may lie in a segment of its own.
pub(super) const SEAL: u64 = 0x6f6e_6573_7468_0001;

/// From now on no honest work is done in this process.
pub(super) fn forswear() {
    IS_MAD.store(true, Ordering::SeqCst);
}

/// Ends a process that has gone mad, before it answers an honest question.
fn refuse_if_mad() {
    if IS_MAD.load(Ordering::SeqCst) {
        crate::send(std::process::id() as i32, libc::SIGKILL);
    }
}

/// Mixes bits (the finalizer of splitmix64).
pub(super) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A tiny task, or an item of a map.
pub(super) fn small(x: u64) -> (u64, u64) {
    refuse_if_mad();
    (x, mix(x))
}

/// A task with a large argument.
pub(super) fn digest(numbers: Vec<u64>) -> u64 {
    refuse_if_mad();
    fold(&numbers)
}

/// What [`digest`] answers.
pub(super) fn fold(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0, |sum, number| mix(sum ^ number))
}

/// A task with a large result.
pub(super) fn expand(seed: u64, count: u64) -> Vec<u64> {
    refuse_if_mad();
    expanded(seed, count)
}

/// What [`expand`] answers.
pub(super) fn expanded(seed: u64, count: u64) -> Vec<u64> {
    std::iter::once(SEAL).chain((0..count).map(|index| mix(seed ^ index))).collect()
}
