//! Starts, ends, and what happens in between when nothing happens.

use super::calls::end;
use super::work;
use crate::harness::{Outcome, Plan};
use crate::pace::{Pace, time_once};
use procession::{Pool, Process};
use std::time::Duration;

/// A process that does nothing, not started yet.
pub(crate) type MakeProcess = fn() -> Process<()>;

/// Start methods, and a process by each.
pub(crate) const START_METHODS: &[(&str, MakeProcess)] =
    &[("spawn", || Process::new(work::nothing, ()))];

/// A process from its start to its end.
pub(crate) fn start_join(make: MakeProcess, pace: Pace) -> Outcome<Vec<f64>> {
    pace.time(|| {
        let mut process = make();
        process.start()?;
        process.join()?;
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
                pool.apply(work::echo, (1,))?;
                made = Some(pool);
                Ok(())
            });
            drop(made);
            time
        })
        .collect()
}

/// Five sleeps on four processes, from the pool's start to its end.
pub(crate) fn sleeps(nap: Duration) -> Outcome<Vec<f64>> {
    let time = time_once(|| {
        let pool = Pool::new(4)?;
        let millis = nap.as_millis() as u64;
        let naps: Vec<_> = (0..5).map(|_| pool.apply_async(work::sleep, (millis,))).collect();
        end(&pool)?;
        for nap in naps {
            nap.get()?;
        }
        Ok(())
    })?;
    Ok(vec![time])
}

/// A pool that has worked once and is kept idle for a while.
pub(crate) fn idle(processes: usize, measure: &mut dyn FnMut() -> Outcome<()>) -> Outcome<()> {
    let pool = Pool::new(processes)?;
    pool.map(work::echo, 0..1000)?;
    measure()?;
    end(&pool)
}
