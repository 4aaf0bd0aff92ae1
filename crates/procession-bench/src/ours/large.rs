//! Large payloads.

use super::calls::end;
use super::work;
use crate::harness::Outcome;
use crate::pace::Pace;
use procession::Pool;

/// A vector of bytes there and back.
pub(crate) fn both_ways(size: usize, processes: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let pool = Pool::new(processes)?;
    let mut bytes = vec![1; size];
    let times = pace.time(|| {
        bytes = pool.apply(work::bytes_back, (std::mem::take(&mut bytes),))?;
        if bytes.len() == size { Ok(()) } else { Err("too few bytes".into()) }
    })?;
    end(&pool)?;
    Ok(times)
}

/// A vector of numbers there and back.
pub(crate) fn floats(count: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let pool = Pool::new(1)?;
    let mut floats = vec![1.5; count];
    let times = pace.time(|| {
        floats = pool.apply(work::floats_back, (std::mem::take(&mut floats),))?;
        if floats.len() == count { Ok(()) } else { Err("too few numbers".into()) }
    })?;
    end(&pool)?;
    Ok(times)
}

/// A vector of bytes as argument alone; made before the clock starts, or by each call as its caller
/// would, and then its pages are part of the price.
pub(crate) fn there(size: usize, pace: Pace, made_before: bool) -> Outcome<Vec<f64>> {
    let pool = Pool::new(1)?;
    let make = || vec![1_u8; size];
    let call = |bytes: Vec<u8>| {
        let length = pool.apply(work::length_of, (bytes,))?;
        if length == size as u64 { Ok(()) } else { Err("too few bytes".into()) }
    };
    let times =
        if made_before { pace.time_prepared(make, call)? } else { pace.time(|| call(make()))? };
    end(&pool)?;
    Ok(times)
}

/// A vector of bytes as result alone.
pub(crate) fn results(size: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let pool = Pool::new(1)?;
    let times = pace.time(|| {
        let bytes = pool.apply(work::make_bytes, (size as u64,))?;
        if bytes.len() == size { Ok(()) } else { Err("too few bytes".into()) }
    })?;
    end(&pool)?;
    Ok(times)
}
