//! The pool.

use crate::args::Args;
use crate::async_result::AsyncResult;
use crate::builder::PoolBuilder;
use crate::calls::Calls;
use crate::imap::{Imap, ImapUnordered};
use crate::target::{Returned, Target};
use crate::thread_pool::{Owner, ThreadPool};
use procession_core::Result;
use procession_core::pool::{Pool as Core, Stats, WorkerInfo};
use procession_core::task::Terms;
use std::time::Duration;

/// Worker processes that take tasks and give results back. (`multiprocessing.Pool`.)
///
/// The workers may also be threads of this process: see [`threads`](Self::threads) and `From`.
///
/// A task is a call of a plain function, or of a closure that captures nothing, with a tuple of
/// arguments. Submitting never waits for a worker, results may be taken in any order, and every
/// task ends in exactly one outcome.
///
/// ```
/// use procession::Pool;
///
/// fn add(a: i64, b: i64) -> i64 {
///     a + b
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let pool = Pool::new(2)?;
///     let sum = pool.apply_async(add, (40, 2));
///     assert_eq!(sum.get()?, 42);
///     assert_eq!(pool.starmap(add, [(1, 2), (3, 4)])?, [3, 7]);
///     pool.close();
///     pool.join()
/// }
/// ```
///
/// # The end of a pool
///
/// [`close`](Self::close) and [`join`](Self::join) let everything finish; `join` returns the
/// failures that nobody has looked at. [`terminate`](Self::terminate), and dropping the pool without
/// a `join`, end it at once: unfinished tasks fail with [`Error::is_terminated`](crate::Error::is_terminated), and when the call
/// returns the workers are gone.
#[derive(Debug)]
pub struct Pool {
    pub(crate) layout: Layout,
    /// On what terms tasks run whose call says nothing else.
    pub(crate) terms: Terms,
}

/// Where the tasks of a pool run.
#[derive(Debug)]
pub(crate) enum Layout {
    Processes(Core),
    Threads(Owner),
}

impl Pool {
    /// A pool of this many processes. They start side by side; tasks may be submitted at once.
    ///
    /// # Errors
    /// When `processes` is 0 or more than 4096, this program does not call `#[procession::main]` or
    /// [`init`](crate::init), or the system cannot make processes. What goes wrong while a worker
    /// starts is the error of the next task and of [`join`](Self::join).
    pub fn new(processes: usize) -> Result<Self> {
        Self::builder().processes(processes).build()
    }

    /// A pool of this many threads of this process instead: nothing is serialised, and closures may
    /// capture. See [`ThreadPool`], which becomes a `Pool` with [`From`].
    ///
    /// # Errors
    /// As [`ThreadPool::new`].
    pub fn threads(threads: usize) -> Result<ThreadPool> {
        ThreadPool::new(threads)
    }

    /// Options for a pool.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::new()
    }

    /// Calls a function in a worker and waits for what it returns. Woken by the outcome, whatever it is:
    /// every task has one, also when its worker dies or the pool ends.
    ///
    /// # Errors
    /// Whatever became of the task instead of a value.
    pub fn apply<F, A>(&self, function: F, args: A) -> Result<F::Output>
    where
        F: Target<A>,
        F::Output: Returned,
        A: Args,
    {
        self.apply_async(function, args).get()
    }

    /// Has a function called in a worker; the result is on its way when this returns. Never waits
    /// for a worker.
    ///
    /// Arguments that cannot be encoded are the result's error, and nothing is sent.
    pub fn apply_async<F, A>(&self, function: F, args: A) -> AsyncResult<F::Output>
    where
        F: Target<A>,
        F::Output: Returned,
        A: Args,
    {
        self.calls().apply_async(function, args)
    }

    /// Calls a function on every item, in the workers, and waits for the results, in order. Woken as they
    /// come; each item has an outcome, also when its worker dies or the pool ends.
    ///
    /// Items travel in chunks sized by the measured time of an item; see
    /// [`chunksize`](Self::chunksize) to fix that size. As in Python, everything is run even if an
    /// item fails.
    ///
    /// # Errors
    /// The failure of the first item, in order, that has one; an item that cannot be encoded.
    pub fn map<F, T, I>(&self, function: F, items: I) -> Result<Vec<F::Output>>
    where
        F: Target<(T,)>,
        F::Output: Returned,
        (T,): Args,
        I: IntoIterator<Item = T>,
    {
        self.calls().map(function, items)
    }

    /// As [`map`](Self::map), without waiting. The items are taken from the iterator at once.
    pub fn map_async<F, T, I>(&self, function: F, items: I) -> AsyncResult<Vec<F::Output>>
    where
        F: Target<(T,)>,
        F::Output: Returned,
        (T,): Args,
        I: IntoIterator<Item = T>,
    {
        self.calls().map_async(function, items)
    }

    /// As [`map`](Self::map) for functions of several parameters: each item is a tuple of
    /// arguments.
    ///
    /// # Errors
    /// As [`map`](Self::map).
    pub fn starmap<F, A, I>(&self, function: F, items: I) -> Result<Vec<F::Output>>
    where
        F: Target<A>,
        F::Output: Returned,
        A: Args,
        I: IntoIterator<Item = A>,
    {
        self.calls().starmap(function, items)
    }

    /// As [`starmap`](Self::starmap), without waiting.
    pub fn starmap_async<F, A, I>(&self, function: F, items: I) -> AsyncResult<Vec<F::Output>>
    where
        F: Target<A>,
        F::Output: Returned,
        A: Args,
        I: IntoIterator<Item = A>,
    {
        self.calls().starmap_async(function, items)
    }

    /// The results of a function on every item, in order, one by one.
    ///
    /// Lazy: items are taken from the iterator only as far as keeps the workers busy, so an endless
    /// one is fine. Each item has its own result or error. Dropping the iterator drops what was not
    /// sent.
    pub fn imap<F, T, I>(
        &self,
        function: F,
        items: I,
    ) -> Imap<impl Iterator<Item = (T,)> + use<F, T, I>, F::Output>
    where
        F: Target<(T,)>,
        F::Output: Returned,
        (T,): Args,
        I: IntoIterator<Item = T>,
    {
        self.calls().imap(function, items)
    }

    /// As [`imap`](Self::imap), but each result comes as soon as it is there.
    pub fn imap_unordered<F, T, I>(
        &self,
        function: F,
        items: I,
    ) -> ImapUnordered<impl Iterator<Item = (T,)> + use<F, T, I>, F::Output>
    where
        F: Target<(T,)>,
        F::Output: Returned,
        (T,): Args,
        I: IntoIterator<Item = T>,
    {
        self.calls().imap_unordered(function, items)
    }

    /// The map family with chunks of a fixed number of items, Python's `chunksize`.
    ///
    /// No more than all items, and no less than one, whatever the number. Without it chunks follow the measured time of an item, which is right unless items differ
    /// wildly in a way that you know.
    pub fn chunksize(&self, items: usize) -> Calls<'_> {
        self.calls().chunksize(items)
    }

    /// Calls of which each may take this long: a task's every attempt, an item of a map, from its own
    /// beginning.
    ///
    /// What takes longer fails with [`Error::is_timed_out`](crate::Error::is_timed_out), at once or up to
    /// an eighth of the limit, or a few milliseconds, later. The task can
    /// [see](crate::CurrentTask::should_stop) that it should stop; if it has not returned within the
    /// pool's [grace](PoolBuilder::task_grace), its worker process is killed and replaced. What other
    /// threads of that process were running is lost with it. A thread of this process cannot be killed,
    /// so on a pool of threads such calls are refused.
    ///
    /// ```
    /// use procession::Pool;
    /// use std::time::Duration;
    ///
    /// fn endless() {
    ///     loop {
    ///         std::hint::spin_loop();
    ///     }
    /// }
    ///
    /// #[procession::main]
    /// fn main() -> procession::Result<()> {
    ///     let pool = Pool::new(1)?;
    ///     let limit = Duration::from_millis(50);
    ///     let error = pool.task_timeout(limit).apply(endless, ()).unwrap_err();
    ///     assert!(error.is_timed_out());
    ///     Ok(())
    /// }
    /// ```
    pub fn task_timeout(&self, limit: Duration) -> Calls<'_> {
        self.calls().task_timeout(limit)
    }

    /// Calls that are made again, up to so many times, when their worker dies: in another worker, or
    /// the one that takes its place.
    ///
    /// For functions that may be run twice. Panics and time-outs are outcomes and are not retried; the
    /// task can see which [attempt](crate::CurrentTask::attempt) it is. If the last attempt fails, too,
    /// its error is the outcome.
    pub fn retries(&self, retries: u32) -> Calls<'_> {
        self.calls().retries(retries)
    }

    fn calls(&self) -> Calls<'_> {
        Calls::new(self)
    }

    /// Takes no more tasks. What was submitted is finished.
    pub fn close(&self) {
        match &self.layout {
            Layout::Processes(core) => core.close(),
            Layout::Threads(Owner(threads)) => threads.close(),
        }
    }

    /// Waits until every task has its outcome and the workers have ended. Results that were not
    /// taken stay where they are. Woken by the last of them.
    ///
    /// # Errors
    /// What failed and nobody has looked at, so that no error vanishes: tasks and items of maps whose result
    /// was dropped or was not asked for, and submissions that were refused. If that is more than one, the
    /// error is the first of them and has the [number](crate::Error::failure_count) and the first
    /// [few](crate::Error::failures). What was cancelled or terminated does not count. Before
    /// all of that, why the pool is broken, if it is.
    ///
    /// Also when the pool was not [closed](Self::close), and in a waker on the pool's own thread, which
    /// would wait for itself.
    pub fn join(&self) -> Result<()> {
        match &self.layout {
            Layout::Processes(core) => core.join(),
            Layout::Threads(Owner(threads)) => threads.join(),
        }
    }

    /// Ends the pool at once. Unfinished tasks fail with [`Error::is_terminated`](crate::Error::is_terminated); the workers get
    /// SIGTERM and, after a grace period, SIGKILL. They are gone when this returns: it waits for their ends, and
    /// is woken by the last of them or when twelve seconds have passed. If they are
    /// threads, what runs is waited for: see [`ThreadPool::terminate`]. In a waker that the pool's own thread
    /// wakes it does not wait: that thread has the rest to do.
    pub fn terminate(&self) {
        match &self.layout {
            Layout::Processes(core) => core.terminate(),
            Layout::Threads(Owner(threads)) => threads.terminate(),
        }
    }

    /// What the pool has done so far.
    pub fn stats(&self) -> Stats {
        match &self.layout {
            Layout::Processes(core) => core.stats(),
            Layout::Threads(Owner(threads)) => threads.stats(),
        }
    }

    /// What each worker is and does at this moment: process by process and, where they have several, thread
    /// by thread.
    ///
    /// Asks nobody, so it answers however busy or stuck the workers are.
    ///
    /// ```
    /// use procession::{Pool, WorkerState};
    ///
    /// fn nap() {
    ///     std::thread::sleep(std::time::Duration::from_secs(60));
    /// }
    ///
    /// #[procession::main]
    /// fn main() -> procession::Result<()> {
    ///     let pool = Pool::new(2)?;
    ///     let naps = pool.apply_async(nap, ());
    ///     let napper = loop {
    ///         let workers = pool.workers();
    ///         if let Some(worker) = workers.iter().find(|worker| worker.task.is_some()) {
    ///             break worker.clone();
    ///         }
    ///     };
    ///     assert_eq!(napper.state, WorkerState::Running);
    ///     assert!(napper.task.is_some_and(|task| task.function.ends_with("nap")));
    ///     assert!(naps.cancel_running());
    ///     Ok(())
    /// }
    /// ```
    pub fn workers(&self) -> Vec<WorkerInfo> {
        match &self.layout {
            Layout::Processes(core) => core.worker_infos(),
            Layout::Threads(Owner(threads)) => threads.worker_infos(),
        }
    }

    /// The same as text, a line for each worker, under one that tells what the pool has done and has to do.
    /// [`report`](crate::report()) tells it of all pools, and
    /// [`report_on_signal`](crate::report_on_signal) whenever somebody asks from outside.
    pub fn report(&self) -> String {
        match &self.layout {
            Layout::Processes(core) => core.report(),
            Layout::Threads(Owner(threads)) => threads.report(),
        }
    }

    /// Process ids of the workers that live, in the order of their places. None for a pool of
    /// threads: whoever signals the workers would signal the program.
    pub fn worker_pids(&self) -> Vec<u32> {
        match &self.layout {
            Layout::Processes(core) => core.worker_pids(),
            Layout::Threads(_) => Vec::new(),
        }
    }

    /// How many processes the pool has, when all are there. None for a pool of threads.
    pub fn processes(&self) -> usize {
        match &self.layout {
            Layout::Processes(core) => core.processes(),
            Layout::Threads(_) => 0,
        }
    }
}

impl Drop for Pool {
    /// Ends the pool as [`terminate`](Self::terminate) does, unless it was joined. Waits for the
    /// workers' ends, no longer than the grace period and a bound; threads cannot be ended, and so
    /// are waited for.
    fn drop(&mut self) {
        self.terminate();
    }
}

/// A pool whose workers are threads.
///
/// The calls are those for functions that could run in another process, but nothing is serialised.
///
/// ```
/// use procession::Pool;
///
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let in_threads = std::env::args().any(|arg| arg == "--threads");
///     let pool: Pool = if in_threads { Pool::threads(2)?.into() } else { Pool::new(2)? };
///     assert_eq!(pool.map(square, 0..4)?, [0, 1, 4, 9]);
///     pool.close();
///     pool.join()
/// }
/// ```
impl From<ThreadPool> for Pool {
    fn from(pool: ThreadPool) -> Self {
        Self { layout: Layout::Threads(pool.into_owner()), terms: Terms::default() }
    }
}
