//! The scenarios, and who takes part in which.

use crate::harness::{Contender, Figure, Kind, Outcome, Plan, Scenario, Turn, Unit};
use crate::limits;
use crate::ours;
use crate::pace::{Body, Pace, Session, round_trips};
use crate::population::{Population, switches, unique_bytes};
use crate::rivals;
use crate::rivals::python;
use std::time::Duration;

/// Bytes of a large payload.
const LARGE: usize = 64 << 20;
/// Calls of turns that time ends.
const BY_TIME: usize = 10_000_000;
/// Rounds of scenarios whose turns are short.
const MANY: usize = usize::MAX;

/// All scenarios, in the order of the table.
pub(crate) fn all(plan: Plan) -> Vec<Scenario> {
    vec![
        // First what a fork copies, while this process is small; a fork pays for every page of it.
        start_join(plan),
        pool_start(plan),
        idle_memory(),
        round_trip_warm(plan),
        round_trip_asleep(plan),
        round_trip_busy(plan),
        throughput(plan),
        map(plan),
        large_both_ways(plan),
        large_argument(plan),
        five_sleeps(plan),
        idle_switches(plan),
    ]
}

fn contender(kind: Kind, name: &str, turn: Turn) -> Contender {
    Contender { kind, name: name.to_owned(), turn }
}

fn limit(name: &str, turn: impl Fn(Plan) -> Outcome<Vec<f64>> + 'static) -> Contender {
    contender(Kind::Limit, name, Box::new(turn))
}

fn threads(name: &str, turn: impl Fn(Plan) -> Outcome<Vec<f64>> + 'static) -> Contender {
    contender(Kind::Threads, name, Box::new(turn))
}

fn rival(name: &str, turn: impl Fn(Plan) -> Outcome<Vec<f64>> + 'static) -> Contender {
    contender(Kind::Processes, name, Box::new(turn))
}

fn ours(name: &str, turn: impl Fn(Plan) -> Outcome<Vec<f64>> + 'static) -> Contender {
    contender(Kind::Ours, name, Box::new(turn))
}

/// A contender from Python, where it is there.
fn python(name: &str, scenario: &'static str, arguments: &[u64]) -> Option<Contender> {
    let arguments = arguments.to_vec();
    python::is_here().then(|| rival(name, move |_| python::run(scenario, &arguments)))
}

/// A contender of a round trip.
fn trip(
    kind: Kind,
    name: &str,
    pace: Pace,
    session: impl Fn(Body<'_>) -> Outcome<()> + 'static,
) -> Contender {
    let session: Session = Box::new(session);
    contender(kind, name, Box::new(move |_| round_trips(&session, pace)))
}

fn trip_rivals(pace: Pace) -> Vec<Contender> {
    let pause_us = pace.pause.map_or(0, |pause| pause.as_micros() as u64);
    let mut rivals = vec![
        trip(Kind::Threads, "rayon install", pace, rivals::rayon::session),
        trip(Kind::Threads, "crossbeam channel pair", pace, rivals::crossbeam::session),
        trip(Kind::Processes, "Command with pipes", pace, rivals::command::session),
        trip(Kind::Processes, "ipc-channel", pace, rivals::ipc_channel::session),
        trip(Kind::Processes, "procspawn", pace, rivals::procspawn::session),
    ];
    rivals.extend(python("Python Pool.apply", "round_trip", &[pace.calls as u64, pause_us]));
    rivals
}

fn trip_ours(pace: Pace, processes: &'static [usize]) -> impl Iterator<Item = Contender> {
    processes.iter().map(move |count| {
        let name = format!("procession apply, {count} worker{}", plural(*count));
        trip(Kind::Ours, &name, pace, move |body| ours::calls::session(*count, body))
    })
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn round_trip_warm(plan: Plan) -> Scenario {
    let at_most = Duration::from_millis(plan.pick(400, 100));
    let pace = Pace::steady(2000, plan.pick(20_000, 2000), at_most);
    let mut contenders = vec![
        trip(Kind::Limit, "spinning on a shared page", pace, limits::spin::session),
        trip(Kind::Limit, "futex on a shared page", pace, limits::futex::session),
        trip(Kind::Limit, "socket pair", pace, limits::socket::session),
    ];
    contenders.extend(trip_rivals(pace));
    contenders.extend(trip_ours(pace, &[1, 2, 8]));
    Scenario {
        name: "round-trip-warm",
        about: "a call of eight bytes and its answer, one after the other",
        unit: Unit::Time,
        figure: Figure::Median,
        rounds_max: MANY,
        busy: 0,
        contenders,
    }
}

fn round_trip_asleep(plan: Plan) -> Scenario {
    let pace = Pace {
        warm_up: 10,
        calls: plan.pick(100, 20),
        at_most: Duration::from_secs(1),
        pause: Some(Duration::from_millis(2)),
    };
    let mut contenders = vec![
        trip(Kind::Limit, "futex on a shared page", pace, limits::futex::session),
        trip(Kind::Limit, "socket pair", pace, limits::socket::session),
    ];
    contenders.extend(trip_rivals(pace));
    contenders.extend(trip_ours(pace, &[1, 2]));
    Scenario {
        name: "round-trip-asleep",
        about: "the same, each call after both sides have slept for 2 ms",
        unit: Unit::Time,
        figure: Figure::Median,
        rounds_max: MANY,
        busy: 0,
        contenders,
    }
}

fn round_trip_busy(plan: Plan) -> Scenario {
    let at_most = Duration::from_millis(plan.pick(500, 100));
    // Ended by time alone, and by many slices of the scheduler: a contender that makes all its calls
    // within one slice never meets the busy loops.
    let pace = Pace::steady(200, BY_TIME, at_most);
    let mut contenders = vec![
        trip(Kind::Limit, "futex on a shared page", pace, limits::futex::session),
        trip(Kind::Limit, "spinning on a shared page", pace, limits::spin::session),
        trip(Kind::Limit, "socket pair", pace, limits::socket::session),
    ];
    contenders.extend(trip_rivals(pace));
    contenders.extend(trip_ours(pace, &[1, 2]));
    Scenario {
        name: "round-trip-busy",
        about: "warm, with two busy loops beside it",
        unit: Unit::Time,
        figure: Figure::Mean,
        rounds_max: MANY,
        busy: 2,
        contenders,
    }
}

fn throughput(plan: Plan) -> Scenario {
    let many: u32 = plan.pick(100_000, 20_000);
    let few: u32 = plan.pick(2000, 300);
    let all = u64::from(many);
    let mut contenders = vec![
        limit("shared ring, both spinning, an Arc each", move |plan| {
            limits::ring::tasks(plan, many)
        }),
        threads("rayon spawn, 1 thread", move |plan| rivals::rayon::tasks(plan, 1, all)),
        threads("rayon spawn, 2 threads", move |plan| rivals::rayon::tasks(plan, 2, all)),
        threads("crossbeam channel pair", move |plan| rivals::crossbeam::tasks(plan, all)),
        rival("ipc-channel, pipelined", move |plan| rivals::ipc_channel::tasks(plan, all / 5)),
        rival("procspawn", move |plan| rivals::procspawn::tasks(plan, few.into())),
    ];
    contenders.extend(python("Python Pool.apply_async", "tasks", &[all / 10]));
    contenders.extend([1, 2, 8].map(|count| {
        let name = format!("procession apply_async, {count} worker{}", plural(count));
        ours(&name, move |plan| ours::calls::tasks(plan, count, all))
    }));
    Scenario {
        name: "throughput",
        about: "tiny tasks submitted one by one from one thread, then all results taken",
        unit: Unit::TimePer("task"),
        figure: Figure::Median,
        rounds_max: MANY,
        busy: 0,
        contenders,
    }
}

fn map(plan: Plan) -> Scenario {
    let items: u64 = plan.pick(1_000_000, 100_000);
    let mut contenders = vec![
        limit("shared ring, blocks of 16 KiB", move |plan| limits::ring::map(plan, items)),
        threads("rayon, 2 threads", move |plan| rivals::rayon::map(plan, 2, items)),
        rival("ipc-channel, one vector", move |plan| rivals::ipc_channel::map(plan, items)),
        rival("procspawn, a vector each", move |plan| rivals::procspawn::map(plan, items)),
    ];
    contenders.extend(python("Python Pool.map", "map", &[items, plan.pick(2, 1)]));
    contenders.extend([1, 2, 8].map(|count| {
        let name = format!("procession map, {count} worker{}", plural(count));
        ours(&name, move |plan| ours::calls::map(plan, count, None, items))
    }));
    contenders.push(ours("procession apply_async, 2 workers, a vector each", move |plan| {
        ours::calls::vectors(plan, items)
    }));
    contenders.push(ours("procession map, 2 workers, chunks of 1, a tenth", move |plan| {
        ours::calls::map(plan, 2, Some(1), items / 10)
    }));
    Scenario {
        name: "map",
        about: "squares of a million integers",
        unit: Unit::TimePer("item"),
        figure: Figure::Median,
        rounds_max: MANY,
        busy: 0,
        contenders,
    }
}

fn start_join(plan: Plan) -> Scenario {
    let pace = Pace::steady(2, plan.pick(50, 3), Duration::from_millis(plan.pick(400, 200)));
    let calls = pace.calls as u64;
    let mut contenders = vec![
        limit("exec of self that exits at once", move |_| limits::start::exec_of_self(pace)),
        limit("/bin/true", move |_| limits::start::true_program(pace)),
        limit("fork and exit", move |_| limits::start::fork_and_exit(pace)),
        rival("Command of self", move |_| rivals::command::start_join(pace)),
        rival("procspawn", move |_| rivals::procspawn::start_join(pace)),
    ];
    contenders.extend(python("Python, fork", "start_fork", &[calls]));
    contenders.extend(python("Python, forkserver", "start_forkserver", &[calls.min(20)]));
    contenders.extend(python("Python, spawn", "start_spawn", &[calls.min(5)]));
    contenders.push(ours("procession Process", move |_| ours::lives::start_join(pace)));
    Scenario {
        name: "start-join",
        about: "one process from its start to its end",
        unit: Unit::Time,
        figure: Figure::Median,
        rounds_max: MANY,
        busy: 0,
        contenders,
    }
}

fn pool_start(plan: Plan) -> Scenario {
    let mut contenders = vec![
        limit("exec of self, first answer by pipe", rivals::command::first_answer),
        threads("rayon, 2 threads", rivals::rayon::pool_start),
        rival("procspawn, 2 processes", rivals::procspawn::pool_start),
    ];
    contenders.extend(python("Python Pool(2), fork", "pool_start", &[plan.pick(10, 2)]));
    contenders.push(ours("procession, 2 workers", ours::lives::pool_start));
    Scenario {
        name: "pool-start",
        about: "a pool from nothing to its first result",
        unit: Unit::Time,
        figure: Figure::Median,
        rounds_max: MANY,
        busy: 0,
        contenders,
    }
}

/// The contender's setting, given something to do while it is idle.
type Idle = fn(usize, &mut dyn FnMut() -> Outcome<()>) -> Outcome<()>;

/// Mean unique memory of the new children, once they are idle.
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
        limit("a bare process of this executable", |_| limits::idle::bare_process()),
        rival("procspawn worker", |_| memory_of(rivals::procspawn::idle)),
    ];
    contenders.extend(python("Python worker, forked", "memory", &[]));
    contenders.push(ours("procession worker", |_| memory_of(ours::lives::idle)));
    Scenario {
        name: "idle-memory",
        about: "memory that an idle worker has to itself (USS), after its first work",
        unit: Unit::Bytes,
        figure: Figure::Median,
        rounds_max: 3,
        busy: 0,
        contenders,
    }
}

fn large_pace(plan: Plan) -> Pace {
    Pace::steady(1, plan.pick(5, 1), Duration::from_millis(plan.pick(1500, 100)))
}

fn large_both_ways(plan: Plan) -> Scenario {
    let pace = large_pace(plan);
    let mut contenders = vec![
        limit("memcpy into warm shared memory, one each way", move |_| {
            limits::copy::once_each_way(LARGE, pace)
        }),
        limit("the same, out again to warm private memory", move |_| {
            limits::copy::twice_each_way(LARGE, pace)
        }),
        limit("the same, out again to a fresh vector", move |_| {
            limits::copy::into_fresh_vectors(LARGE, pace, false)
        }),
        limit("the same, fresh vectors of huge pages", move |_| {
            limits::copy::into_fresh_vectors(LARGE, pace, true)
        }),
        rival("Command with pipes", move |_| rivals::command::bytes(LARGE, pace)),
        rival("ipc-channel, vector", move |_| rivals::ipc_channel::bytes(LARGE, pace)),
        rival("ipc-channel, shared memory", move |_| rivals::ipc_channel::shared(LARGE, pace)),
        rival("procspawn", move |_| rivals::procspawn::bytes(LARGE, pace)),
    ];
    contenders.extend(python("Python Pool.apply", "transfer", &[LARGE as u64, plan.pick(3, 1)]));
    contenders.push(ours("procession apply", move |_| ours::large::both_ways(LARGE, pace)));
    Scenario {
        name: "large-both-ways",
        about: "a Vec<u8> of 64 MiB as argument, and back as result",
        unit: Unit::TimeFor(2 * LARGE as u64),
        figure: Figure::Median,
        rounds_max: 3,
        busy: 0,
        contenders,
    }
}

fn large_argument(plan: Plan) -> Scenario {
    let pace = large_pace(plan);
    Scenario {
        name: "large-argument",
        about: "a fresh Vec<u8> of 64 MiB as argument, its length back",
        unit: Unit::TimeFor(LARGE as u64),
        figure: Figure::Median,
        rounds_max: 3,
        busy: 0,
        contenders: vec![ours("procession apply", move |_| ours::large::there(LARGE, pace))],
    }
}

fn five_sleeps(plan: Plan) -> Scenario {
    let nap = Duration::from_millis(plan.pick(1000, 100));
    let millis = nap.as_millis() as u64;
    let mut contenders = vec![
        limit("two sleeps, one after the other", move |_| {
            let pace = Pace::steady(0, 1, nap);
            pace.time(|| {
                std::thread::sleep(nap);
                std::thread::sleep(nap);
                Ok(())
            })
        }),
        threads("rayon, 4 threads", move |_| rivals::rayon::sleeps(nap)),
        rival("procspawn, 4 processes", move |_| rivals::procspawn::sleeps(nap)),
    ];
    contenders.extend(python("Python Pool(4), fork", "sleeps", &[millis]));
    contenders.push(ours("procession, 4 workers", move |_| ours::lives::sleeps(nap)));
    Scenario {
        name: "five-sleeps",
        about: "five sleeps of 1 s (quick: 0.1 s) on four workers, start and end of the pool included",
        unit: Unit::Time,
        figure: Figure::Median,
        rounds_max: 3,
        busy: 0,
        contenders,
    }
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
    let period = Duration::from_millis(plan.pick(5000, 500));
    let millis = period.as_millis() as u64;
    let mut contenders = vec![
        threads("rayon, 8 threads", move |_| switches_of(rivals::rayon::idle, period)),
        rival("procspawn, 8 processes", move |_| switches_of(rivals::procspawn::idle, period)),
    ];
    contenders.extend(python("Python Pool(8), fork", "idle", &[8, millis]));
    contenders.push(ours("procession, 8 workers", move |_| switches_of(ours::lives::idle, period)));
    Scenario {
        name: "idle-switches",
        about: "context switches of an idle pool of eight in 5 s (quick: 0.5 s), all its threads",
        unit: Unit::Count,
        figure: Figure::Median,
        rounds_max: 2,
        busy: 0,
        contenders,
    }
}
