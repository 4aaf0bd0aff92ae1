//! Payloads from a page to 64 MiB.

use super::size_name;
use crate::harness::{Contender, Plan, Scenario, Unit};
use crate::limits::copy;
use crate::ours;
use crate::pace::Pace;
use crate::rivals::{command, crossbeam, ipc_channel, procspawn};
use std::time::Duration;

/// Bytes of a large payload.
const LARGE: usize = 64 << 20;
/// Sizes of results.
const RESULTS: [usize; 5] = [1 << 10, 32 << 10, 1 << 20, 8 << 20, LARGE];

pub(super) fn all(plan: Plan) -> Vec<Scenario> {
    let mut scenarios: Vec<_> = RESULTS.into_iter().map(|size| results(plan, size)).collect();
    scenarios.extend([argument(plan), bytes_both_ways(plan), floats_both_ways(plan)]);
    scenarios
}

fn large_pace(plan: Plan) -> Pace {
    Pace::steady(1, plan.pick(5, 1), Duration::from_millis(plan.pick(1500, 100)))
}

fn results(plan: Plan, size: usize) -> Scenario {
    let pace = if size < 1 << 20 {
        Pace::steady(50, plan.pick(5000, 200), Duration::from_millis(plan.pick(200, 30)))
    } else {
        large_pace(plan)
    };
    let (bytes, calls) = (size as u64, pace.calls as u64);
    let limit_ms = pace.at_most.as_millis() as u64;
    let mut contenders = vec![
        Contender::limit("memcpy into warm shared memory", move |_| {
            copy::into_shared(size, 1, pace)
        }),
        Contender::limit("the same, out again to a fresh vector", move |_| {
            copy::into_fresh_vectors(size, 1, pace, false)
        }),
        Contender::rival("Command with pipes", move |_| command::results(size, pace)),
        Contender::rival("ipc-channel", move |_| ipc_channel::results(size, pace)),
        Contender::rival("procspawn", move |_| procspawn::results(size, pace)),
    ];
    contenders.extend(Contender::python("Python Pool.apply", "result", &[bytes, calls, limit_ms]));
    contenders.push(Contender::ours("procession apply", move |_| ours::large::results(size, pace)));
    let name = format!("result-{}", size_name(size).replace(' ', ""));
    let about = format!("a call that returns a new vector of {}", size_name(size));
    Scenario::new(name, about, Unit::TimeFor(bytes), contenders).rounds(3)
}

/// What memory can do with 64 MiB, so many times.
fn limits(ways: usize, pace: Pace) -> Vec<Contender> {
    vec![
        Contender::limit("memcpy into warm shared memory", move |_| {
            copy::into_shared(LARGE, ways, pace)
        }),
        Contender::limit("memcpy into cold shared memory", move |_| {
            copy::into_cold_shared(LARGE, ways, pace)
        }),
        Contender::limit("warm, and out again to warm private memory", move |_| {
            copy::in_and_out(LARGE, ways, pace)
        }),
        Contender::limit("warm, and out again to a fresh vector", move |_| {
            copy::into_fresh_vectors(LARGE, ways, pace, false)
        }),
        Contender::limit("warm, and out again to a fresh vector of huge pages", move |_| {
            copy::into_fresh_vectors(LARGE, ways, pace, true)
        }),
    ]
}

fn argument(plan: Plan) -> Scenario {
    let pace = large_pace(plan);
    let mut contenders = limits(1, pace);
    contenders.extend([
        Contender::rival("ipc-channel", move |_| ipc_channel::argument(LARGE, pace)),
        Contender::rival("procspawn", move |_| procspawn::argument(LARGE, pace)),
        Contender::ours("procession apply", move |_| ours::large::there(LARGE, pace, true)),
        Contender::ours("procession apply, the vector made anew each time", move |_| {
            ours::large::there(LARGE, pace, false)
        }),
    ]);
    let about = "a Vec<u8> of 64 MiB as argument, its length back; the vector is a copy that was made \
                 before the clock started, unless told otherwise";
    Scenario::new("large-argument", about, Unit::TimeFor(LARGE as u64), contenders).rounds(3)
}

fn bytes_both_ways(plan: Plan) -> Scenario {
    let pace = large_pace(plan);
    let (size, calls) = (LARGE as u64, plan.pick(3, 1));
    let mut contenders = limits(2, pace);
    contenders.extend([
        Contender::threads("crossbeam channel pair", move |_| crossbeam::bytes(LARGE, pace)),
        Contender::rival("Command with pipes", move |_| command::bytes(LARGE, pace)),
        Contender::rival("ipc-channel, vector", move |_| ipc_channel::bytes(LARGE, pace)),
        Contender::rival("ipc-channel, shared memory", move |_| ipc_channel::shared(LARGE, pace)),
        Contender::rival("procspawn", move |_| procspawn::bytes(LARGE, pace)),
    ]);
    contenders.extend(Contender::python("Python Pool.apply", "transfer", &[size, calls, 2000]));
    contenders
        .push(Contender::ours("procession apply", move |_| ours::large::both_ways(LARGE, 1, pace)));
    let about = "a Vec<u8> of 64 MiB as argument, and back as result";
    Scenario::new("large-both-ways", about, Unit::TimeFor(2 * size), contenders).rounds(3)
}

fn floats_both_ways(plan: Plan) -> Scenario {
    let pace = large_pace(plan);
    let (size, calls, floats) = (LARGE as u64, plan.pick(3, 1), LARGE / 8);
    let mut contenders = limits(2, pace);
    contenders.extend([
        Contender::rival("ipc-channel", move |_| ipc_channel::floats(floats, pace)),
        Contender::rival("procspawn", move |_| procspawn::floats(floats, pace)),
    ]);
    contenders.extend(Contender::python("Python, an array", "transfer_floats", &[size / 8, calls]));
    contenders
        .push(Contender::ours("procession apply", move |_| ours::large::floats(floats, pace)));
    let about = "a Vec<f64> of 64 MiB as argument, and back as result";
    Scenario::new("large-floats", about, Unit::TimeFor(2 * size), contenders).rounds(3)
}
