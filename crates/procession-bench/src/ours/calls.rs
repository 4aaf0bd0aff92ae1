//! Small calls, one by one and many at once.

use super::work;
use crate::harness::{Outcome, Plan};
use crate::pace::{Body, Pace, time_once};
use procession::Pool;
use std::time::Duration;

/// Round trips to a pool of so many processes, by `apply`.
pub(crate) fn session(processes: usize, body: Body<'_>) -> Outcome<()> {
    let pool = Pool::new(processes)?;
    body(&mut |value| Ok(pool.apply(work::echo, (value,))?))?;
    end(&pool)
}

/// Nanoseconds a task: `apply_async` one by one, then `get` of each.
pub(crate) fn tasks(plan: Plan, processes: usize, count: u64) -> Outcome<Vec<f64>> {
    let pool = Pool::new(processes)?;
    let pace = Pace::steady(1, plan.pick(3, 1), Duration::from_secs(2));
    let times = pace.time(|| {
        let results: Vec<_> =
            (0..count).map(|number| pool.apply_async(work::echo, (number,))).collect();
        for (number, result) in (0..).zip(results) {
            if result.get()? != number {
                return Err("a wrong result".into());
            }
        }
        Ok(())
    })?;
    end(&pool)?;
    Ok(times.into_iter().map(|time| time / count as f64).collect())
}

/// Nanoseconds an integer of a map.
pub(crate) fn map(
    plan: Plan,
    processes: usize,
    chunk: Option<usize>,
    items: u64,
) -> Outcome<Vec<f64>> {
    let pool = Pool::new(processes)?;
    let run = || match chunk {
        Some(chunk) => pool.chunksize(chunk).map(work::square, 0..items),
        None => pool.map(work::square, 0..items),
    };
    pool.map(work::square, 0..1000)?;
    let mut samples = Vec::new();
    for _ in 0..plan.pick(3, 1) {
        let mut squares = Vec::new();
        let time = time_once(|| {
            squares = run()?;
            Ok(())
        })?;
        if !(0..items).map(work::square).eq(squares) {
            return Err("a wrong square".into());
        }
        samples.push(time / items as f64);
    }
    end(&pool)?;
    Ok(samples)
}

/// Nanoseconds an integer of a map that travels as one vector for each of two processes.
pub(crate) fn vectors(plan: Plan, items: u64) -> Outcome<Vec<f64>> {
    let pool = Pool::new(2)?;
    pool.map(work::square, 0..1000)?;
    let mut samples = Vec::new();
    for _ in 0..plan.pick(3, 1) {
        let time = time_once(|| {
            let halves = [0..items / 2, items / 2..items];
            let results =
                halves.map(|half| pool.apply_async(work::squares, (half.collect::<Vec<_>>(),)));
            let mut squares: Vec<u64> = Vec::new();
            for result in results {
                squares.extend(result.get()?);
            }
            if squares.len() as u64 == items { Ok(()) } else { Err("too few results".into()) }
        })?;
        samples.push(time / items as f64);
    }
    end(&pool)?;
    Ok(samples)
}

/// Ends a pool, and reports what went wrong unseen.
pub(super) fn end(pool: &Pool) -> Outcome<()> {
    pool.close();
    Ok(pool.join()?)
}
