//! One call and its answer, one after the other.

use super::size_name;
use crate::harness::{Contender, Kind, Plan, Scenario, Unit};
use crate::limits::exchange::Wait;
use crate::limits::{exchange, futex, socket, spin};
use crate::ours;
use crate::ours::shape::Shape::{self, Processes, Threads};
use crate::pace::{Body, Pace, Session, round_trips};
use crate::rivals::{command, crossbeam, ipc_channel, procspawn, rayon};
use std::time::Duration;

/// Calls of turns that time ends.
const BY_TIME: usize = 10_000_000;
/// How long both sides sleep before a call.
const PAUSE: Duration = Duration::from_millis(2);
/// Sizes of arguments and results, besides eight bytes.
const SIZES: [usize; 3] = [1 << 10, 16 << 10, 64 << 10];

pub(super) fn all(plan: Plan) -> Vec<Scenario> {
    let mut scenarios = vec![warm(plan), asleep(plan), busy(plan)];
    scenarios.extend(SIZES.map(|size| sized_warm(plan, size)));
    scenarios.extend(SIZES.map(|size| sized_asleep(plan, size)));
    scenarios
}

/// A contender of a round trip of eight bytes.
fn trip(
    kind: Kind,
    name: &str,
    pace: Pace,
    session: impl Fn(Body<'_>) -> crate::harness::Outcome<()> + 'static,
) -> Contender {
    let session: Session = Box::new(session);
    Contender { kind, name: name.to_owned(), turn: Box::new(move |_| round_trips(&session, pace)) }
}

fn rivals(pace: Pace) -> Vec<Contender> {
    let pause_us = pace.pause.map_or(0, |pause| pause.as_micros() as u64);
    let mut rivals = vec![
        trip(Kind::Threads, "rayon install", pace, rayon::session),
        trip(Kind::Threads, "crossbeam channel pair", pace, crossbeam::session),
        trip(Kind::Processes, "Command with pipes", pace, command::session),
        trip(Kind::Processes, "ipc-channel", pace, ipc_channel::session),
        trip(Kind::Processes, "procspawn", pace, procspawn::session),
    ];
    let arguments = [pace.calls as u64, pause_us, pace.at_most.as_millis() as u64];
    rivals.extend(Contender::python("Python Pool.apply", "round_trip", &arguments));
    rivals
}

fn name_of_ours(shape: Shape) -> String {
    format!("procession apply, {shape}")
}

fn ours(pace: Pace, shapes: &'static [Shape]) -> impl Iterator<Item = Contender> {
    shapes.iter().map(move |&shape| {
        trip(Kind::Ours, &name_of_ours(shape), pace, move |body| ours::calls::session(shape, body))
    })
}

fn warm(plan: Plan) -> Scenario {
    let at_most = Duration::from_millis(plan.pick(400, 60));
    let pace = Pace::steady(2000, plan.pick(20_000, 2000), at_most);
    let mut contenders = vec![
        trip(Kind::Limit, "spinning on a shared page", pace, spin::session),
        trip(Kind::Limit, "futex on a shared page", pace, futex::session),
        trip(Kind::Limit, "socket pair", pace, socket::session),
        trip(Kind::Limit, "pipes", pace, socket::pipes),
    ];
    contenders.extend(rivals(pace));
    contenders.extend(ours(pace, &[Processes(1), Processes(2), Processes(8), Threads(1)]));
    let about = "a call of eight bytes and its answer, one after the other";
    Scenario::new("round-trip-warm", about, Unit::Time, contenders)
}

fn asleep(plan: Plan) -> Scenario {
    let pace = sleeping(plan);
    let mut contenders = vec![
        trip(Kind::Limit, "futex on a shared page", pace, futex::session),
        trip(Kind::Limit, "socket pair", pace, socket::session),
        trip(Kind::Limit, "pipes", pace, socket::pipes),
    ];
    contenders.extend(rivals(pace));
    contenders.extend(ours(pace, &[Processes(1), Processes(2), Threads(1)]));
    let about = "the same, each call after both sides have slept for 2 ms";
    Scenario::new("round-trip-asleep", about, Unit::Time, contenders)
}

fn sleeping(plan: Plan) -> Pace {
    Pace {
        warm_up: 10,
        calls: plan.pick(100, 10),
        at_most: Duration::from_secs(1),
        pause: Some(PAUSE),
    }
}

fn busy(plan: Plan) -> Scenario {
    let at_most = Duration::from_millis(plan.pick(500, 80));
    // Ended by time alone, and by many slices of the scheduler: a contender that makes all its calls
    // within one slice never meets the busy loops.
    let pace = Pace::steady(200, BY_TIME, at_most);
    let mut contenders = vec![
        trip(Kind::Limit, "futex on a shared page", pace, futex::session),
        trip(Kind::Limit, "spinning on a shared page", pace, spin::session),
        trip(Kind::Limit, "socket pair", pace, socket::session),
    ];
    contenders.extend(rivals(pace));
    contenders.extend(ours(pace, &[Processes(1), Processes(2), Threads(1)]));
    let about = "warm, with two busy loops beside it";
    Scenario::new("round-trip-busy", about, Unit::Time, contenders).beside_busy_loops(2)
}

fn sized_warm(plan: Plan, size: usize) -> Scenario {
    let at_most = Duration::from_millis(plan.pick(200, 30));
    let pace = Pace::steady(plan.pick(500, 100), plan.pick(10_000, 500), at_most);
    let mut contenders = vec![
        Contender::limit("spinning, copied in and out", move |_| {
            exchange::bytes(size, pace, Wait::Spinning)
        }),
        Contender::limit("socket pair", move |_| socket::bytes(size, pace)),
    ];
    contenders.extend(sized_rivals(size, pace));
    contenders.extend(Contender::python(
        "Python Pool.apply",
        "transfer",
        &[size as u64, pace.calls as u64, at_most.as_millis() as u64],
    ));
    contenders.extend(sized_ours(size, pace));
    let name = format!("round-trip-warm-{}", size_name(size).replace(' ', ""));
    let about = format!("a vector of {} as argument, and back as result", size_name(size));
    Scenario::new(name, about, Unit::Time, contenders)
}

fn sized_asleep(plan: Plan, size: usize) -> Scenario {
    let pace = sleeping(plan);
    let mut contenders = vec![
        Contender::limit("futex, copied in and out", move |_| {
            exchange::bytes(size, pace, Wait::Sleeping)
        }),
        Contender::limit("socket pair", move |_| socket::bytes(size, pace)),
    ];
    contenders.extend(sized_rivals(size, pace));
    contenders.extend(sized_ours(size, pace));
    let name = format!("round-trip-asleep-{}", size_name(size).replace(' ', ""));
    let about = format!("the same with {}, after both sides have slept for 2 ms", size_name(size));
    Scenario::new(name, about, Unit::Time, contenders)
}

fn sized_rivals(size: usize, pace: Pace) -> Vec<Contender> {
    vec![
        Contender::threads("crossbeam channel pair", move |_| crossbeam::bytes(size, pace)),
        Contender::rival("Command with pipes", move |_| command::bytes(size, pace)),
        Contender::rival("ipc-channel", move |_| ipc_channel::bytes(size, pace)),
        Contender::rival("procspawn", move |_| procspawn::bytes(size, pace)),
    ]
}

fn sized_ours(size: usize, pace: Pace) -> impl Iterator<Item = Contender> {
    [1, 2].into_iter().map(move |count| {
        Contender::ours(name_of_ours(Processes(count)), move |_| {
            ours::large::both_ways(size, count, pace)
        })
    })
}
