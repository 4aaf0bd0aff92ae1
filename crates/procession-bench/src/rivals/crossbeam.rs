//! A thread behind a pair of crossbeam channels.

use crate::harness::Outcome;
use crate::ours::calls::in_threads;
use crate::pace::{Body, Pace};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::sync::Mutex;

/// Runs `work` with a thread that sends everything back.
fn with_thread<T: Send, R>(work: impl FnOnce(Sender<T>, Receiver<T>) -> Outcome<R>) -> Outcome<R> {
    std::thread::scope(|scope| {
        let (requests, incoming) = unbounded::<T>();
        let (outgoing, responses) = unbounded::<T>();
        scope.spawn(move || {
            for message in incoming {
                if outgoing.send(message).is_err() {
                    return;
                }
            }
        });
        work(requests, responses)
    })
}

/// Round trips to a thread.
pub(crate) fn session(body: Body<'_>) -> Outcome<()> {
    with_thread(|requests, responses| {
        body(&mut |value| {
            requests.send(value)?;
            Ok(responses.recv()?)
        })
    })
}

/// A vector of bytes there and back; only a pointer travels.
pub(crate) fn bytes(size: usize, pace: Pace) -> Outcome<Vec<f64>> {
    with_thread(|requests, responses| {
        let mut bytes = vec![1_u8; size];
        pace.time(|| {
            requests.send(std::mem::take(&mut bytes)).map_err(|_| "the thread is gone")?;
            bytes = responses.recv()?;
            if bytes.len() == size { Ok(()) } else { Err("too few bytes".into()) }
        })
    })
}

/// Nanoseconds a task: all sent one by one, a share by each thread, then all received.
pub(crate) fn tasks(pace: Pace, threads: usize, count: u64) -> Outcome<Vec<f64>> {
    let share = count / threads as u64;
    let times = with_thread(|requests, responses| {
        pace.time(|| {
            let sum = Mutex::new(0);
            in_threads(threads, || {
                (0..share).try_for_each(|number| requests.send(number))?;
                let received = (0..share).map(|_| responses.recv()).sum::<Result<u64, _>>()?;
                *sum.lock().map_err(|_| "a thread panicked")? += received;
                Ok(())
            })?;
            let sum = sum.into_inner().map_err(|_| "a thread panicked")?;
            let right = sum == threads as u64 * (0..share).sum::<u64>();
            if right { Ok(()) } else { Err("wrong results".into()) }
        })
    })?;
    Ok(times.into_iter().map(|time| time / (share * threads as u64) as f64).collect())
}

/// Numbers that wait in a channel while nobody takes them.
pub(crate) fn queued(count: u64, measure: &mut dyn FnMut() -> Outcome<()>) -> Outcome<()> {
    let (requests, _responses) = unbounded::<u64>();
    (0..count).try_for_each(|number| requests.send(number))?;
    measure()
}
