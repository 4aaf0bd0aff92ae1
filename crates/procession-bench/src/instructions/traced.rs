//! The traced program's part.

#![allow(unsafe_code)]

use crate::harness::Outcome;
use crate::ours::items::work_on;
use crate::ours::work;
use procession::{AsyncResult, Pool};
use rustix::process::{Pid, Signal, kill_process};
use std::io;
use std::time::Duration;

/// A hot path: how many units it has, and how to submit and take them.
pub(super) struct Path {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) units: u64,
    submit: fn(&Pool) -> Submitted,
}

/// What has been submitted: taking it is the other half of the path.
type Submitted = Box<dyn FnOnce() -> Outcome<()>>;

pub(super) const PATHS: [Path; 2] = [
    Path {
        name: "apply_async of a number",
        unit: "task of 32",
        units: 32,
        submit: |pool| {
            let tasks: [AsyncResult<u64>; 32] =
                std::array::from_fn(|number| pool.apply_async(work::echo, (number as u64,)));
            Box::new(|| {
                for task in tasks {
                    task.get()?;
                }
                Ok(())
            })
        },
    },
    Path {
        name: "map_async over integers",
        unit: "item of 200, in chunks of 50",
        units: 200,
        submit: |pool| {
            let map = pool.chunksize(50).map_async(work_on::<u64>, 0..200);
            Box::new(|| {
                map.get()?;
                Ok(())
            })
        },
    },
];

/// Walks a path so many times, with marks around what is to be counted: for each round nothing,
/// submitting, nothing, taking.
pub(crate) fn run(name: &str, rounds: usize) -> Outcome<()> {
    let path = PATHS.iter().find(|path| path.name == name);
    let path = path.ok_or_else(|| format!("there is no path {name}"))?;
    let pool = Pool::new(1)?;
    let worker = pool.worker_pids().first().and_then(|pid| Pid::from_raw(*pid as i32));
    let worker = worker.ok_or("a pool without a worker")?;
    // SAFETY: the request takes no memory; it makes the process that started this one its tracer.
    let traced = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
    if traced < 0 {
        return Err(io::Error::last_os_error().into());
    }
    // After the pool is there: workers would inherit it.
    let _one = super::OneProcessor::choose()?;
    for _ in 0..rounds {
        // Without marks, so that all is warm and the worker spins.
        for _ in 0..20 {
            (path.submit)(&pool)()?;
        }
        kill_process(worker, Signal::STOP)?;
        marked(|| ());
        let take = marked(|| (path.submit)(&pool));
        kill_process(worker, Signal::CONT)?;
        // Long enough for the results to be there. If they are not, more is counted, not less.
        std::thread::sleep(Duration::from_millis(20));
        marked(|| ());
        marked(take)?;
    }
    pool.close();
    Ok(pool.join()?)
}

/// Runs something between two marks.
fn marked<T>(work: impl FnOnce() -> T) -> T {
    mark();
    let result = work();
    mark();
    result
}

/// Tells the tracer that counting begins, or ends.
fn mark() {
    // SAFETY: the signal goes to this thread, whose tracer takes it before it stops anything.
    let raised = unsafe { libc::raise(libc::SIGSTOP) };
    assert_eq!(raised, 0, "a thread can always signal itself");
}
