//! The scheduling state of a pool, all behind one lock.

use super::breaker::Breaker;
use super::slot::{Phase, Request, Slot, Target};
use super::stats::Stats;
use super::wait::Leadership;
use crate::error::{Error, Fault};
use crate::message::{PanicReport, Retirement};
use crate::task::{Batch, Delivery, Failure, Failures, Outcome, Settled, Subscribers, TaskCell};
use procession_ipc::lane::LaneWatch;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// What a pool will do with tasks.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// Takes tasks.
    Open,
    /// Takes no more; finishes what it has.
    Closed,
    /// Was terminated.
    Terminated,
    /// Cannot go on.
    Broken(Error),
}

impl State {
    /// Whether everything has its outcome, because the pool was terminated or cannot go on.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self, Self::Terminated | Self::Broken(_))
    }
}

/// What waits in the injector.
#[derive(Debug)]
pub(super) enum Work {
    /// One request, with its payload.
    Request(Request),
    /// A batch with items to cut.
    Batch(Arc<Batch>),
}

/// The scheduling state.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) state: State,
    /// The lanes' places; those of one process stand side by side.
    pub(super) slots: Vec<Slot>,
    /// Lanes of each process.
    pub(super) threads: usize,
    /// When a process is replaced although nothing is wrong with it.
    pub(super) retirement: Retirement,
    /// The place that was last chosen for a request.
    pub(super) chosen: usize,
    pub(super) injector: VecDeque<Work>,
    /// Nanoseconds that a task takes, a running mean; `None` before the first.
    pub(super) task_ns: Option<f64>,
    pub(super) stats: Stats,
    /// Tasks that are polled as futures: the supervisor collects for them.
    pub(super) pollers: usize,
    /// Who waits in `get` or the like, and collects.
    pub(super) leadership: Leadership,
    /// What waiting threads look at; replaced when a worker is.
    pub(super) watches: Arc<[Arc<LaneWatch>]>,
    /// The thread that used the pool last submitted, and so has a processor.
    pub(super) is_fed: bool,
    /// Whoever looked last meant to look again soon, and is no leader.
    pub(super) is_attended: bool,
    /// Starts that failed since a worker was last ready.
    pub(super) failed_starts: Breaker,
    /// Something was settled, or a worker has finished a request, since the flag was last cleared.
    pub(super) settled: bool,
    /// Threads that wait for the pool to have nothing to do.
    pub(super) drain_waiters: Subscribers,
    /// Collections so far.
    pub(super) clock: u64,
    /// How soon the supervisor looks again for stalled workers; `None` if it does not.
    pub(super) stalls_look: Option<Duration>,
    /// How soon the supervisor looks again whether tasks have had their time; `None` if it does not.
    pub(super) limits_look: Option<Duration>,
    /// Requests were taken back from behind a call, and were not sent elsewhere yet.
    pub(super) has_pinned: bool,
    /// The supervisor's thread has nothing more to do.
    pub(super) supervisor_done: bool,
    /// Wakers to be woken once the lock is given up.
    pub(super) due_wakers: Vec<Waker>,
    /// What `join` reports.
    pub(super) failures: Failures,
}

impl Inner {
    /// The state of a pool of this many processes with so many threads each.
    pub(super) fn new(workers: usize, threads: usize, retirement: Retirement) -> Self {
        Self {
            state: State::Open,
            slots: (0..workers * threads).map(|place| Slot::new(place / threads)).collect(),
            threads,
            retirement,
            chosen: 0,
            injector: VecDeque::new(),
            task_ns: None,
            stats: Stats::default(),
            pollers: 0,
            leadership: Leadership::default(),
            watches: Arc::new([]),
            is_fed: false,
            is_attended: false,
            failed_starts: Breaker::default(),
            settled: false,
            drain_waiters: Subscribers::default(),
            clock: 0,
            stalls_look: None,
            limits_look: None,
            has_pinned: false,
            supervisor_done: false,
            due_wakers: Vec::new(),
            failures: Failures::default(),
        }
    }

    /// The error that a new task gets, if the pool takes none.
    pub(super) fn refusal(&self) -> Option<Error> {
        match &self.state {
            State::Open => None,
            State::Closed => Some(Error::new(Fault::Closed)),
            State::Terminated => Some(Error::new(Fault::Terminated)),
            State::Broken(error) => Some(error.clone()),
        }
    }

    /// The places of the lanes of one process.
    pub(super) fn team(&self, process: usize) -> Range<usize> {
        process * self.threads..(process + 1) * self.threads
    }

    /// The first lane's places, one for each process.
    pub(super) fn leads(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().step_by(self.threads)
    }

    /// Whether a worker that has something to do is awake.
    pub(super) fn has_worker_awake(&self) -> bool {
        let mut busy = self.slots.iter().filter(|slot| slot.unfinished > 0);
        busy.any(|slot| {
            slot.live.as_ref().is_some_and(|live| !live.lane.watch().worker_is_asleep())
        })
    }

    /// Whether nothing waits and nothing runs.
    pub(super) fn is_idle(&self) -> bool {
        self.injector.is_empty() && self.slots.iter().all(|slot| slot.unfinished == 0)
    }

    fn count(&mut self, count: u64, error: Option<&Error>) {
        match error {
            None => self.stats.succeeded += count,
            Some(error) => {
                self.stats.failed += count;
                if error.is_worker_lost() {
                    self.stats.lost += count;
                } else if error.is_timed_out() {
                    self.stats.timed_out += count;
                } else if error.is_cancelled() {
                    self.stats.cancelled += count;
                }
            }
        }
        self.settled = true;
    }

    /// Remembers a waker that is due; who polled has its answer.
    pub(super) fn owe_wake(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.pollers = self.pollers.saturating_sub(1);
            self.due_wakers.push(waker);
        }
    }

    /// Notes something that failed before it was submitted.
    pub(super) fn note(&mut self, error: Error) -> Arc<Failure> {
        let failure = Failure::new(error);
        self.failures.note(&failure);
        failure
    }

    /// Notes a panic that is no task's: of a waker that the user has handed in.
    #[cold]
    pub(super) fn note_panic(&mut self, report: PanicReport) {
        self.note(Error::panicked(None, report));
    }

    /// Gives a task its outcome, unless it has one.
    pub(super) fn settle(&mut self, cell: &Arc<TaskCell>, outcome: Outcome) {
        // Be it nobody's news: who waits for the pool to be idle wants to know that a worker is.
        self.settled = true;
        let arrived = outcome.map_err(Failure::new);
        let failure = arrived.as_ref().err().cloned();
        let Settled::Now(waker) = cell.settle(arrived) else { return };
        self.count(1, failure.as_ref().map(|failure| failure.error()));
        if let Some(failure) = failure {
            self.failures.note(&failure);
        }
        self.owe_wake(waker);
    }

    /// Gives items of a batch their outcomes, unless all of them have theirs: what ran when the batch was
    /// cancelled may come back nevertheless.
    pub(super) fn deliver(&mut self, batch: &Arc<Batch>, delivery: Delivery) {
        if batch.is_done() {
            return;
        }
        match &delivery {
            Delivery::Part { count, .. } => self.count(*count, None),
            Delivery::Item { .. } => self.count(1, None),
            Delivery::Failed { count, failure, .. } => {
                self.count(*count, Some(failure.error()));
            }
        }
        let failure = match &delivery {
            Delivery::Failed { failure, .. } => Some(failure.clone()),
            Delivery::Part { .. } | Delivery::Item { .. } => None,
        };
        let waker = batch.deliver(delivery);
        if let Some(failure) = failure {
            // Not before: somebody may have looked at the whole map by now.
            self.failures.note(&failure);
        }
        self.owe_wake(waker);
    }

    /// Gives whatever a request is for this error for its outcome, where it has none.
    pub(super) fn fail(&mut self, target: Target, error: &Error) {
        match target {
            Target::Task(cell) => self.settle(&cell, Err(error.clone())),
            Target::Chunk(span) => {
                for (first, count) in span.unsettled() {
                    self.deliver(&span.batch, Delivery::failed(first, count, error.clone()));
                }
            }
            Target::Start => {}
        }
    }

    /// Fails the items of a batch that were not cut yet, and refuses more.
    pub(super) fn give_up(&mut self, batch: &Batch, error: &Error) {
        let (count, failure, waker) = batch.give_up(error);
        if count > 0 {
            self.count(count, Some(error));
            self.failures.note(&failure);
        }
        self.owe_wake(waker);
    }

    /// Refuses the items of a batch that were pushed last, and any more.
    pub(super) fn refuse_items(&mut self, batch: &Batch, items: u64, error: &Error) {
        let (count, failure, waker) = batch.refuse(items, error);
        if count > 0 {
            self.count(count, Some(error));
            self.failures.note(&failure);
        }
        self.owe_wake(waker);
    }

    /// Kills a process, so that what one of its threads runs ends; another takes its place when its end is
    /// known.
    pub(super) fn kill_team(&mut self, process: usize, why: &'static str) {
        let team = self.team(process);
        for slot in &mut self.slots[team.clone()] {
            if slot.live.is_some() {
                slot.enter(Phase::Stopping);
                slot.killed_for = Some(why);
            }
        }
        self.slots[team.start].kill();
    }

    /// Wakes the threads that wait for the pool to be idle, if it is.
    pub(super) fn wake_drain_waiters(&mut self) {
        if !self.drain_waiters.is_empty() && self.is_idle() {
            let waker = self.drain_waiters.wake();
            debug_assert!(waker.is_none(), "nobody polls for an idle pool");
        }
    }
}
