//! The result of a task that is on its way.

use crate::codec;
use crate::map::Gather;
use crate::target::Returned;
use procession_core::pool::{Pool, Waitable};
use procession_core::task::TaskCell;
use procession_core::threads::{self, Outcome, Threads};
use procession_core::{Error, Result};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The result of a task that is on its way. (`multiprocessing.pool.AsyncResult`.)
///
/// It may be waited for, asked, polled as a [`Future`] on any runtime, or dropped: the task runs all
/// the same, and an error that nobody looked at is reported by `Pool::join`. Results may be taken in
/// any order. Threads may share it: one may wait for what another cancels.
#[must_use = "an error that nobody looks at is only reported when the pool is joined"]
pub struct AsyncResult<R> {
    place: Place<R>,
    polled: bool,
    returns: PhantomData<fn() -> R>,
}

/// Where the task is.
enum Place<R> {
    /// In the processes of a pool.
    Processes(Pool, Source<R>),
    /// On the threads of a pool: a task, or a map.
    Threads(Threads, Arc<dyn Outcome<R>>),
}

pub(crate) enum Source<R> {
    /// One task, whose value is decoded thus.
    Task(Arc<TaskCell>, fn(&TaskCell) -> Option<Result<R>>),
    /// A map.
    Map(Box<dyn Gather<R> + Send + Sync>),
}

impl<R> Source<R> {
    fn with_goal<T>(&self, run: impl FnOnce(&dyn Waitable) -> T) -> T {
        match self {
            Self::Task(cell, _) => run(&**cell),
            Self::Map(map) => run(&map.whole()),
        }
    }
}

impl<R> fmt::Debug for AsyncResult<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncResult").field("ready", &self.is_over()).finish_non_exhaustive()
    }
}

// The only field that is ever pinned is none.
impl<R> Unpin for AsyncResult<R> {}

impl<R: Returned> AsyncResult<R> {
    pub(crate) fn of_task(pool: Pool, cell: Arc<TaskCell>) -> Self {
        let decode = |cell: &TaskCell| cell.take().map(codec::decode_outcome::<R>);
        Self::new(pool, Source::Task(cell, decode))
    }
}

impl<R> AsyncResult<R> {
    pub(crate) fn new(pool: Pool, source: Source<R>) -> Self {
        Self::at(Place::Processes(pool, source))
    }

    pub(crate) fn on_threads(pool: &Threads, outcome: Arc<dyn Outcome<R>>) -> Self {
        Self::at(Place::Threads(pool.clone(), outcome))
    }

    fn at(place: Place<R>) -> Self {
        Self { place, polled: false, returns: PhantomData }
    }

    fn is_over(&self) -> bool {
        match &self.place {
            Place::Processes(_, source) => source.with_goal(|goal| goal.is_over()),
            Place::Threads(_, outcome) => outcome.is_over(),
        }
    }

    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        match &self.place {
            Place::Processes(pool, source) => {
                source.with_goal(|goal| pool.wait_until(goal, deadline))
            }
            Place::Threads(_, outcome) => threads::wait_until(outcome, deadline),
        }
    }

    fn take(&mut self) -> Result<R> {
        let taken = match &mut self.place {
            Place::Processes(_, Source::Task(cell, decode)) => decode(cell),
            Place::Processes(_, Source::Map(map)) => map.take(),
            Place::Threads(_, outcome) => outcome.take(),
        };
        taken.unwrap_or_else(|| Err(Error::usage("the result was taken before")))
    }

    /// Waits for the result and gives it. Woken by the outcome, whatever it is: every task has one.
    ///
    /// # Errors
    /// Whatever became of the task instead of a value.
    pub fn get(mut self) -> Result<R> {
        self.wait();
        self.take()
    }

    /// As [`get`](Self::get), for at most this long. After a time-out it may be asked again.
    ///
    /// # Errors
    /// One that [`is_timed_out`](Error::is_timed_out) when there is no result yet; else as
    /// [`get`](Self::get).
    pub fn get_timeout(&mut self, timeout: Duration) -> Result<R> {
        if self.wait_timeout(timeout) { self.take() } else { Err(Error::timed_out("get")) }
    }

    /// Cancels what no worker has begun: it never runs, and fails with [`Error::is_cancelled`]. Of a
    /// map that are all items but those that run at this moment, and perhaps one behind each of them that is
    /// begun just now. What runs goes on.
    ///
    /// `false` when there is nothing to cancel: the task runs, or has its outcome, which it keeps. An
    /// error that the cancelling makes is not reported by `Pool::join`.
    pub fn cancel(&self) -> bool {
        self.cancel_up_to(false)
    }

    /// As [`cancel`](Self::cancel), and cancels what runs, too. A task ends with its worker process, which
    /// is killed; another takes its place. The items of a map that run are asked to stop: they can
    /// [see](crate::CurrentTask::should_stop) that they should. If one has not returned within the
    /// pool's [grace](crate::PoolBuilder::task_grace) its worker process is killed and replaced. What other
    /// threads of a process that is killed were running is lost with it. The outcome does not wait for any
    /// of that.
    ///
    /// A thread of this process cannot be killed: on a pool of threads this does what `cancel` does, and
    /// asks the items of a map that run to stop.
    pub fn cancel_running(&self) -> bool {
        self.cancel_up_to(true)
    }

    fn cancel_up_to(&self, running: bool) -> bool {
        match &self.place {
            Place::Processes(pool, Source::Task(cell, _)) => pool.cancel(cell, running),
            Place::Processes(pool, Source::Map(map)) => pool.cancel_batch(map.batch(), running),
            Place::Threads(pool, outcome) => pool.cancel(&**outcome, running),
        }
    }

    /// Waits until the task has its outcome. Woken by it.
    pub fn wait(&self) {
        self.wait_until(None);
    }

    /// As [`wait`](Self::wait), for at most this long; `false` when there is no outcome yet.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        // A time that the clock cannot tell is as good as none.
        self.wait_until(Instant::now().checked_add(timeout))
    }

    /// Whether the task has its outcome.
    pub fn ready(&self) -> bool {
        if let Place::Processes(pool, _) = &self.place
            && !self.is_over()
        {
            // Nobody may be waiting, and so nobody collecting.
            pool.collect();
        }
        self.is_over()
    }

    /// Whether the task returned a value; `None` when it has no outcome yet.
    pub fn successful(&self) -> Option<bool> {
        if !self.ready() {
            return None;
        }
        match &self.place {
            Place::Processes(_, Source::Task(cell, _)) => cell.succeeded(),
            Place::Processes(_, Source::Map(map)) => Some(map.succeeded()),
            Place::Threads(_, outcome) => outcome.succeeded(),
        }
    }
}

impl<R> Future for AsyncResult<R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let pending = !self.is_over()
            && match &self.place {
                Place::Processes(pool, source) => {
                    source.with_goal(|goal| pool.poll(goal, context.waker()))
                }
                Place::Threads(_, outcome) => threads::poll(&**outcome, context.waker()),
            };
        self.polled = pending;
        if pending { Poll::Pending } else { Poll::Ready(self.take()) }
    }
}

impl<R> Drop for AsyncResult<R> {
    fn drop(&mut self) {
        if self.polled {
            match &self.place {
                Place::Processes(pool, source) => source.with_goal(|goal| pool.stop_polling(goal)),
                Place::Threads(_, outcome) => threads::stop_polling(&**outcome),
            }
        }
    }
}
