//! Many tiny tasks, submitted one by one.

use crate::harness::{Contender, Plan, Scenario, Unit};
use crate::limits::exchange::Wait;
use crate::limits::{ring, socket};
use crate::ours;
use crate::ours::shape::Shape::{Processes, Threads};
use crate::pace::Pace;
use crate::rivals::{crossbeam, ipc_channel, procspawn, rayon};
use std::time::Duration;

/// Turns that time ends.
const BY_TIME: usize = 1_000_000;

pub(super) fn all(plan: Plan) -> Vec<Scenario> {
    vec![from_one(plan), from_four(plan), busy(plan)]
}

/// How many tasks a turn has.
#[derive(Clone, Copy)]
struct Many {
    /// For who needs less than a microsecond each.
    tasks: u32,
    /// For who makes a process work through a pipe for each.
    few: u64,
    /// Whom all are submitted by.
    threads: usize,
    pace: Pace,
}

fn rivals(many: Many) -> Vec<Contender> {
    let Many { few, threads, pace, .. } = many;
    let all = u64::from(many.tasks);
    let mut rivals = vec![
        Contender::threads("rayon spawn, 1 thread", move |_| rayon::tasks(pace, threads, 1, all)),
        Contender::threads("rayon spawn, 2 threads", move |_| rayon::tasks(pace, threads, 2, all)),
        Contender::threads("crossbeam channel pair", move |_| crossbeam::tasks(pace, threads, all)),
        Contender::rival("ipc-channel, pipelined", move |_| {
            ipc_channel::tasks(pace, threads, all / 5)
        }),
        Contender::rival("procspawn", move |_| procspawn::tasks(pace, threads, few)),
    ];
    if threads == 1 {
        rivals.extend(Contender::python("Python Pool.apply_async", "tasks", &[all / 10]));
    }
    rivals
}

fn ours(many: Many) -> impl Iterator<Item = Contender> {
    let shapes = [Processes(1), Processes(2), Processes(8), Threads(1), Threads(2)];
    shapes.into_iter().map(move |shape| {
        let Many { tasks, threads, pace, .. } = many;
        Contender::ours(format!("procession apply_async, {shape}"), move |_| {
            ours::calls::tasks(pace, threads, shape, tasks.into())
        })
    })
}

fn from_one(plan: Plan) -> Scenario {
    let pace = Pace::steady(1, plan.pick(3, 1), Duration::from_secs(2));
    let many =
        Many { tasks: plan.pick(100_000, 10_000), few: plan.pick(2000, 100), threads: 1, pace };
    let mut contenders = limits(many);
    contenders.extend(rivals(many));
    contenders.extend(ours(many));
    let about = "tiny tasks submitted one by one from one thread, then all results taken";
    Scenario::new("throughput", about, Unit::TimePer("task"), contenders)
}

fn limits(many: Many) -> Vec<Contender> {
    let Many { tasks, pace, .. } = many;
    vec![
        Contender::limit("shared ring, both spinning, an Arc each", move |_| {
            ring::tasks(pace, tasks, Wait::Spinning)
        }),
        Contender::limit("shared ring, sleeping on a futex", move |_| {
            ring::tasks(pace, tasks, Wait::Sleeping)
        }),
        Contender::limit("socket pair, pipelined", move |_| {
            socket::tasks(pace, u64::from(tasks) / 5)
        }),
    ]
}

fn from_four(plan: Plan) -> Scenario {
    let pace = Pace::steady(1, plan.pick(3, 1), Duration::from_secs(2));
    let many =
        Many { tasks: plan.pick(100_000, 10_000), few: plan.pick(2000, 100), threads: 4, pace };
    let mut contenders =
        vec![Contender::limit("shared ring, one thread, both spinning", move |_| {
            ring::tasks(pace, many.tasks, Wait::Spinning)
        })];
    contenders.extend(rivals(many));
    contenders.extend(ours(many));
    let about = "the same tasks from four threads, a quarter each";
    Scenario::new("throughput-4-threads", about, Unit::TimePer("task"), contenders)
}

fn busy(plan: Plan) -> Scenario {
    // Ended by time, as the round trips beside busy loops are, and for the same reason.
    let pace = Pace::steady(1, BY_TIME, Duration::from_millis(plan.pick(500, 60)));
    let many = Many { tasks: plan.pick(20_000, 5000), few: plan.pick(500, 50), threads: 1, pace };
    let mut contenders = limits(many);
    // Sleeping is what one does beside busy loops.
    contenders.swap(0, 1);
    contenders.extend(rivals(many));
    contenders.extend(ours(many));
    let about = "as throughput, with two busy loops beside it";
    let scenario = Scenario::new("throughput-busy", about, Unit::TimePer("task"), contenders);
    scenario.beside_busy_loops(2)
}
