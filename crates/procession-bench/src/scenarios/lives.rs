//! Starts and ends of processes, and what happens in between when nothing happens.

use crate::harness::{Contender, Outcome, Plan, Scenario, Unit};
use crate::limits;
use crate::ours;
use crate::pace::Pace;
use crate::population::{Population, switches, unique_bytes};
use crate::rivals::{command, procspawn, rayon};
use std::time::Duration;

pub(super) fn all(plan: Plan) -> Vec<Scenario> {
    vec![start_join(plan), pool_start(plan), idle_memory(), idle_switches(plan)]
}

fn start_join(plan: Plan) -> Scenario {
    let pace = Pace::steady(2, plan.pick(50, 3), Duration::from_millis(plan.pick(400, 200)));
    let calls = pace.calls as u64;
    let mut contenders = vec![
        Contender::limit("exec of self that exits at once", move |_| {
            limits::start::exec_of_self(pace)
        }),
        Contender::limit("/bin/true", move |_| limits::start::true_program(pace)),
        Contender::limit("fork and exit", move |_| limits::start::fork_and_exit(pace)),
        Contender::rival("Command of self", move |_| command::start_join(pace)),
        Contender::rival("procspawn", move |_| procspawn::start_join(pace)),
    ];
    contenders.extend(Contender::python("Python, fork", "start_fork", &[calls]));
    contenders.extend(Contender::python(
        "Python, forkserver",
        "start_forkserver",
        &[calls.min(20)],
    ));
    contenders.extend(Contender::python("Python, spawn", "start_spawn", &[calls.min(5)]));
    contenders.extend(ours::lives::START_METHODS.map(|method| {
        Contender::ours(format!("procession Process, {method}"), move |_| {
            ours::lives::start_join(method, pace)
        })
    }));
    let about = "one process from its start to its end";
    Scenario::new("start-join", about, Unit::Time, contenders)
}

fn pool_start(plan: Plan) -> Scenario {
    let mut contenders = vec![
        Contender::limit("exec of self, first answer by pipe", command::first_answer),
        Contender::threads("rayon, 2 threads", rayon::pool_start),
        Contender::rival("procspawn, 2 processes", procspawn::pool_start),
    ];
    let calls = [plan.pick(10, 2)];
    contenders.extend(Contender::python("Python Pool(2), fork", "pool_start", &calls));
    contenders.extend(ours::lives::START_METHODS.map(|method| {
        Contender::ours(format!("procession, 2 workers, {method}"), move |plan| {
            ours::lives::pool_start(method, plan)
        })
    }));
    let about = "a pool from nothing to its first result";
    Scenario::new("pool-start", about, Unit::Time, contenders)
}

/// The contender's setting, given something to do while it is idle.
type Idle = fn(usize, &mut dyn FnMut() -> Outcome<()>) -> Outcome<()>;

/// Unique memory of the new children, once they are idle.
fn memory_of(idle: Idle) -> Outcome<Vec<f64>> {
    let before = Population::now();
    let mut samples = Vec::new();
    idle(1, &mut || {
        std::thread::sleep(Duration::from_millis(50));
        samples = before.new_children().into_iter().map(unique_bytes).collect::<Outcome<_>>()?;
        Ok(())
    })?;
    Ok(samples)
}

fn idle_memory() -> Scenario {
    let mut contenders = vec![
        Contender::limit("a bare process of this executable", |_| limits::idle::bare_process()),
        Contender::rival("procspawn worker", |_| memory_of(procspawn::idle)),
    ];
    contenders.extend(Contender::python("Python worker, forked", "memory", &[]));
    contenders.extend(ours::lives::START_METHODS.map(|method| {
        Contender::ours(format!("procession worker, {method}"), move |_| {
            ours::lives::memory(method)
        })
    }));
    let about = "memory that an idle worker has to itself (USS), after its first work";
    Scenario::new("idle-memory", about, Unit::Bytes, contenders).rounds(3)
}

/// Context switches of all that a contender has made, while it is idle.
fn switches_of(idle: Idle, period: Duration) -> Outcome<Vec<f64>> {
    let before = Population::now();
    let mut samples = Vec::new();
    idle(8, &mut || {
        std::thread::sleep(Duration::from_millis(200));
        let threads = before.new_threads();
        if threads.len() < 8 {
            return Err("the pool has fewer threads than it should".into());
        }
        let start = switches(&threads);
        std::thread::sleep(period);
        samples.push(switches(&threads) - start);
        Ok(())
    })?;
    Ok(samples)
}

fn idle_switches(plan: Plan) -> Scenario {
    let period = Duration::from_millis(plan.pick(10_000, 500));
    let millis = period.as_millis() as u64;
    let mut contenders = vec![
        Contender::threads("rayon, 8 threads", move |_| switches_of(rayon::idle, period)),
        Contender::rival("procspawn, 8 processes", move |_| switches_of(procspawn::idle, period)),
    ];
    contenders.extend(Contender::python("Python Pool(8), fork", "idle", &[8, millis]));
    contenders.push(Contender::ours("procession, 8 workers", move |_| {
        switches_of(ours::lives::idle, period)
    }));
    let about = "context switches of an idle pool of eight in 10 s (quick: 0.5 s), all its threads";
    Scenario::new("idle-switches", about, Unit::Count, contenders).rounds(2)
}
