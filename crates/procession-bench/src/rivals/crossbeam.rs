//! A thread behind a pair of crossbeam channels.

use crate::harness::{Outcome, Plan};
use crate::pace::{Body, Pace};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::time::Duration;

type Channels = (Sender<u64>, Receiver<u64>);

/// Runs `work` with a thread that sends every number back.
fn with_thread<T>(work: impl FnOnce(Channels) -> Outcome<T>) -> Outcome<T> {
    std::thread::scope(|scope| {
        let (requests, incoming) = unbounded::<u64>();
        let (outgoing, responses) = unbounded::<u64>();
        scope.spawn(move || {
            for number in incoming {
                if outgoing.send(number).is_err() {
                    return;
                }
            }
        });
        work((requests, responses))
    })
}

/// Round trips to a thread.
pub(crate) fn session(body: Body<'_>) -> Outcome<()> {
    with_thread(|(requests, responses)| {
        body(&mut |value| {
            requests.send(value)?;
            Ok(responses.recv()?)
        })
    })
}

/// Nanoseconds a task: all sent one by one, then all received.
pub(crate) fn tasks(plan: Plan, count: u64) -> Outcome<Vec<f64>> {
    let times = with_thread(|(requests, responses)| {
        Pace::steady(1, plan.pick(3, 1), Duration::from_secs(2)).time(|| {
            (0..count).try_for_each(|number| requests.send(number))?;
            let right = (0..count).all(|number| responses.recv() == Ok(number));
            if right { Ok(()) } else { Err("a wrong result".into()) }
        })
    })?;
    Ok(times.into_iter().map(|time| time / count as f64).collect())
}
