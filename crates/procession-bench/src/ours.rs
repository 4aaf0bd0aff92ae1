//! What procession costs.

use crate::limits::unique_memory;
use crate::sample::micros;
use procession::{Pool, Process, Result};
use std::time::{Duration, Instant};

fn echo(x: u64) -> u64 {
    x
}

fn length(bytes: Vec<u8>) -> usize {
    bytes.len()
}

/// Lets the pool learn how long things take.
pub(crate) fn warm_up(pool: &Pool) -> Result<()> {
    for x in 0..1000 {
        pool.apply(echo, (x,))?;
    }
    pool.map(echo, 0..10_000)?;
    Ok(())
}

/// Microseconds of a call that waits for its result.
pub(crate) fn round_trip(pool: &Pool, count: usize) -> Result<f64> {
    let start = Instant::now();
    for x in 0..count as u64 {
        assert_eq!(pool.apply(echo, (x,))?, x);
    }
    Ok(micros(start, count))
}

/// Microseconds of the same after a pause, with parent and worker asleep.
pub(crate) fn sleepy_round_trip(pool: &Pool, count: usize, pause: Duration) -> Result<f64> {
    let mut total = 0.0;
    for x in 0..count as u64 {
        std::thread::sleep(pause);
        let start = Instant::now();
        pool.apply(echo, (x,))?;
        total += micros(start, 1);
    }
    Ok(total / count as f64)
}

/// Microseconds of a task when all are submitted one by one and then taken.
pub(crate) fn stream(pool: &Pool, count: usize) -> Result<f64> {
    let start = Instant::now();
    let results: Vec<_> = (0..count as u64).map(|x| pool.apply_async(echo, (x,))).collect();
    for (x, result) in (0..).zip(results) {
        assert_eq!(result.get()?, x);
    }
    Ok(micros(start, count))
}

/// Microseconds of an item of a map.
pub(crate) fn map(pool: &Pool, count: u64) -> Result<f64> {
    let start = Instant::now();
    assert_eq!(pool.map(echo, 0..count)?.len() as u64, count);
    Ok(micros(start, count as usize))
}

/// Milliseconds to get a large argument to a worker.
pub(crate) fn large_argument(pool: &Pool, bytes: usize) -> Result<f64> {
    let argument = vec![1_u8; bytes];
    let start = Instant::now();
    assert_eq!(pool.apply(length, (argument,))?, bytes);
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// Milliseconds from the start of a process to the end of its join.
pub(crate) fn process() -> Result<f64> {
    let start = Instant::now();
    let mut process = Process::new(echo, (1,));
    process.start()?;
    process.join()?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// Memory of an idle worker, in KiB.
pub(crate) fn worker_memory(pool: &Pool) -> f64 {
    std::thread::sleep(Duration::from_millis(100));
    pool.worker_pids().first().map_or(0.0, |pid| unique_memory(*pid))
}
