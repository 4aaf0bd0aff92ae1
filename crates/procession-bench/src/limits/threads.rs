//! Threads without a library: one counter of what has been taken.

use crate::harness::Outcome;
use crate::kernels::Kernel;
use crate::ours::work;
use crate::pace::time_once;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Has so many threads take numbers below `count` until none is left.
fn share_out(threads: usize, count: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    work(number);
                }
            });
        }
    });
}

/// Sleeps of so many milliseconds each, on four threads; the time for all, and how long each sleep
/// really was.
pub(crate) fn naps(millis: &[u64]) -> Outcome<(f64, Vec<u64>)> {
    let lengths: Vec<_> = millis.iter().map(|_| AtomicU64::new(0)).collect();
    let time = time_once(|| {
        share_out(4, millis.len(), |number| {
            lengths[number].store(work::timed_sleep(millis[number]), Ordering::Relaxed);
        });
        Ok(())
    })?;
    Ok((time, lengths.into_iter().map(AtomicU64::into_inner).collect()))
}

/// Nanoseconds of a kernel on all cores.
pub(crate) fn kernel(kernel: Kernel, units: u64) -> Outcome<Vec<f64>> {
    let results: Vec<_> = (0..units).map(|_| AtomicU64::new(0)).collect();
    let time = time_once(|| {
        share_out(procession::cpu_count(), results.len(), |number| {
            results[number].store(kernel.unit(number as u64).to_bits(), Ordering::Relaxed);
        });
        Ok(())
    })?;
    let results = results.into_iter().map(|bits| f64::from_bits(bits.into_inner()));
    kernel.check(units, &results.collect::<Vec<_>>())?;
    Ok(vec![time])
}

/// Nanoseconds of a kernel in one thread, over the number of cores: a perfect speed-up.
pub(crate) fn perfect(kernel: Kernel, units: u64) -> Outcome<Vec<f64>> {
    let time = time_once(|| {
        (0..units).for_each(|number| {
            black_box(kernel.unit(black_box(number)));
        });
        Ok(())
    })?;
    Ok(vec![time / procession::cpu_count() as f64])
}
