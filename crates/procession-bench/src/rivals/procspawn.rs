//! procspawn: functions in other processes, over ipc-channel.

use crate::harness::{Outcome, Plan};
use crate::kernels::Kernel;
use crate::ours::calls::in_threads;
use crate::ours::items::{Item, items, work_on_all};
use crate::ours::work;
use crate::pace::{Body, Pace, time_once};
use procspawn::Pool;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// Round trips to a pool of one.
pub(crate) fn session(body: Body<'_>) -> Outcome<()> {
    let pool = Pool::new(1)?;
    body(&mut |value| Ok(pool.spawn(value, work::echo).join()?))
}

/// Nanoseconds a task: spawned one by one, then joined; a share from each thread.
pub(crate) fn tasks(pace: Pace, threads: usize, count: u64) -> Outcome<Vec<f64>> {
    let pool = Pool::new(1)?;
    pool.spawn(0, work::echo).join()?;
    let share = count / threads as u64;
    let burst = || {
        let handles: Vec<_> = (0..share).map(|number| pool.spawn(number, work::echo)).collect();
        for (number, handle) in (0..).zip(handles) {
            if handle.join()? != number {
                return Err("a wrong result".into());
            }
        }
        Ok(())
    };
    let times = pace.time(|| in_threads(threads, burst))?;
    Ok(times.into_iter().map(|time| time / (share * threads as u64) as f64).collect())
}

/// Nanoseconds an item of a map, one vector for each of two processes.
pub(crate) fn map<T: Item>(plan: Plan, count: u64) -> Outcome<Vec<f64>> {
    let pool = Pool::new(2)?;
    pool.spawn(0, work::echo).join()?;
    (0..plan.pick(3, 1))
        .map(|_| {
            let mut first = items::<T>(count);
            let second = first.split_off(first.len() / 2);
            let time = time_once(|| {
                let halves = [first, second];
                let handles = halves.map(|half| pool.spawn(half, work_on_all::<T>));
                let mut results = Vec::new();
                for handle in handles {
                    results.extend(handle.join()?);
                }
                if results.len() as u64 == count { Ok(()) } else { Err("too few results".into()) }
            })?;
            Ok(time / count as f64)
        })
        .collect()
}

/// A process from its start to its end.
pub(crate) fn start_join(pace: Pace) -> Outcome<Vec<f64>> {
    pace.time(|| {
        procspawn::spawn((), work::unit).join()?;
        Ok(())
    })
}

/// A pool from nothing to its first result.
pub(crate) fn pool_start(plan: Plan) -> Outcome<Vec<f64>> {
    (0..plan.pick(20, 2))
        .map(|_| {
            let mut made = None;
            let time = time_once(|| {
                let pool = Pool::new(2)?;
                pool.spawn(1, work::echo).join()?;
                made = Some(pool);
                Ok(())
            });
            if let Some(pool) = made {
                pool.shutdown();
            }
            time
        })
        .collect()
}

/// Calls with an argument that comes back, of so many elements.
fn exchanged<T>(value: Vec<T>, back: fn(Vec<T>) -> Vec<T>, pace: Pace) -> Outcome<Vec<f64>>
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    let pool = Pool::new(1)?;
    let count = value.len();
    let mut value = value;
    pace.time(|| {
        value = pool.spawn(std::mem::take(&mut value), back).join()?;
        if value.len() == count { Ok(()) } else { Err("too few elements".into()) }
    })
}

/// A vector of bytes there and back.
pub(crate) fn bytes(size: usize, pace: Pace) -> Outcome<Vec<f64>> {
    exchanged(vec![1; size], work::bytes_back, pace)
}

/// A vector of numbers there and back.
pub(crate) fn floats(count: usize, pace: Pace) -> Outcome<Vec<f64>> {
    exchanged(vec![1.5; count], work::floats_back, pace)
}

/// A vector of bytes as result alone.
pub(crate) fn results(size: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let pool = Pool::new(1)?;
    pace.time(|| {
        let bytes = pool.spawn(size as u64, work::make_bytes).join()?;
        if bytes.len() == size { Ok(()) } else { Err("too few bytes".into()) }
    })
}

/// A vector of bytes as argument alone, made before the clock starts.
pub(crate) fn argument(size: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let pool = Pool::new(1)?;
    pace.time_prepared(
        || vec![1; size],
        |bytes| {
            let length = pool.spawn(bytes, work::length_of).join()?;
            if length == size as u64 { Ok(()) } else { Err("too few bytes".into()) }
        },
    )
}

/// Sleeps of so many milliseconds each, on four processes; the time for all, and how long each
/// sleep really was.
pub(crate) fn naps(millis: &[u64]) -> Outcome<(f64, Vec<u64>)> {
    let pool = Pool::new(4)?;
    let warm: Vec<_> = (0..4).map(|_| pool.spawn(1, work::timed_sleep)).collect();
    warm.into_iter().try_for_each(|nap| nap.join().map(drop))?;
    let mut lengths = Vec::new();
    let time = time_once(|| {
        let naps: Vec<_> = millis.iter().map(|nap| pool.spawn(*nap, work::timed_sleep)).collect();
        for nap in naps {
            lengths.push(nap.join()?);
        }
        Ok(())
    })?;
    Ok((time, lengths))
}

/// Nanoseconds of a kernel: a block of its units for each of two processes.
pub(crate) fn kernel(kernel: Kernel, units: u64) -> Outcome<Vec<f64>> {
    let pool = Pool::new(2)?;
    pool.spawn(0, work::echo).join()?;
    let time = time_once(|| {
        let blocks = (0..8).map(|block| (kernel, units * block / 8, units * (block + 1) / 8));
        let blocks: Vec<_> = blocks.map(|block| pool.spawn(block, Kernel::block)).collect();
        let mut results = Vec::new();
        for block in blocks {
            results.extend(block.join()?);
        }
        kernel.check(units, &results)
    })?;
    Ok(vec![time])
}

/// Five sleeps on four processes, from the pool's start to its end.
pub(crate) fn sleeps(nap: Duration) -> Outcome<Vec<f64>> {
    let time = time_once(|| {
        let pool = Pool::new(4)?;
        let millis = nap.as_millis() as u64;
        let handles: Vec<_> = (0..5).map(|_| pool.spawn(millis, work::sleep)).collect();
        for handle in handles {
            handle.join()?;
        }
        pool.shutdown();
        Ok(())
    })?;
    Ok(vec![time])
}

/// A pool that has worked once and is kept idle for a while.
pub(crate) fn idle(processes: usize, measure: &mut dyn FnMut() -> Outcome<()>) -> Outcome<()> {
    let pool = Pool::new(processes)?;
    pool.spawn(1, work::echo).join()?;
    measure()
}
