//! One call and what becomes of it.

use super::engine::{End, Engine};
use super::outcome::{Goal, Outcome};
use super::queue::Entry;
use super::workers::Name;
use super::{Threads, worker};
use crate::error::{Error, Fault, Result};
use crate::task::{Failure, Subscribers};
use crate::worker::{as_thread_task, panic_hook};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

/// One call and where its outcome arrives: the queue's entry and the caller's handle in one piece of
/// memory.
pub(super) struct Task<F, R> {
    /// The pool's id.
    pool: u64,
    name: Name,
    done: AtomicBool,
    inner: Mutex<Inner<F, R>>,
}

struct Inner<F, R> {
    stage: Stage<F, R>,
    subscribers: Subscribers,
}

/// An outcome, as it arrives.
type Arrived<R> = std::result::Result<R, Arc<Failure>>;

enum Stage<F, R> {
    /// Nobody has begun it.
    Waiting(F),
    /// Somebody has.
    Begun,
    Over(Arrived<R>),
    /// Somebody has taken the outcome: a value, or not.
    Taken(bool),
}

impl<F, R> Task<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    pub(super) fn new(pool: u64, name: Name, call: F) -> Self {
        Self::at(pool, name, Stage::Waiting(call), false)
    }

    /// One that has failed already.
    pub(super) fn failed(pool: u64, failure: Arc<Failure>) -> Self {
        Self::at(pool, std::any::type_name::<F>, Stage::Over(Err(failure)), true)
    }

    fn at(pool: u64, name: Name, stage: Stage<F, R>, done: bool) -> Self {
        Self {
            pool,
            name,
            done: AtomicBool::new(done),
            inner: Mutex::new(Inner { stage, subscribers: Subscribers::default() }),
        }
    }

    /// Takes the call, unless somebody was faster.
    fn begin(&self) -> Option<F> {
        let mut inner = self.inner.lock();
        match std::mem::replace(&mut inner.stage, Stage::Begun) {
            Stage::Waiting(call) => Some(call),
            other => {
                inner.stage = other;
                None
            }
        }
    }

    fn settle(&self, engine: &Engine, outcome: Arrived<R>) {
        engine.wake(self.store(outcome));
    }

    /// Stores the outcome; gives the waker that is due.
    fn store(&self, outcome: Arrived<R>) -> Option<Waker> {
        let mut inner = self.inner.lock();
        inner.stage = Stage::Over(outcome);
        // ORDER(threads-done): releases the outcome to whoever sees `done` without the lock.
        self.done.store(true, Ordering::Release);
        inner.subscribers.wake()
    }

    /// Runs it, unless somebody was faster.
    fn run_here(self: Arc<Self>, engine: &Engine, worker: usize) -> bool {
        let Some(call) = self.begin() else { return false };
        let doing = engine.doing(worker);
        let outer = doing.set(Some(self.name));
        let returned = as_thread_task(|| panic_hook::catch(call));
        doing.go_back_to(outer);
        let outcome = match returned {
            Ok(value) => {
                engine.count(Some(worker), End::Succeeded, 1);
                Ok(value)
            }
            Err(report) => {
                // Before it is counted: who joins looks for failures when all is counted.
                let error = Error::panicked(None, report).of_call((self.name)(), None);
                let failure = Failure::new(error);
                engine.note(&failure);
                engine.count(Some(worker), End::Failed, 1);
                Err(failure)
            }
        };
        self.settle(engine, outcome);
        true
    }
}

impl<F, R> Entry for Task<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    fn run(self: Arc<Self>, engine: &Engine, worker: usize) {
        self.run_here(engine, worker);
    }

    fn refuse(&self, engine: &Engine, error: &Error) {
        let Some(call) = self.begin() else { return };
        let failure = Failure::new(error.clone());
        engine.note(&failure);
        engine.count(None, End::Failed, 1);
        self.settle(engine, Err(failure));
        engine.drop_quietly(call);
    }
}

impl<F, R> Goal for Task<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    fn is_over(&self) -> bool {
        // ORDER(threads-done): acquires what was stored before; the outcome itself is behind the
        // lock.
        self.done.load(Ordering::Acquire)
    }

    fn subscribe(&self, change: &mut dyn FnMut(&mut Subscribers)) -> bool {
        let mut inner = self.inner.lock();
        let is_pending = !self.is_over();
        if is_pending {
            change(&mut inner.subscribers);
        }
        is_pending
    }

    fn help(self: Arc<Self>) -> bool {
        worker::with(self.pool, |engine, place| self.run_here(engine, place)).unwrap_or(false)
    }
}

impl<F, R> Outcome<R> for Task<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    fn take(&self) -> Option<Result<R>> {
        let mut inner = self.inner.lock();
        match std::mem::replace(&mut inner.stage, Stage::Begun) {
            Stage::Over(outcome) => {
                inner.stage = Stage::Taken(outcome.is_ok());
                Some(outcome.map_err(|failure| failure.look()))
            }
            other => {
                inner.stage = other;
                None
            }
        }
    }

    fn succeeded(&self) -> Option<bool> {
        if !self.is_over() {
            return None;
        }
        Some(match &self.inner.lock().stage {
            Stage::Over(Err(failure)) => {
                failure.look();
                false
            }
            Stage::Taken(succeeded) => *succeeded,
            Stage::Over(Ok(_)) | Stage::Waiting(_) | Stage::Begun => true,
        })
    }

    fn cancel(&self, pool: &Threads, _running: bool) -> bool {
        // The queue's entry stays, and is nothing when its turn comes.
        let Some(call) = self.begin() else { return false };
        let waker = self.store(Err(Failure::new(Error::new(Fault::Cancelled { worker: None }))));
        pool.engine().count(None, End::Cancelled, 1);
        // Counted before any code of users runs.
        pool.engine().wake(waker);
        // On the thread of who cancels: a panic is its own.
        drop(call);
        true
    }
}
