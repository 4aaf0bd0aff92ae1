//! procspawn: functions in other processes, over ipc-channel.

use crate::harness::{Outcome, Plan};
use crate::ours::work;
use crate::pace::{Body, Pace, time_once};
use procspawn::Pool;
use std::time::Duration;

/// Round trips to a pool of one.
pub(crate) fn session(body: Body<'_>) -> Outcome<()> {
    let pool = Pool::new(1)?;
    body(&mut |value| Ok(pool.spawn(value, work::echo).join()?))
}

/// Nanoseconds a task: spawned one by one, then joined.
pub(crate) fn tasks(plan: Plan, count: u64) -> Outcome<Vec<f64>> {
    let pool = Pool::new(1)?;
    pool.spawn(0, work::echo).join()?;
    let times = Pace::steady(0, plan.pick(3, 1), Duration::from_secs(2)).time(|| {
        let handles: Vec<_> = (0..count).map(|number| pool.spawn(number, work::echo)).collect();
        for (number, handle) in (0..).zip(handles) {
            if handle.join()? != number {
                return Err("a wrong result".into());
            }
        }
        Ok(())
    })?;
    Ok(times.into_iter().map(|time| time / count as f64).collect())
}

/// Nanoseconds an integer of a map, one vector for each of two processes.
pub(crate) fn map(plan: Plan, items: u64) -> Outcome<Vec<f64>> {
    let pool = Pool::new(2)?;
    pool.spawn(0, work::echo).join()?;
    (0..plan.pick(3, 1))
        .map(|_| {
            let time = time_once(|| {
                let halves = [0..items / 2, items / 2..items];
                let handles =
                    halves.map(|half| pool.spawn(half.collect::<Vec<_>>(), work::squares));
                let mut squares: Vec<u64> = Vec::new();
                for handle in handles {
                    squares.extend(handle.join()?);
                }
                if squares.len() as u64 == items { Ok(()) } else { Err("too few results".into()) }
            })?;
            Ok(time / items as f64)
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

/// A vector of bytes there and back.
pub(crate) fn bytes(size: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let pool = Pool::new(1)?;
    let mut bytes = vec![1; size];
    pace.time(|| {
        bytes = pool.spawn(std::mem::take(&mut bytes), work::bytes_back).join()?;
        if bytes.len() == size { Ok(()) } else { Err("too few bytes".into()) }
    })
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
