//! What processes have in common.

use crate::harness::{Contender, Kind, Outcome, Plan, Scenario, Unit};
use crate::limits::{futex, socket, spin};
use crate::ours::sharing::{self, AT_MOST, each};
use crate::pace::{Body, Pace, Session, round_trips};
use crate::rivals::crossbeam;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

pub(super) fn all(plan: Plan) -> Vec<Scenario> {
    vec![
        lock(plan),
        contended(plan),
        increment(plan),
        numbers(plan, 1),
        numbers(plan, 4),
        vectors(plan),
        pipe(plan),
        event(plan),
        manager(plan),
    ]
}

fn mutex(count: u64) -> Outcome<Vec<f64>> {
    let mutex = Mutex::new(());
    each(count, || Ok(mutex.lock().map(drop).map_err(|_| "poisoned")?))
}

fn lock(plan: Plan) -> Scenario {
    let (count, few) = (plan.pick(2_000_000, 100_000), plan.pick(100_000, 10_000));
    let mut contenders = vec![Contender::limit("std::sync::Mutex", move |_| mutex(count))];
    contenders.extend(Contender::python("Python Lock", "lock", &[few]));
    contenders.push(Contender::ours("procession Lock", move |_| sharing::lock(count)));
    let about = "taking and releasing a lock that nobody else wants";
    Scenario::new("lock", about, Unit::TimePer("lock"), contenders)
}

fn contended_mutex(count: u64) -> Outcome<Vec<f64>> {
    let (mutex, stop) = (Arc::new(Mutex::new(())), Arc::new(AtomicBool::new(false)));
    let (others, stopped) = (mutex.clone(), stop.clone());
    let other = thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            drop(others.lock());
        }
    });
    let samples = each(count, || Ok(mutex.lock().map(drop).map_err(|_| "poisoned")?));
    stop.store(true, Ordering::Relaxed);
    other.join().map_err(|_| "it panicked")?;
    samples
}

fn contended(plan: Plan) -> Scenario {
    let (count, few) = (plan.pick(500_000, 20_000), plan.pick(50_000, 5_000));
    let mutex = "std::sync::Mutex, two threads";
    let mut contenders = vec![Contender::limit(mutex, move |_| contended_mutex(count))];
    contenders.extend(Contender::python("Python Lock", "contended", &[few]));
    contenders.push(Contender::ours("procession Lock", move |_| sharing::contended(count)));
    let about = "the same, with another process that does so, too";
    Scenario::new("lock-contended", about, Unit::TimePer("lock"), contenders)
}

fn increment(plan: Plan) -> Scenario {
    let (count, few) = (plan.pick(2_000_000, 100_000), plan.pick(100_000, 10_000));
    let atomic = move |_| {
        let value = AtomicU64::new(0);
        each(count, || {
            value.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
    };
    let mut contenders = vec![Contender::limit("AtomicU64::fetch_add", atomic)];
    contenders.extend(Contender::python("Python Value, with its lock", "increment", &[few]));
    contenders.push(Contender::ours("procession Value, with its lock", move |_| {
        sharing::increment(count)
    }));
    contenders
        .push(Contender::ours("procession RawValue", move |_| sharing::atomic_increment(count)));
    let about = "adding one to a shared integer";
    Scenario::new("increment", about, Unit::TimePer("increment"), contenders)
}

fn channel(pairs: u64, count: u64) -> Outcome<Vec<f64>> {
    let (sender, receiver) = crossbeam_channel::unbounded::<u64>();
    let each = count / pairs;
    let time = crate::pace::time_once(|| {
        thread::scope(|scope| {
            for _ in 0..pairs {
                let (sender, receiver) = (sender.clone(), receiver.clone());
                scope.spawn(move || (0..each).try_for_each(|number| sender.send(number)));
                scope.spawn(move || (0..each).try_for_each(|_| receiver.recv().map(drop)));
            }
        });
        Ok(())
    })?;
    Ok(vec![time / (each * pairs) as f64])
}

fn numbers(plan: Plan, pairs: u64) -> Scenario {
    let (count, few) = (plan.pick(1_000_000, 40_000), plan.pick(40_000, 4_000));
    let name = "crossbeam channel, threads";
    let mut contenders = vec![Contender::limit(name, move |_| channel(pairs, count))];
    contenders.extend(Contender::python("Python Queue", "queue", &[pairs, few]));
    contenders.push(Contender::ours("procession Queue", move |_| sharing::numbers(pairs, count)));
    let about = format!("items of eight bytes, from {pairs} to {pairs} processes");
    Scenario::new(format!("queue-{pairs}-to-{pairs}"), about, Unit::TimePer("item"), contenders)
}

fn vectors(plan: Plan) -> Scenario {
    const BYTES: usize = 64 << 10;
    let (count, few) = (plan.pick(10_000, 500), plan.pick(2_000, 200));
    let copies = move |_| {
        let (from, mut to) = (vec![7_u8; BYTES], vec![0_u8; BYTES]);
        each(count, || {
            to.copy_from_slice(std::hint::black_box(&from));
            std::hint::black_box(&mut to);
            Ok(())
        })
    };
    let mut contenders = vec![Contender::limit("one copy in the cache", copies)];
    contenders.extend(Contender::python("Python Queue", "queue_bytes", &[BYTES as u64, few]));
    contenders.push(Contender::ours("procession Queue", move |_| sharing::vectors(BYTES, count)));
    let about = "vectors of 64 KiB, from one process to another";
    Scenario::new("queue-64KiB", about, Unit::TimeFor(BYTES as u64), contenders)
}

fn trip(
    kind: Kind,
    name: &str,
    pace: Pace,
    session: impl Fn(Body<'_>) -> Outcome<()> + 'static,
) -> Contender {
    let session: Session = Box::new(session);
    Contender { kind, name: name.to_owned(), turn: Box::new(move |_| round_trips(&session, pace)) }
}

fn pace(plan: Plan) -> Pace {
    Pace::steady(1000, plan.pick(20_000, 1000), AT_MOST)
}

fn pipe(plan: Plan) -> Scenario {
    let pace = pace(plan);
    let mut contenders = vec![
        trip(Kind::Limit, "spinning on a shared page", pace, spin::session),
        trip(Kind::Limit, "socket pair", pace, socket::session),
        trip(Kind::Threads, "crossbeam channel pair", pace, crossbeam::session),
    ];
    contenders.extend(Contender::python("Python Pipe", "pipe", &[pace.calls as u64]));
    contenders.push(trip(Kind::Ours, "procession pipe", pace, sharing::pipe_session));
    let about = "eight bytes over a pipe and back";
    Scenario::new("pipe", about, Unit::Time, contenders)
}

fn event(plan: Plan) -> Scenario {
    let pace = pace(plan);
    let mut contenders = vec![trip(Kind::Limit, "futex on a shared page", pace, futex::session)];
    contenders.extend(Contender::python("Python Event", "event", &[pace.calls as u64 / 4]));
    contenders.push(trip(Kind::Ours, "procession Event", pace, sharing::event_session));
    let about = "waking another process by an event, and back by another";
    Scenario::new("event", about, Unit::Time, contenders)
}

fn manager(plan: Plan) -> Scenario {
    let pace = pace(plan);
    let mut contenders = vec![trip(Kind::Limit, "socket pair", pace, socket::session)];
    contenders.extend(Contender::python("Python Manager", "manager", &[pace.calls as u64 / 4]));
    contenders.push(trip(Kind::Ours, "procession Manager", pace, sharing::manager_session));
    let about = "a call of an object in a manager";
    Scenario::new("manager", about, Unit::Time, contenders)
}
