//! Many tasks that wait.

use super::calls::{burst, end};
use super::work;
use crate::harness::{Outcome, Plan};
use crate::pace::{Body, Pace, time_once};
use procession::{AsyncResult, Pool};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A pool whose two workers are held by a task each until this is opened.
struct Gate {
    folder: PathBuf,
    holding: Vec<AsyncResult<bool>>,
}

impl Gate {
    fn close(pool: &Pool) -> Outcome<Self> {
        let folder = std::env::temp_dir().join(format!("procession-gate-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        let mut gate = Self { folder, holding: Vec::new() };
        for held in 1..=pool.processes() {
            gate.holding.push(pool.apply_async(work::hold, (gate.folder.clone(),)));
            while entries(&gate.folder)? < held {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(gate)
    }

    fn open(mut self) -> Outcome<()> {
        std::fs::write(self.folder.join("open"), [])?;
        for held in self.holding.drain(..) {
            held.get()?;
        }
        Ok(())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // A worker that finds the folder gone is held no longer.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn entries(folder: &Path) -> Outcome<usize> {
    Ok(std::fs::read_dir(folder)?.count())
}

/// Runs `measure` while so many tasks wait in a pool of two; then they are done.
pub(crate) fn queued(count: u64, measure: &mut dyn FnMut() -> Outcome<()>) -> Outcome<()> {
    let pool = Pool::new(2)?;
    let gate = Gate::close(&pool)?;
    let results = submit(&pool, count);
    let measured = measure();
    gate.open()?;
    take(results)?;
    end(&pool)?;
    measured
}

fn submit(pool: &Pool, count: u64) -> Vec<AsyncResult<u64>> {
    (0..count).map(|number| pool.apply_async(work::echo, (number,))).collect()
}

fn take(results: Vec<AsyncResult<u64>>) -> Outcome<()> {
    for (number, result) in (0..).zip(results) {
        if result.get()? != number {
            return Err("a wrong result".into());
        }
    }
    Ok(())
}

/// Nanoseconds for submitting one more task while so many wait.
pub(crate) fn submits(before: u64, count: u64) -> Outcome<Vec<f64>> {
    let pool = Pool::new(2)?;
    let gate = Gate::close(&pool)?;
    let waiting = submit(&pool, before);
    let mut more = Vec::new();
    let time = time_once(|| {
        more = submit(&pool, count);
        Ok(())
    })?;
    gate.open()?;
    take(waiting)?;
    take(more)?;
    end(&pool)?;
    Ok(vec![time / count as f64])
}

/// Nanoseconds a task, submitted and taken, with so many outstanding all the time.
pub(crate) fn window(outstanding: u64, count: u64) -> Outcome<Vec<f64>> {
    let pool = Pool::new(2)?;
    burst(&pool, 1000)?;
    let mut window: VecDeque<_> = submit(&pool, outstanding).into();
    let time = time_once(|| {
        for number in 0..count {
            window.push_back(pool.apply_async(work::echo, (number,)));
            window.pop_front().ok_or("the window is empty")?.get()?;
        }
        Ok(())
    })?;
    for result in window {
        result.get()?;
    }
    end(&pool)?;
    Ok(vec![time / count as f64])
}

/// Nanoseconds a task of bursts on a pool that so many tasks at once have gone through.
pub(crate) fn after(plan: Plan, before: u64, count: u64) -> Outcome<Vec<f64>> {
    let pool = Pool::new(2)?;
    burst(&pool, before.max(1000))?;
    let pace = Pace::steady(0, plan.pick(3, 1), Duration::from_secs(2));
    let times = pace.time(|| burst(&pool, count))?;
    end(&pool)?;
    Ok(times.into_iter().map(|time| time / count as f64).collect())
}

/// Round trips in a pool of which so many results are done and not taken.
pub(crate) fn session_untaken(count: u64, body: Body<'_>) -> Outcome<()> {
    let pool = Pool::new(2)?;
    let results = submit(&pool, count);
    if let Some(last) = results.last() {
        last.wait();
    }
    body(&mut |value| Ok(pool.apply(work::echo, (value,))?))?;
    take(results)?;
    end(&pool)
}

/// Round trips in a pool of its own while so many tasks wait in another of the same process.
pub(crate) fn session_beside(count: u64, body: Body<'_>) -> Outcome<()> {
    let pool = Pool::new(1)?;
    queued(count, &mut || body(&mut |value| Ok(pool.apply(work::echo, (value,))?)))?;
    end(&pool)
}

/// Round trips in a pool that so many tasks at once have gone through.
pub(crate) fn session_after(count: u64, body: Body<'_>) -> Outcome<()> {
    let pool = Pool::new(2)?;
    take(submit(&pool, count))?;
    body(&mut |value| Ok(pool.apply(work::echo, (value,))?))?;
    end(&pool)
}
