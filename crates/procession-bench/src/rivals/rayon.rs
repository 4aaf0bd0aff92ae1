//! rayon: threads, nothing crosses a process.

use crate::harness::{Outcome, Plan};
use crate::kernels::Kernel;
use crate::ours::calls::in_threads;
use crate::ours::items::{Item, items};
use crate::ours::work;
use crate::pace::{Body, Pace, time_once};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn pool(threads: usize) -> Outcome<ThreadPool> {
    Ok(ThreadPoolBuilder::new().num_threads(threads).build()?)
}

/// Round trips by `install`, which runs a closure on the pool and waits for it.
pub(crate) fn session(body: Body<'_>) -> Outcome<()> {
    let pool = pool(1)?;
    body(&mut |value| Ok(pool.install(|| value)))
}

/// Nanoseconds a task: `spawn` each, with a handle of its own, then wait for all; a share from each
/// of some submitting threads.
pub(crate) fn tasks(
    pace: Pace,
    submitters: usize,
    threads: usize,
    count: u64,
) -> Outcome<Vec<f64>> {
    let pool = pool(threads)?;
    let share = count / submitters as u64;
    let times = pace.time(|| in_threads(submitters, || burst(&pool, share)))?;
    Ok(times.into_iter().map(|time| time / (share * submitters as u64) as f64).collect())
}

fn burst(pool: &ThreadPool, count: u64) -> Outcome<()> {
    let mut handles = Vec::with_capacity(count as usize);
    pool.in_place_scope(|scope| {
        for number in 1..=count {
            let handle = Arc::new(AtomicU64::new(0));
            handles.push(handle.clone());
            scope.spawn(move |_| handle.store(number, Ordering::Release));
        }
    });
    let right = (1..).zip(&handles).all(|(i, h)| h.load(Ordering::Acquire) == i);
    if right { Ok(()) } else { Err("a wrong result".into()) }
}

/// Nanoseconds an item of a parallel map into a vector.
pub(crate) fn map<T: Item>(plan: Plan, threads: usize, count: u64) -> Outcome<Vec<f64>> {
    let pool = pool(threads)?;
    (0..plan.pick(3, 1))
        .map(|_| {
            let all = items::<T>(count);
            let time = time_once(|| {
                let results: Vec<T> =
                    pool.install(|| black_box(all).into_par_iter().map(T::work).collect());
                black_box(&results);
                Ok(())
            })?;
            Ok(time / count as f64)
        })
        .collect()
}

/// Tasks that wait while the pool's only thread is held.
pub(crate) fn queued(count: u64, measure: &mut dyn FnMut() -> Outcome<()>) -> Outcome<()> {
    let pool = pool(1)?;
    let (open, gate) = std::sync::mpsc::channel::<()>();
    pool.spawn(move || {
        // Ends by an error when the other end is dropped, which is what opens the gate.
        let _ = gate.recv();
    });
    let handles: Vec<_> = (1..=count)
        .map(|number| {
            let handle = Arc::new(AtomicU64::new(0));
            let stored = handle.clone();
            pool.spawn(move || stored.store(number, Ordering::Release));
            handle
        })
        .collect();
    let measured = measure();
    drop(open);
    black_box(&handles);
    measured
}

/// Sleeps of so many milliseconds each, on four threads, taken in their order; the time for all, and
/// how long each sleep really was.
pub(crate) fn naps(millis: &[u64]) -> Outcome<(f64, Vec<u64>)> {
    let pool = pool(4)?;
    let lengths: Vec<_> = millis.iter().map(|_| AtomicU64::new(0)).collect();
    let time = time_once(|| {
        pool.scope_fifo(|scope| {
            for (nap, length) in millis.iter().zip(&lengths) {
                scope.spawn_fifo(|_| length.store(work::timed_sleep(*nap), Ordering::Relaxed));
            }
        });
        Ok(())
    })?;
    Ok((time, lengths.into_iter().map(AtomicU64::into_inner).collect()))
}

/// Nanoseconds of a kernel, a parallel iterator over its units.
pub(crate) fn kernel(kernel: Kernel, units: u64) -> Outcome<Vec<f64>> {
    let pool = pool(procession::cpu_count())?;
    pool.install(|| black_box(1));
    let time = time_once(|| {
        let units_done: Vec<f64> =
            pool.install(|| (0..units).into_par_iter().map(|unit| kernel.unit(unit)).collect());
        kernel.check(units, &units_done)
    })?;
    Ok(vec![time])
}

/// A pool from nothing to its first result.
pub(crate) fn pool_start(plan: Plan) -> Outcome<Vec<f64>> {
    (0..plan.pick(20, 2))
        .map(|_| {
            let mut made = None;
            let time = time_once(|| {
                let pool = pool(2)?;
                pool.install(|| black_box(1));
                made = Some(pool);
                Ok(())
            });
            drop(made);
            time
        })
        .collect()
}

/// Five sleeps on four threads, from the pool's start to its end.
pub(crate) fn sleeps(nap: Duration) -> Outcome<Vec<f64>> {
    let time = time_once(|| {
        let pool = pool(4)?;
        pool.scope(|scope| (0..5).for_each(|_| scope.spawn(move |_| std::thread::sleep(nap))));
        Ok(())
    })?;
    Ok(vec![time])
}

/// A pool that has worked once and is kept idle for a while.
pub(crate) fn idle(threads: usize, measure: &mut dyn FnMut() -> Outcome<()>) -> Outcome<()> {
    let pool = pool(threads)?;
    pool.install(|| black_box(1));
    measure()
}
