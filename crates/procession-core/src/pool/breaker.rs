//! When a place gets its next worker, and when the pool gives up.
//!
//! A worker that dies while it runs a task is the task's affair: it is replaced at once, and as every
//! such death uses up a task there is an end to it. Two kinds of deaths use up nothing, and could go on
//! for ever at full speed:
//!
//! | death | weight by itself | by a signal | counted | reset | the pool is broken at |
//! |---|---|---|---|---|---|
//! | before the worker was ready | 4 | 1 | in the pool | by a worker that is ready | 12 |
//! | soon after, idle, without having finished a task | 4 | 1 | in its place | by a worker there that lives longer, or finishes one | 48 |
//!
//! A signal may be somebody else's doing, hence its weight. Of either kind the next worker is started at
//! once at first; later it waits 10 ms, then twice as long after each, at most a second.

use super::inner::Inner;
use super::slot::{Phase, Slot, Target};
use crate::error::{Error, Fault, WorkerId};
use crate::rest;
use procession_os::process::Exit;
use std::time::Duration;

/// Weight of a death that nobody else can have caused.
const WEIGHT_BY_ITSELF: u32 = 4;
/// Weight of a death by a signal.
const WEIGHT_BY_SIGNAL: u32 = 1;
/// Weight of failed starts, since a worker was last ready, at which a pool is broken: three by
/// themselves, twelve by signals.
const STARTS_MAX: u32 = 12;
/// Weight of idle deaths in a row in one place at which a pool is broken: twelve by themselves,
/// forty-eight by signals.
const IDLE_MAX: u32 = 48;
/// A worker that has lived this long since it was ready has not died because it was started.
const SOON: Duration = Duration::from_secs(10);
/// First and shortest wait for the next worker.
const DELAY_MIN: Duration = Duration::from_millis(10);
/// Longest wait for the next worker.
const DELAY_MAX: Duration = Duration::from_secs(1);
/// Idle deaths in a row, and weight of failed starts, after which the next worker waits.
const PATIENCE: u32 = 4;

/// Whether there is to be another worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// After this time.
    Replace(Duration),
    /// No: the pool cannot go on.
    Break,
}

/// What is counted in one place, or of the starts in all of them.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    deaths: u32,
    weight: u32,
}

impl Breaker {
    /// Counts a start that failed.
    pub(super) fn start_failed(&mut self, by_signal: bool) -> Verdict {
        self.count(by_signal);
        verdict(self.weight, STARTS_MAX, self.weight)
    }

    /// Counts the death of a worker that had done nothing.
    fn died_idle(&mut self, by_signal: bool) -> Verdict {
        self.count(by_signal);
        verdict(self.weight, IDLE_MAX, self.deaths)
    }

    /// Something went well.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    fn count(&mut self, by_signal: bool) {
        self.deaths += 1;
        self.weight += if by_signal { WEIGHT_BY_SIGNAL } else { WEIGHT_BY_ITSELF };
    }
}

fn verdict(weight: u32, weight_max: u32, step: u32) -> Verdict {
    if weight >= weight_max {
        return Verdict::Break;
    }
    let delay = step.checked_sub(PATIENCE).map_or(Duration::ZERO, |doublings| {
        DELAY_MIN.saturating_mul(1 << doublings.min(16)).min(DELAY_MAX)
    });
    Verdict::Replace(delay)
}

/// What a process was doing when it ended, before its tasks are given away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// It was not ready yet.
    Starting,
    /// It was ready, and had nothing to run.
    Idle,
    /// It ran a task, or was to end: there is an explanation.
    Explained,
}

impl Inner {
    /// What a process that has ended was doing, with all that it had said being known.
    pub(super) fn doing(&self, process: usize) -> Doing {
        let team = &self.slots[self.team(process)];
        let starts = |slot: &Slot| matches!(slot.phase, Phase::Starting(_));
        if team.iter().any(|slot| slot.start_error.is_some()) {
            return Doing::Starting;
        }
        if team.iter().any(Slot::has_begun) {
            return Doing::Explained;
        }
        if team.iter().any(starts) {
            return Doing::Starting;
        }
        if team.iter().all(|slot| slot.phase == Phase::Ready && slot.killed_for.is_none()) {
            return Doing::Idle;
        }
        Doing::Explained
    }

    /// Counts the end of a process that was ready and had nothing to run; gives the error that the pool
    /// is broken with if it was one too many.
    pub(super) fn count_idle_end(
        &mut self,
        worker: &WorkerId,
        exit: Exit,
        protocol: Option<String>,
    ) -> Result<Duration, Error> {
        let team = self.team(worker.index as usize);
        let done: u64 = self.slots[team.clone()].iter().map(|slot| slot.done).sum();
        let lead = &mut self.slots[team.start];
        let is_soon = lead.ready_at.is_some_and(|time| rest::now() < time + SOON);
        if done > 0 || !is_soon {
            lead.idle_deaths.reset();
            return Ok(Duration::ZERO);
        }
        let by_signal = matches!(exit, Exit::Signal { .. }) && protocol.is_none();
        match lead.idle_deaths.died_idle(by_signal) {
            Verdict::Replace(delay) => Ok(delay),
            Verdict::Break => Err(Error::new(Fault::Dying {
                worker: worker.clone(),
                exit,
                deaths: lead.idle_deaths.deaths,
                protocol,
            })),
        }
    }
}

impl Slot {
    /// Whether the worker has begun something that has no outcome.
    pub(super) fn has_begun(&self) -> bool {
        let Some(live) = &self.live else { return false };
        self.flights.iter().any(|flight| {
            matches!(flight.target, Some(Target::Task(_) | Target::Chunk(_)))
                && live.lane.is_begun(flight.sequence)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(mut next: impl FnMut() -> Verdict) -> Vec<u64> {
        let mut delays = Vec::new();
        while let Verdict::Replace(delay) = next() {
            delays.push(delay.as_millis() as u64);
        }
        delays
    }

    #[test]
    fn starts_that_fail_by_themselves_are_given_up_after_three() {
        let mut breaker = Breaker::default();
        assert_eq!(delays(|| breaker.start_failed(false)), [10, 160]);
    }

    #[test]
    fn starts_that_are_killed_are_given_up_after_twelve() {
        let mut breaker = Breaker::default();
        let waits = [0, 0, 0, 10, 20, 40, 80, 160, 320, 640, 1000];
        assert_eq!(delays(|| breaker.start_failed(true)), waits);
    }

    #[test]
    fn idle_deaths_wait_from_the_fourth_on_and_a_second_at_most() {
        let mut breaker = Breaker::default();
        let waits = [0, 0, 0, 10, 20, 40, 80, 160, 320, 640, 1000];
        assert_eq!(delays(|| breaker.died_idle(false)), waits);
        breaker.reset();
        let by_signal = delays(|| breaker.died_idle(true));
        assert_eq!((by_signal.len(), by_signal[46]), (47, 1000));
    }

    #[test]
    fn what_goes_well_is_forgotten_with_what_went_before() {
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            assert_eq!(breaker.start_failed(false), Verdict::Replace(DELAY_MIN));
            breaker.reset();
        }
    }
}
