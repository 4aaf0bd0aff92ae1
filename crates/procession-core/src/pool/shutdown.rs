//! The end of a pool: draining, stopping, terminating.

use super::inner::{Inner, State};
use super::shared::{Locked, Shared};
use super::slot::{Phase, Slot};
use super::wait::Goal;
use crate::error::{Error, Fault, Result};
use crate::rest;
use std::time::Duration;

/// Longest wait for workers that were told to stop and have nothing to do; then they are killed.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// Longest wait for the ends of workers that were killed.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

impl Shared {
    /// Takes no more tasks.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        if matches!(inner.state, State::Open) {
            inner.state = State::Closed;
        }
        drop(inner);
        self.supervisor.nudge();
    }

    /// Waits until every task has its outcome and every worker has ended.
    pub(super) fn join(&self) -> Result<()> {
        if matches!(self.lock().state, State::Open) {
            return Err(Error::usage("join() of a pool that is still open: call close() first"));
        }
        if self.is_supervising() {
            return Err(Error::usage(
                "join() in a waker, on the pool's own thread, would wait for itself",
            ));
        }
        self.wait_until(Goal::Drained, None);
        let mut inner = self.lock();
        if matches!(inner.state, State::Closed) {
            stop_workers(&mut inner);
        }
        self.supervisor.nudge();
        if !self.wait_for_ends(&mut inner, STOP_PATIENCE) {
            inner.slots.iter().for_each(Slot::kill);
            self.wait_for_ends(&mut inner, KILL_PATIENCE);
        }
        let inner = &mut *inner;
        match &inner.state {
            State::Broken(error) => Err(inner.failures.unseen_beside(error)),
            _ => inner.failures.unseen().map_or(Ok(()), Err),
        }
    }

    /// Ends everything: tasks get `PoolTerminated`, workers SIGTERM, and after a grace SIGKILL. Waits for
    /// that, unless it is for the calling thread to do.
    pub(super) fn terminate(&self) {
        let mut inner = self.lock();
        if !matches!(inner.state, State::Broken(_)) {
            inner.state = State::Terminated;
            self.fail_everything(&mut inner, &Error::new(Fault::Terminated));
        }
        for slot in inner.slots.iter_mut().filter(|slot| slot.live.is_some()) {
            slot.enter(Phase::Stopping);
        }
        for live in inner.leads().filter_map(|slot| slot.live.as_ref()) {
            live.process.terminate();
        }
        self.supervisor.nudge();
        if self.is_supervising() {
            let kill_at = rest::later(rest::now(), self.config.grace);
            let leads = inner.slots.iter_mut().step_by(self.config.threads);
            let alive = leads.filter(|lead| lead.live.is_some());
            alive.for_each(|lead| lead.stop_by = Some(kill_at));
            return;
        }
        if !self.wait_for_ends(&mut inner, self.config.grace) {
            inner.slots.iter().for_each(Slot::kill);
            self.wait_for_ends(&mut inner, KILL_PATIENCE);
        }
    }

    /// Waits until the supervisor has buried the last worker; `false` when it takes too long.
    fn wait_for_ends(&self, inner: &mut Locked<'_>, patience: Duration) -> bool {
        let deadline = rest::later(rest::now(), patience);
        while !inner.supervisor_done {
            if inner.wait_until(&self.changed, deadline) {
                return inner.supervisor_done;
            }
        }
        true
    }
}

/// Tells idle workers to stop: one thread of each process is told, and ends them all.
fn stop_workers(inner: &mut Inner) {
    let threads = inner.threads;
    for (place, slot) in inner.slots.iter_mut().enumerate() {
        if slot.live.is_none() {
            continue;
        }
        let was_told = std::mem::replace(&mut slot.phase, Phase::Stopping) == Phase::Stopping;
        if !place.is_multiple_of(threads) || was_told {
            continue;
        }
        if !slot.tell_to_stop() {
            // A drained lane has room unless the worker has gone mad.
            slot.kill();
        }
    }
}
