//! What a million waiting tasks cost, and whether others suffer.

use crate::harness::{Contender, Kind, Outcome, Plan, Scenario, Unit};
use crate::limits;
use crate::limits::exchange::Wait;
use crate::ours::queues;
use crate::pace::{Body, Pace, Session, round_trips};
use crate::population::resident_bytes;
use crate::rivals::{crossbeam, rayon};
use std::time::Duration;

pub(super) fn all(plan: Plan) -> Vec<Scenario> {
    vec![memory(plan), submits(plan), throughput(plan), trips(plan)]
}

/// How many tasks wait.
fn many(plan: Plan) -> u64 {
    plan.pick(1_000_000, 20_000)
}

/// Holds so many tasks in the queue while it runs something.
type Queued = fn(u64, &mut dyn FnMut() -> Outcome<()>) -> Outcome<()>;

/// What this process's memory grows by, for each task.
fn growth(queued: Queued, count: u64) -> Outcome<Vec<f64>> {
    // Once before, for what is made at the first use; what it leaves goes back to the system.
    queued(1000, &mut || Ok(()))?;
    limits::memory::give_back();
    let before = resident_bytes()?;
    let mut samples = Vec::new();
    queued(count, &mut || {
        samples.push((resident_bytes()? - before) / count as f64);
        Ok(())
    })?;
    limits::memory::give_back();
    Ok(samples)
}

fn memory(plan: Plan) -> Scenario {
    let count = many(plan);
    let contenders = vec![
        Contender::limit("eight bytes in an allocation each", move |_| {
            growth(limits::memory::boxed, count)
        }),
        Contender::threads("crossbeam channel, without a handle", move |_| {
            growth(crossbeam::queued, count)
        }),
        Contender::threads("rayon spawn, with an Arc each", move |_| growth(rayon::queued, count)),
        Contender::ours("procession apply_async, with its handle", move |_| {
            growth(queues::queued, count)
        }),
    ];
    let about = "memory of a waiting task, mean of a million (quick: 20,000)";
    Scenario::new("queued-memory", about, Unit::Bytes, contenders).rounds(2)
}

fn submits(plan: Plan) -> Scenario {
    let (count, more) = (many(plan), plan.pick(100_000, 5000));
    let contenders = [("none waits", 0), ("a million wait", count)].map(|(name, waiting)| {
        Contender::ours(format!("procession apply_async, {name}"), move |_| {
            queues::submits(waiting, more)
        })
    });
    let mut all = vec![Contender::limit("eight bytes in an allocation each", move |_| {
        limits::memory::allocate(more)
    })];
    all.extend(contenders);
    let about = "submitting alone, with both workers held and a million tasks (quick: 20,000) waiting \
                 or none";
    Scenario::new("queued-submit", about, Unit::TimePer("task"), all).rounds(3)
}

fn throughput(plan: Plan) -> Scenario {
    let (count, bursts) = (many(plan), plan.pick(100_000, 5000));
    let steps = plan.pick(300_000, 10_000);
    let pace = Pace::steady(1, plan.pick(3, 1), Duration::from_secs(2));
    let contenders = vec![
        Contender::limit("shared ring, both spinning, an Arc each", move |_| {
            limits::ring::tasks(pace, bursts as u32, Wait::Spinning)
        }),
        Contender::threads("rayon spawn, a million at once", move |_| {
            rayon::tasks(Pace { warm_up: 0, calls: 1, ..pace }, 1, 2, count)
        }),
        Contender::ours("procession, bursts of 100,000, before", move |plan| {
            queues::after(plan, 0, bursts)
        }),
        Contender::ours("procession, bursts of 100,000, after a million at once", move |plan| {
            queues::after(plan, count, bursts)
        }),
        Contender::ours("procession, a million at once", move |_| {
            queues::after(Plan { quick: true, ..plan }, 0, count)
        }),
        Contender::ours("procession, one in and one out, 1000 outstanding", move |_| {
            queues::window(1000, steps)
        }),
        Contender::ours("procession, one in and one out, a million outstanding", move |_| {
            queues::window(count, steps)
        }),
    ];
    let about =
        "tiny tasks on two workers, with a million (quick: 20,000) waiting, before and after";
    Scenario::new("queued-throughput", about, Unit::TimePer("task"), contenders).rounds(3)
}

fn trips(plan: Plan) -> Scenario {
    let count = many(plan);
    let at_most = Duration::from_millis(plan.pick(400, 40));
    let pace = Pace::steady(2000, plan.pick(20_000, 1000), at_most);
    let trip = |kind, name: &str, session: fn(u64, Body<'_>) -> Outcome<()>, count| {
        let session: Session = Box::new(move |body| session(count, body));
        let turn = Box::new(move |_| round_trips(&session, pace));
        Contender { kind, name: name.to_owned(), turn }
    };
    let spinning = |_, body: Body<'_>| limits::spin::session(body);
    let (before, with) = (queues::session_after, queues::session_beside);
    let contenders = vec![
        trip(Kind::Limit, "spinning on a shared page", spinning, 0),
        trip(Kind::Ours, "procession apply, before", before, 0),
        trip(Kind::Ours, "procession apply, a million wait in another pool", with, count),
        trip(
            Kind::Ours,
            "procession apply, a million are done and not taken",
            queues::session_untaken,
            count,
        ),
        trip(Kind::Ours, "procession apply, after a million", before, count),
    ];
    let about = "round trips with a million tasks (quick: 20,000) about; in one pool a call waits for \
                 those before it";
    Scenario::new("queued-round-trip", about, Unit::Time, contenders).rounds(3)
}
