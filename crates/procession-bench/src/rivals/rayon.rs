//! rayon: threads, nothing crosses a process.

use crate::harness::{Outcome, Plan};
use crate::pace::{Body, Pace, time_once};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};
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

/// Nanoseconds a task: `spawn` each, with a handle of its own, then wait for all.
pub(crate) fn tasks(plan: Plan, threads: usize, count: u64) -> Outcome<Vec<f64>> {
    let pool = pool(threads)?;
    let pace = Pace::steady(1, plan.pick(3, 1), Duration::from_secs(2));
    let times = pace.time(|| {
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
    })?;
    Ok(times.into_iter().map(|time| time / count as f64).collect())
}

/// Nanoseconds an integer of a parallel map into a vector.
pub(crate) fn map(plan: Plan, threads: usize, items: u64) -> Outcome<Vec<f64>> {
    let pool = pool(threads)?;
    (0..plan.pick(3, 1))
        .map(|_| {
            let time = time_once(|| {
                let squares: Vec<u64> =
                    pool.install(|| (0..items).into_par_iter().map(|x| x * x).collect());
                std::hint::black_box(&squares);
                Ok(())
            })?;
            Ok(time / items as f64)
        })
        .collect()
}

/// A pool from nothing to its first result.
pub(crate) fn pool_start(plan: Plan) -> Outcome<Vec<f64>> {
    (0..plan.pick(20, 2))
        .map(|_| {
            let mut made = None;
            let time = time_once(|| {
                let pool = pool(2)?;
                pool.install(|| std::hint::black_box(1));
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
    pool.install(|| std::hint::black_box(1));
    measure()
}
