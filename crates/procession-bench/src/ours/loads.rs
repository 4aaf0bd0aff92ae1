//! Loads that take their time: sleeps and kernels.

use super::calls::end;
use super::shape::Shape;
use super::work;
use crate::harness::Outcome;
use crate::kernels::Kernel;
use crate::pace::time_once;
use procession::Pool;

/// Sleeps of so many milliseconds each, on four processes; the time for all, and how long each
/// sleep really was.
pub(crate) fn naps(millis: &[u64]) -> Outcome<(f64, Vec<u64>)> {
    let pool = Pool::new(4)?;
    pool.chunksize(1).map(work::timed_sleep, [1; 4])?;
    let mut lengths = Vec::new();
    let time = time_once(|| {
        let naps: Vec<_> =
            millis.iter().map(|nap| pool.apply_async(work::timed_sleep, (*nap,))).collect();
        for nap in naps {
            lengths.push(nap.get()?);
        }
        Ok(())
    })?;
    end(&pool)?;
    Ok((time, lengths))
}

/// Nanoseconds of a kernel: `map` over its units.
pub(crate) fn kernel(
    kernel: Kernel,
    units: u64,
    shape: Shape,
    chunk: Option<usize>,
) -> Outcome<Vec<f64>> {
    let pool = shape.pool()?;
    pool.map(work::echo, 0..1000)?;
    let numbers = (0..units).map(|number| (kernel, number));
    let mut results = Vec::new();
    let time = time_once(|| {
        results = match chunk {
            Some(chunk) => pool.chunksize(chunk).map(Kernel::unit_of, numbers)?,
            None => pool.map(Kernel::unit_of, numbers)?,
        };
        Ok(())
    })?;
    end(&pool)?;
    kernel.check(units, &results)?;
    Ok(vec![time])
}
