//! Small calls, one by one and many at once.

use super::shape::Shape;
use super::work;
use crate::harness::Outcome;
use crate::pace::{Body, Pace};
use procession::Pool;

/// Round trips to a pool, by `apply`.
pub(crate) fn session(shape: Shape, body: Body<'_>) -> Outcome<()> {
    let pool = shape.pool()?;
    body(&mut |value| Ok(pool.apply(work::echo, (value,))?))?;
    end(&pool)
}

/// Nanoseconds a task: `apply_async` one by one, then `get` of each; a share from each thread.
pub(crate) fn tasks(pace: Pace, threads: usize, shape: Shape, count: u64) -> Outcome<Vec<f64>> {
    let pool = shape.pool()?;
    let share = count / threads as u64;
    let times = pace.time(|| in_threads(threads, || burst(&pool, share)))?;
    end(&pool)?;
    Ok(times.into_iter().map(|time| time / (share * threads as u64) as f64).collect())
}

/// Submits tasks one by one, then takes all results.
pub(crate) fn burst(pool: &Pool, count: u64) -> Outcome<()> {
    let results: Vec<_> =
        (0..count).map(|number| pool.apply_async(work::echo, (number,))).collect();
    for (number, result) in (0..).zip(results) {
        if result.get()? != number {
            return Err("a wrong result".into());
        }
    }
    Ok(())
}

/// Does the same in so many threads; in this one if it is one.
pub(crate) fn in_threads(threads: usize, work: impl Fn() -> Outcome<()> + Sync) -> Outcome<()> {
    if threads == 1 {
        return work();
    }
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(&work)).collect();
        started.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err("a submitting thread panicked".into()))
        })
    })
}

/// Ends a pool, and reports what went wrong unseen.
pub(super) fn end(pool: &Pool) -> Outcome<()> {
    pool.close();
    Ok(pool.join()?)
}
