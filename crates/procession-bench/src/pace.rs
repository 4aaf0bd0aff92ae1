//! How calls follow each other, and how they are timed.

use crate::harness::Outcome;
use std::time::{Duration, Instant};

/// How calls follow each other in a turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Calls before the first that counts.
    pub(crate) warm_up: usize,
    /// Calls that count.
    pub(crate) calls: usize,
    /// The turn ends after this time even if calls are left; one is always made.
    pub(crate) at_most: Duration,
    /// Sleep before each call.
    pub(crate) pause: Option<Duration>,
}

impl Pace {
    /// Calls without a pause.
    pub(crate) fn steady(warm_up: usize, calls: usize, at_most: Duration) -> Self {
        Self { warm_up, calls, at_most, pause: None }
    }

    /// Makes the calls and gives the nanoseconds that each took. Calls without a pause share their
    /// readings of the clock, so that each sample contains one.
    pub(crate) fn time(self, mut call: impl FnMut() -> Outcome<()>) -> Outcome<Vec<f64>> {
        self.warm(&mut call)?;
        let mut samples = Vec::with_capacity(self.calls.min(1 << 20));
        let start = Instant::now();
        let mut before = start;
        for _ in 0..self.calls {
            if let Some(pause) = self.pause {
                std::thread::sleep(pause);
                before = Instant::now();
            }
            call()?;
            let now = Instant::now();
            samples.push((now - before).as_nanos() as f64);
            if now - start >= self.at_most {
                break;
            }
            before = now;
        }
        Ok(samples)
    }

    /// As [`time`](Self::time), with something made for each call before its clock starts.
    pub(crate) fn time_prepared<T>(
        self,
        mut make: impl FnMut() -> T,
        mut call: impl FnMut(T) -> Outcome<()>,
    ) -> Outcome<Vec<f64>> {
        self.warm(&mut || call(make()))?;
        let mut samples = Vec::new();
        let start = Instant::now();
        while samples.len() < self.calls && (samples.is_empty() || start.elapsed() < self.at_most) {
            let made = make();
            samples.push(time_once(|| call(made))?);
        }
        Ok(samples)
    }

    fn warm(self, call: &mut dyn FnMut() -> Outcome<()>) -> Outcome<()> {
        let start = Instant::now();
        for _ in 0..self.warm_up {
            call()?;
            if start.elapsed() >= self.at_most / 2 {
                break;
            }
        }
        Ok(())
    }
}

/// Runs `work` and gives the nanoseconds that it took.
pub(crate) fn time_once(work: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_nanos() as f64)
}

/// What a contender in a round trip hands its calls to.
pub(crate) type Body<'a> = &'a mut dyn FnMut(&mut dyn FnMut(u64) -> Outcome<u64>) -> Outcome<()>;

/// Sets up a pair, lets `body` make calls, and takes the pair down.
pub(crate) type Session = Box<dyn Fn(Body<'_>) -> Outcome<()>>;

/// Times round trips of eight bytes, each with a number of its own that must come back.
pub(crate) fn round_trips(session: &Session, pace: Pace) -> Outcome<Vec<f64>> {
    let mut samples = Vec::new();
    session(&mut |call| {
        let mut number = 0;
        samples = pace.time(|| {
            number += 1;
            let answer = call(number)?;
            if answer == number { Ok(()) } else { Err("an answer to another call".into()) }
        })?;
        Ok(())
    })?;
    Ok(samples)
}
