//! A pool as its owner holds it.

use super::config::Config;
use super::shared::Shared;
use super::stats::Stats;
use super::supervisor;
use super::wait::{Goal, Waitable};
use crate::attachment::Attachments;
use crate::error::{Error, Result};
use crate::face::Code;
use crate::info::check_name;
use crate::payload::Output;
use crate::report;
use crate::start::{Processes, Snapshot, StartMethod, bootstrap};
use crate::task::{Batch, Failure, TaskCell, Terms};
use procession_os::own_thread::{self, OwnThread};
use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Instant;

thread_local! {
    /// The encoder's memory, used again by this thread's next task.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Most workers of a pool, threads of its processes counted.
const WORKERS_MAX: usize = 4096;

/// Scratch memory above this is not kept.
const SCRATCH_BYTES_MAX: usize = 1 << 20;

/// What a pool says in a forked copy of the process that made it.
const NOT_HERE: &str =
    "a pool of the program is of no use in a forked child: make one of the child's own";

/// A pool of worker processes: an untyped handle, cheap to clone. Its workers end with
/// [`terminate`](Self::terminate) or [`join`](Self::join); the face's owner sees to one of them.
#[derive(Debug, Clone)]
pub struct Pool {
    shared: Arc<Shared>,
    /// The [`copies`](bootstrap::copies) of the process that made it. In a forked copy of that the pool
    /// is a picture: it has no supervisor, and its workers are the program's.
    copies: u32,
}

impl Pool {
    /// Launches the workers. They start side by side; this returns without waiting for them, and
    /// tasks may be submitted at once.
    ///
    /// # Errors
    /// When the configuration makes no sense or a process, its memory or a thread cannot be made.
    /// What goes wrong later in a worker's start is the error of the pool's tasks and of `join`.
    pub fn start(mut config: Config) -> Result<Self> {
        if config.workers == 0 || config.threads == 0 {
            return Err(Error::usage("a pool has at least one process, of at least one thread"));
        }
        let workers = config.workers.checked_mul(config.threads);
        if workers.is_none_or(|workers| workers > WORKERS_MAX) {
            return Err(Error::usage(format!(
                "a pool has at most {WORKERS_MAX} workers, not {} processes of {} threads each",
                config.workers, config.threads
            )));
        }
        check_name(&config.name)?;
        config.limits.check()?;
        if StartMethod::chosen(config.start_method) == Some(StartMethod::Fork) {
            config.snapshot = Some(Snapshot::take()?);
        }
        let shared = Arc::new(Shared::new(config, Box::new(Processes)));
        let pool = Self { shared: shared.clone(), copies: bootstrap::copies() };
        let reported: Weak<Shared> = Arc::downgrade(&shared);
        report::register(reported);
        let launched = shared.launch_all(&mut shared.lock());
        let seen = shared.clone();
        let supervise = move |own: &mut OwnThread| supervisor::run(&seen, own);
        own_thread::spawn("procession-supervisor", 256 * 1024, supervise)
            .map_err(|source| Error::system("cannot start the supervisor thread", source))?;
        if let Err(error) = launched {
            pool.terminate();
            return Err(error);
        }
        Ok(pool)
    }

    /// A handle to a pool whose threads a test has.
    #[cfg(test)]
    pub(super) fn of(shared: Arc<Shared>) -> Self {
        Self { shared, copies: bootstrap::copies() }
    }

    /// Submits one call on these terms, whose arguments `encode` writes.
    ///
    /// # Errors
    /// What `encode` returns; nothing was sent then.
    pub fn submit<E>(
        &self,
        code: Code,
        terms: &Terms,
        encode: impl FnOnce(&mut Output<'_>) -> std::result::Result<(), E>,
    ) -> std::result::Result<Arc<TaskCell>, E> {
        let scratch = SCRATCH.take();
        let mut output = Output::new(scratch, Some(&*self.shared));
        encode(&mut output)?;
        let attachments = Attachments::new(output.attachments());
        let (finished, spare) = output.finish();
        if !self.is_here() {
            return Ok(self.refuse(Error::usage(NOT_HERE)));
        }
        let (cell, scratch) = self.shared.submit(code, terms, finished, attachments);
        let keep = if scratch.capacity() >= spare.capacity() { scratch } else { spare };
        if keep.capacity() <= SCRATCH_BYTES_MAX {
            SCRATCH.set(keep);
        }
        Ok(cell)
    }

    /// A task that was refused before it could be submitted; `join` reports it if nobody looks.
    pub fn refuse(&self, error: Error) -> Arc<TaskCell> {
        Arc::new(TaskCell::failed(self.note(error)))
    }

    /// Something that failed before it could be submitted; `join` reports it if nobody looks.
    pub fn note(&self, error: Error) -> Arc<Failure> {
        if self.is_here() { self.shared.lock().note(error) } else { Failure::new(error) }
    }

    /// Lets the workers know of `items` that were pushed to a batch.
    pub fn kick(&self, batch: &Arc<Batch>, items: u64) {
        if self.is_here() {
            self.shared.kick(batch, items);
        }
    }

    /// Nobody wants the rest of a batch: what was not cut yet never runs.
    pub fn abandon(&self, batch: &Arc<Batch>) {
        let (count, waker) = batch.abandon();
        if self.is_here() {
            let mut inner = self.shared.lock();
            inner.stats.dropped += count;
            inner.owe_wake(waker);
            // Who leads is no subscriber.
            inner.settled = true;
            self.shared.collect(&mut inner);
            self.shared.tell_leader(&mut inner);
        } else {
            waker.into_iter().for_each(Waker::wake);
        }
    }

    /// Cancels a task that no worker has begun; with `running`, also one that runs, by killing its
    /// worker. `false` when it goes on, or has its outcome already.
    pub fn cancel(&self, cell: &Arc<TaskCell>, running: bool) -> bool {
        self.is_here() && self.shared.cancel(cell, running)
    }

    /// Cancels the items of a batch that no worker has begun; with `running`, also those that run, by
    /// killing their workers. `false` when there were none.
    pub fn cancel_batch(&self, batch: &Arc<Batch>, running: bool) -> bool {
        self.is_here() && self.shared.cancel_batch(batch, running)
    }

    /// Waits until `goal` is over, or the deadline has passed; `true` when it is over.
    ///
    /// # Panics
    /// In a forked copy of the process that made the pool, if it would have to wait: for ever.
    pub fn wait_until(&self, goal: &dyn Waitable, deadline: Option<Instant>) -> bool {
        if !self.is_here() {
            assert!(goal.is_over(), "{NOT_HERE}");
            return true;
        }
        self.shared.wait_until(Goal::Outcome(goal), deadline)
    }

    /// Has `waker` woken when `goal` is over; `false` when it is over already.
    ///
    /// # Panics
    /// As [`wait_until`](Self::wait_until).
    pub fn poll(&self, goal: &dyn Waitable, waker: &Waker) -> bool {
        assert!(self.is_here() || goal.is_over(), "{NOT_HERE}");
        // Cloned before the lock is taken, and the one before dropped after it is given up.
        let mut waker = Some(waker.clone());
        let mut inner = self.shared.lock();
        if !goal.swap_waker(&mut waker) {
            return false;
        }
        if waker.is_some() {
            return true;
        }
        inner.pollers += 1;
        // From now on the supervisor hears of every response; what is there already is taken here.
        self.shared.arrange_bells(&mut inner);
        self.shared.collect(&mut inner);
        self.shared.tell_leader(&mut inner);
        drop(inner);
        !goal.is_over()
    }

    /// Takes [`poll`](Self::poll) back.
    pub fn stop_polling(&self, goal: &dyn Waitable) {
        let mut waker = None;
        let mut inner = self.shared.lock();
        goal.swap_waker(&mut waker);
        if waker.is_some() {
            inner.pollers = inner.pollers.saturating_sub(1);
        }
        drop(inner);
        drop(waker);
    }

    /// How many processes the pool has, when all are there.
    pub fn processes(&self) -> usize {
        self.shared.config.workers
    }

    /// How many tasks the pool runs at a time, when all processes are there: one for each thread.
    pub fn workers(&self) -> usize {
        self.shared.config.workers * self.shared.config.threads
    }

    /// Takes no more tasks.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Waits until every task has its outcome and every worker has ended.
    ///
    /// # Errors
    /// What failed and nobody has looked at; why the pool is broken, if it is; that it was not closed.
    pub fn join(&self) -> Result<()> {
        if !self.is_here() {
            return Err(Error::usage(NOT_HERE));
        }
        self.shared.join()
    }

    /// Ends everything, within the grace period and a bound. In a forked copy of the process that
    /// made the pool there is nothing to end.
    pub fn terminate(&self) {
        if self.is_here() {
            self.shared.terminate();
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn is_here(&self) -> bool {
        self.copies == bootstrap::copies()
    }

    /// What the pool has done.
    pub fn stats(&self) -> Stats {
        let inner = self.shared.lock();
        let workers = inner.slots.iter().filter(|slot| slot.live.is_some()).count();
        let shared = inner.slots.iter().map(|slot| slot.shared).sum();
        Stats { workers, shared, ..inner.stats }
    }

    /// Process ids of the worker processes that live, in the order of their places.
    pub fn worker_pids(&self) -> Vec<u32> {
        let inner = self.shared.lock();
        inner.leads().filter_map(|s| s.live.as_ref().map(|live| live.process.id().pid)).collect()
    }

    /// Takes the responses that are there. For those who ask without waiting.
    pub fn collect(&self) {
        if !self.is_here() {
            return;
        }
        let mut inner = self.shared.lock();
        self.shared.collect(&mut inner);
        self.shared.tell_leader(&mut inner);
    }
}
