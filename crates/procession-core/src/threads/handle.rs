//! A pool of threads as its owner holds it.

use super::batch::{AHEAD_ITEMS, Batch, Room, Whole};
use super::engine::{Config, Engine};
use super::outcome::{Deliveries, Outcome, wait_until};
use super::task::Task;
use super::workers::Name;
use crate::error::{Error, Result};
use crate::pool::Stats;
use crate::task::Failure;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most items that are taken from an iterator before the threads hear of them.
const STEP_ITEMS: usize = 4096;
/// Longest time until they do, so that a slow iterator does not starve the threads.
const STEP_TIME: Duration = Duration::from_micros(200);

/// A pool of threads: a handle, cheap to clone. Its threads end with [`terminate`](Self::terminate)
/// or [`join`](Self::join); the face's owner sees to one of them.
#[derive(Debug, Clone)]
pub struct Threads {
    engine: Arc<Engine>,
}

impl Threads {
    /// Starts the threads. This returns without waiting for their initializers, and tasks may be
    /// submitted at once.
    ///
    /// # Errors
    /// When the configuration makes no sense or a thread cannot be made. What goes wrong in an
    /// initializer is the error of the pool's tasks and of `join`.
    pub fn start(config: Config) -> Result<Self> {
        Ok(Self { engine: Engine::start(config)? })
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Submits one call of a function of this name.
    pub fn submit<F, R>(&self, name: Name, call: F) -> Arc<dyn Outcome<R>>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        if let Err(error) = self.engine.enter(1) {
            // Dropped here, on the thread of who submits: a panic is its own.
            drop(call);
            return self.refuse(error);
        }
        let task = Arc::new(Task::new(self.engine.id, name, call));
        self.engine.push(task.clone());
        task
    }

    /// Cancels what nobody has begun of a task or a map; `false` when there is nothing. With `running`, asks
    /// items that run to stop.
    pub fn cancel<R>(&self, outcome: &dyn Outcome<R>, running: bool) -> bool {
        outcome.cancel(self, running)
    }

    /// A task that failed before it could be submitted; `join` reports it if nobody looks.
    pub fn refuse<R: Send + 'static>(&self, error: Error) -> Arc<dyn Outcome<R>> {
        Arc::new(Task::<fn() -> R, R>::failed(self.engine.id, self.note(error)))
    }

    /// Something that failed before it could be submitted; `join` reports it if nobody looks.
    pub fn note(&self, error: Error) -> Arc<Failure> {
        let failure = Failure::new(error);
        self.engine.note(&failure);
        failure
    }

    /// A map of a function of this name that is fed with [`push`](Deliveries::push); `chunk_items` overrides the measured size
    /// of its chunks.
    pub fn stream<F, A, R>(
        &self,
        (name, function): (Name, F),
        chunk_items: Option<usize>,
    ) -> Arc<dyn Deliveries<A, R>>
    where
        F: Fn(A) -> R + Send + Sync + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        Arc::new(Batch::new(&self.engine, name, function, chunk_items))
    }

    /// A map of all items of an iterator. With `in_step` this waits whenever many items are ahead of
    /// the threads, for callers that wait for the results anyway.
    pub fn map<F, A, R>(
        &self,
        (name, function): (Name, F),
        chunk_items: Option<usize>,
        mut items: impl Iterator<Item = A>,
        in_step: bool,
    ) -> Arc<dyn Outcome<Vec<R>>>
    where
        F: Fn(A) -> R + Send + Sync + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        let batch = Arc::new(Batch::new(&self.engine, name, function, chunk_items));
        let room = Arc::new(Room(batch.clone()));
        let mut gatherer = Gatherer::default();
        // If the iterator panics, what was pushed need not run.
        let mut guard = AbandonUnlessDone { pool: self, batch: batch.clone(), is_done: false };
        loop {
            let (items, is_last) = gatherer.next(&mut items, AHEAD_ITEMS);
            // A batch that is refused is given up, and its handle says why.
            if batch.clone().push(self, items, is_last).is_err() || is_last {
                break;
            }
            if in_step {
                wait_until(&room, None);
            }
        }
        guard.is_done = true;
        Arc::new(Whole(batch))
    }

    /// How many threads the pool has.
    pub fn threads(&self) -> usize {
        self.engine.config.threads
    }

    /// Takes no more tasks.
    pub fn close(&self) {
        self.engine.close();
    }

    /// Waits until every task has its outcome and every thread has ended.
    ///
    /// # Errors
    /// What failed and nobody has looked at; why the pool is broken, if it is; that it was not closed; that a
    /// task of the pool would wait for itself.
    pub fn join(&self) -> Result<()> {
        self.engine.join()
    }

    /// Fails what has not begun, and waits for what runs, unless a task of the pool calls this.
    pub fn terminate(&self) {
        self.engine.terminate();
    }

    /// What the pool has done.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }
}

struct AbandonUnlessDone<'a, A, R> {
    pool: &'a Threads,
    batch: Arc<dyn Deliveries<A, R>>,
    is_done: bool,
}

impl<A, R> Drop for AbandonUnlessDone<'_, A, R> {
    fn drop(&mut self) {
        if !self.is_done {
            self.batch.abandon(self.pool);
        }
    }
}

/// Takes items from an iterator in steps that grow.
#[derive(Debug)]
pub struct Gatherer {
    step: usize,
}

impl Default for Gatherer {
    fn default() -> Self {
        Self { step: 4 }
    }
}

impl Gatherer {
    /// The next items, at most `most`, and whether they are the last. After the last, the iterator
    /// is not to be asked again.
    pub fn next<I: Iterator + ?Sized>(
        &mut self,
        iterator: &mut I,
        most: usize,
    ) -> (Vec<I::Item>, bool) {
        let most = most.min(self.step);
        self.step = (self.step * 2).min(STEP_ITEMS);
        let mut items = Vec::with_capacity(most);
        let start = Instant::now();
        while items.len() < most {
            if items.len() % 16 == 15 && start.elapsed() >= STEP_TIME {
                break;
            }
            match iterator.next() {
                Some(item) => items.push(item),
                None => return (items, true),
            }
        }
        (items, false)
    }
}
