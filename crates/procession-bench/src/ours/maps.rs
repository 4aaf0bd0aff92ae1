//! The map family.

use super::calls::end;
use super::items::{Item, is_right, items, work_on, work_on_all};
use super::shape::Shape;
use crate::harness::{Outcome, Plan};
use crate::pace::time_once;
use procession::Pool;

/// Nanoseconds an item of `map`.
pub(crate) fn map<T: Item>(
    plan: Plan,
    shape: Shape,
    chunk: Option<usize>,
    count: u64,
) -> Outcome<Vec<f64>> {
    repeated::<T>(plan, shape, count, true, |pool, items| {
        Ok(match chunk {
            Some(chunk) => pool.chunksize(chunk).map(work_on::<T>, items)?,
            None => pool.map(work_on::<T>, items)?,
        })
    })
}

/// Nanoseconds an item of `imap_unordered`.
pub(crate) fn unordered<T: Item>(
    plan: Plan,
    shape: Shape,
    chunk: Option<usize>,
    count: u64,
) -> Outcome<Vec<f64>> {
    repeated::<T>(plan, shape, count, false, |pool, items| {
        Ok(match chunk {
            Some(chunk) => pool
                .chunksize(chunk)
                .imap_unordered(work_on::<T>, items)
                .collect::<procession::Result<_>>()?,
            None => pool.imap_unordered(work_on::<T>, items).collect::<procession::Result<_>>()?,
        })
    })
}

/// Nanoseconds an item of a map that travels as one vector for each of two processes.
pub(crate) fn vectors<T: Item>(plan: Plan, count: u64) -> Outcome<Vec<f64>> {
    repeated::<T>(plan, Shape::Processes(2), count, true, |pool, mut items| {
        let second = items.split_off(items.len() / 2);
        let halves = [items, second];
        let halves = halves.map(|half| pool.apply_async(work_on_all::<T>, (half,)));
        let mut results = Vec::new();
        for half in halves {
            results.extend(half.get()?);
        }
        Ok(results)
    })
}

/// Times some maps on a warm pool; the items are there before the clock starts.
fn repeated<T: Item>(
    plan: Plan,
    shape: Shape,
    count: u64,
    is_ordered: bool,
    run: impl Fn(&Pool, Vec<T>) -> Outcome<Vec<T>>,
) -> Outcome<Vec<f64>> {
    let pool = shape.pool()?;
    pool.map(work_on::<T>, items(1000))?;
    let mut samples = Vec::new();
    for _ in 0..plan.pick(3, 1) {
        let all = items(count);
        let mut results = Vec::new();
        let time = time_once(|| {
            results = run(&pool, all)?;
            Ok(())
        })?;
        let right =
            if is_ordered { is_right(count, &results) } else { results.len() as u64 == count };
        if !right {
            return Err("wrong results".into());
        }
        samples.push(time / count as f64);
    }
    end(&pool)?;
    Ok(samples)
}
