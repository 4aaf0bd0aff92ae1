//! Starts, ends, and what happens in between when nothing happens.

#![allow(unsafe_code)]

use super::calls::end;
use super::work;
use crate::harness::{Outcome, Plan};
use crate::pace::{Pace, time_once};
use crate::population::unique_bytes;
use procession::{Pool, Process, StartMethod};
use std::time::Duration;

/// All start methods, the one that is used unless told first.
pub(crate) const START_METHODS: [StartMethod; 3] =
    [StartMethod::ForkServer, StartMethod::Spawn, StartMethod::Fork];

/// Lets this program be forked though the watchdog has a thread.
fn allow(method: StartMethod) {
    if method == StartMethod::Fork {
        // SAFETY: the other threads of this program are the watchdog's, which sleeps on a channel of
        // its own that no child touches, and what rivals leave behind, which sleeps when it is ours
        // that has its turn.
        unsafe { procession::allow_fork_with_threads() };
    }
}

/// A process from its start to its end.
pub(crate) fn start_join(method: StartMethod, pace: Pace) -> Outcome<Vec<f64>> {
    allow(method);
    pace.time(|| {
        let mut process = Process::new(work::nothing, ()).start_method(method);
        process.start()?;
        process.join()?;
        Ok(())
    })
}

/// A pool from nothing to its first result; what the program makes once is there already.
pub(crate) fn pool_start(method: StartMethod, plan: Plan) -> Outcome<Vec<f64>> {
    allow(method);
    let make = || -> Outcome<Pool> {
        let pool = Pool::builder().processes(2).start_method(method).build()?;
        pool.apply(work::echo, (1,))?;
        Ok(pool)
    };
    drop(make()?);
    let sample = |_| {
        let mut made = None;
        let time = time_once(|| {
            made = Some(make()?);
            Ok(())
        });
        drop(made);
        time
    };
    (0..plan.pick(20, 2)).map(sample).collect()
}

/// Memory that an idle worker has to itself.
pub(crate) fn memory(method: StartMethod) -> Outcome<Vec<f64>> {
    allow(method);
    let pool = Pool::builder().processes(1).start_method(method).build()?;
    pool.map(work::echo, 0..1000)?;
    std::thread::sleep(Duration::from_millis(50));
    let samples = pool.worker_pids().into_iter().map(unique_bytes).collect::<Outcome<_>>()?;
    end(&pool)?;
    Ok(samples)
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
