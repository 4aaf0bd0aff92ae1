//! Large payloads.

use super::calls::end;
use super::work;
use crate::harness::Outcome;
use crate::pace::Pace;
use procession::Pool;

/// A vector of bytes there and back.
pub(crate) fn both_ways(size: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let pool = Pool::new(1)?;
    let mut bytes = vec![1; size];
    let times = pace.time(|| {
        bytes = pool.apply(work::bytes_back, (std::mem::take(&mut bytes),))?;
        if bytes.len() == size { Ok(()) } else { Err("too few bytes".into()) }
    })?;
    end(&pool)?;
    Ok(times)
}

/// A vector of bytes as argument alone.
pub(crate) fn there(size: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let pool = Pool::new(1)?;
    let mut bytes = Some(vec![1; size]);
    let times = pace.time(|| {
        // Given away with each call and made again for the next one, as a caller would: its pages
        // are part of the price.
        let argument = bytes.take().unwrap_or_else(|| vec![1; size]);
        let length = pool.apply(work::length_of, (argument,))?;
        if length == size as u64 { Ok(()) } else { Err("too few bytes".into()) }
    })?;
    end(&pool)?;
    Ok(times)
}
