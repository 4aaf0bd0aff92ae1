//! One function over many items.

use crate::harness::{Contender, Plan, Scenario, Unit};
use crate::limits::ring;
use crate::ours::items::{Item, Point};
use crate::ours::maps;
use crate::ours::shape::Shape::{Processes, Threads};
use crate::rivals::{crossbeam, ipc_channel, procspawn, rayon};
use crate::roles::Role;

pub(super) fn all(plan: Plan) -> Vec<Scenario> {
    vec![
        integers(plan),
        map::<Point>(plan, "map-structs", "small structs of three numbers", "map_structs"),
        map::<String>(plan, "map-strings", "strings of twenty letters", "map_strings"),
        ones(plan),
        unordered(plan),
    ]
}

fn integers(plan: Plan) -> Scenario {
    let items = plan.pick(1_000_000, 50_000);
    let mut scenario = map::<u64>(plan, "map", "integers", "map");
    let shapes = [Processes(1), Processes(8), Threads(2)];
    scenario.contenders.extend(shapes.map(|shape| {
        Contender::ours(format!("procession map, {shape}"), move |plan| {
            maps::map::<u64>(plan, shape, None, items)
        })
    }));
    scenario
}

/// The scenario of a type; `python` is its part in the script.
fn map<T: Item>(plan: Plan, name: &'static str, about: &str, python: &'static str) -> Scenario
where
    Role: IpcRole<T>,
{
    let items: u64 = plan.pick(1_000_000, 50_000) / if T::WORDS > 1 { 4 } else { 1 };
    let role = <Role as IpcRole<T>>::ROLE;
    let mut contenders = vec![
        Contender::limit("shared ring, blocks of 16 KiB", move |plan| {
            ring::map(plan, items, T::WORDS)
        }),
        Contender::threads("rayon, 2 threads", move |plan| rayon::map::<T>(plan, 2, items)),
        Contender::rival("ipc-channel, one vector", move |plan| {
            ipc_channel::map::<T>(plan, role, items)
        }),
        Contender::rival("procspawn, a vector each", move |plan| procspawn::map::<T>(plan, items)),
    ];
    contenders.extend(Contender::python("Python Pool.map", python, &[items, plan.pick(2, 1)]));
    contenders.extend([
        Contender::ours("procession map, 2 workers", move |plan| {
            maps::map::<T>(plan, Processes(2), None, items)
        }),
        Contender::ours("procession apply_async, 2 workers, a vector each", move |plan| {
            maps::vectors::<T>(plan, items)
        }),
    ]);
    Scenario::new(name, format!("a map over {about}"), Unit::TimePer("item"), contenders)
}

/// Which helper serves vectors of a type.
trait IpcRole<T> {
    const ROLE: Role;
}

impl IpcRole<u64> for Role {
    const ROLE: Role = Role::IpcSquares;
}

impl IpcRole<Point> for Role {
    const ROLE: Role = Role::IpcPoints;
}

impl IpcRole<String> for Role {
    const ROLE: Role = Role::IpcStrings;
}

/// Each item on its own.
fn ones(plan: Plan) -> Scenario {
    let items: u64 = plan.pick(100_000, 5000);
    let mut contenders = singly(plan, items);
    contenders.extend(Contender::python(
        "Python Pool.map, chunksize 1",
        "map_ones",
        &[items / 10, plan.pick(2, 1)],
    ));
    contenders.extend([
        Contender::ours("procession map, 2 workers, chunksize 1", move |plan| {
            maps::map::<u64>(plan, Processes(2), Some(1), items)
        }),
        Contender::ours("procession map, 8 workers, chunksize 1", move |plan| {
            maps::map::<u64>(plan, Processes(8), Some(1), items)
        }),
    ]);
    let about = "a map over integers in chunks of one";
    Scenario::new("map-chunks-of-1", about, Unit::TimePer("item"), contenders)
}

fn unordered(plan: Plan) -> Scenario {
    let items: u64 = plan.pick(100_000, 5000);
    let mut contenders = singly(plan, items);
    contenders.extend(Contender::python(
        "Python imap_unordered, chunksize 1",
        "unordered",
        &[items / 10, 1, plan.pick(2, 1)],
    ));
    contenders.extend(Contender::python(
        "Python imap_unordered, chunksize 256",
        "unordered",
        &[items, 256, plan.pick(2, 1)],
    ));
    let ours =
        [(Processes(2), None), (Processes(2), Some(1)), (Processes(8), None), (Threads(2), None)];
    contenders.extend(ours.map(|(shape, chunk)| {
        let chunks = if chunk.is_some() { ", chunksize 1" } else { "" };
        Contender::ours(format!("procession imap_unordered, {shape}{chunks}"), move |plan| {
            maps::unordered::<u64>(plan, shape, chunk, items)
        })
    }));
    let about = "results of a map over integers, taken one by one as they come";
    Scenario::new("imap-unordered", about, Unit::TimePer("item"), contenders)
}

/// Those who send each item on its own.
fn singly(plan: Plan, items: u64) -> Vec<Contender> {
    use crate::limits::exchange::Wait;
    use crate::pace::Pace;
    let pace = Pace::steady(1, plan.pick(3, 1), std::time::Duration::from_secs(2));
    let (count, few) = (items as u32, plan.pick(2000, 100));
    vec![
        Contender::limit("shared ring, an item each, both spinning", move |_| {
            ring::tasks(pace, count, Wait::Spinning)
        }),
        Contender::threads("crossbeam channel pair", move |_| crossbeam::tasks(pace, 1, items)),
        Contender::rival("ipc-channel, pipelined", move |_| ipc_channel::tasks(pace, 1, items / 5)),
        Contender::rival("procspawn", move |_| procspawn::tasks(pace, 1, few)),
    ]
}
