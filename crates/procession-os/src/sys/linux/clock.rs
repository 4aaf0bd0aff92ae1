//! `CLOCK_MONOTONIC_COARSE` (`clock_gettime(2)`).

use rustix::time::{ClockId, clock_gettime};

#[inline]
pub(crate) fn coarse_ns() -> u64 {
    let time = clock_gettime(ClockId::MonotonicCoarse);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}
