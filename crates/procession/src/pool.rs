//! The pool.

use crate::args::Args;
use crate::async_result::{AsyncResult, Source};
use crate::entry;
use crate::imap::{Imap, ImapUnordered};
use crate::map::{self, MapLater};
use crate::stream::Stream;
use crate::target::{Returned, Target};
use crate::thread_pool::{Owner, ThreadPool};
use procession_core::attachment::Attachments;
use procession_core::face::{Code, Face};
use procession_core::payload::{Finished, Input, Output};
use procession_core::pool::{Config, Initializer, Pool as Core, Stats};
use procession_core::start::StartMethod;
use procession_core::threads;
use procession_core::{Error, Result};
use std::sync::Arc;
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
/// [`close`](Self::close) and [`join`](Self::join) let everything finish; `join` returns the first
/// failure that nobody has looked at. [`terminate`](Self::terminate), and dropping the pool without
/// a `join`, end it at once: unfinished tasks fail with [`Error::is_terminated`], and when the call
/// returns the workers are gone.
#[derive(Debug)]
pub struct Pool {
    layout: Layout,
}

/// Where the tasks of a pool run.
#[derive(Debug)]
enum Layout {
    Processes(Core),
    Threads(Owner),
}

impl Pool {
    /// A pool of this many processes. They start side by side; tasks may be submitted at once.
    ///
    /// # Errors
    /// When `processes` is 0, this program does not call `#[procession::main]` or
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
        PoolBuilder {
            config: Config::default(),
            processes: None,
            threads: None,
            name: None,
            failure: None,
        }
    }

    /// Calls a function in a worker and waits for what it returns.
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
        let core = match &self.layout {
            Layout::Processes(core) => core,
            Layout::Threads(Owner(threads)) => {
                return AsyncResult::on_threads(threads.submit(move || function.call(args)));
            }
        };
        // The function is known by its type; its value has no bytes.
        let _ = function;
        let submitted = entry::code_of::<F, A>().and_then(|code| {
            let encode = |output: &mut Output<'_>| args.encode(output);
            core.submit(code, encode).map_err(|error| Error::codec(error.to_string()))
        });
        let cell = submitted.unwrap_or_else(|error| core.refuse(error));
        AsyncResult::of_task(core.clone(), cell)
    }

    /// Calls a function on every item, in the workers, and waits for the results, in order.
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
        self.chunked(None).map(function, items)
    }

    /// As [`map`](Self::map), without waiting. The items are taken from the iterator at once.
    pub fn map_async<F, T, I>(&self, function: F, items: I) -> AsyncResult<Vec<F::Output>>
    where
        F: Target<(T,)>,
        F::Output: Returned,
        (T,): Args,
        I: IntoIterator<Item = T>,
    {
        self.chunked(None).map_async(function, items)
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
        self.chunked(None).starmap(function, items)
    }

    /// As [`starmap`](Self::starmap), without waiting.
    pub fn starmap_async<F, A, I>(&self, function: F, items: I) -> AsyncResult<Vec<F::Output>>
    where
        F: Target<A>,
        F::Output: Returned,
        A: Args,
        I: IntoIterator<Item = A>,
    {
        self.chunked(None).starmap_async(function, items)
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
        self.chunked(None).imap(function, items)
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
        self.chunked(None).imap_unordered(function, items)
    }

    /// The map family with chunks of a fixed number of items, Python's `chunksize`.
    ///
    /// Without it chunks follow the measured time of an item, which is right unless items differ
    /// wildly in a way that you know.
    pub fn chunksize(&self, items: usize) -> Chunked<'_> {
        self.chunked(Some(items.max(1)))
    }

    fn chunked(&self, items: Option<usize>) -> Chunked<'_> {
        Chunked { pool: self, items }
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
    /// The first failure that nobody has looked at, so that no error vanishes; why the pool is
    /// broken, if it is; that it was not [closed](Self::close).
    pub fn join(&self) -> Result<()> {
        match &self.layout {
            Layout::Processes(core) => core.join(),
            Layout::Threads(Owner(threads)) => threads.join(),
        }
    }

    /// Ends the pool at once. Unfinished tasks fail with [`Error::is_terminated`]; the workers get
    /// SIGTERM and, after a grace period, SIGKILL. They are gone when this returns. If they are
    /// threads, what runs is waited for: see [`ThreadPool::terminate`].
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
        Self { layout: Layout::Threads(pool.into_owner()) }
    }
}

/// A pool whose maps use chunks of a fixed size; see [`Pool::chunksize`].
#[derive(Debug, Clone, Copy)]
pub struct Chunked<'a> {
    pool: &'a Pool,
    items: Option<usize>,
}

impl Chunked<'_> {
    /// As [`Pool::map`].
    ///
    /// # Errors
    /// As [`Pool::map`].
    pub fn map<F, T, I>(&self, function: F, items: I) -> Result<Vec<F::Output>>
    where
        F: Target<(T,)>,
        F::Output: Returned,
        (T,): Args,
        I: IntoIterator<Item = T>,
    {
        self.starmap(function, items.into_iter().map(|item| (item,)))
    }

    /// As [`Pool::map_async`].
    pub fn map_async<F, T, I>(&self, function: F, items: I) -> AsyncResult<Vec<F::Output>>
    where
        F: Target<(T,)>,
        F::Output: Returned,
        (T,): Args,
        I: IntoIterator<Item = T>,
    {
        self.starmap_async(function, items.into_iter().map(|item| (item,)))
    }

    /// As [`Pool::starmap`].
    ///
    /// # Errors
    /// As [`Pool::map`].
    pub fn starmap<F, A, I>(&self, function: F, items: I) -> Result<Vec<F::Output>>
    where
        F: Target<A>,
        F::Output: Returned,
        A: Args,
        I: IntoIterator<Item = A>,
    {
        let code = code::<F, A>()?;
        match &self.pool.layout {
            Layout::Processes(core) => map::run(core, code, self.items, items.into_iter()),
            Layout::Threads(Owner(threads)) => {
                let call = move |args| function.call(args);
                let results = threads.map(call, self.items, items.into_iter(), true);
                AsyncResult::on_threads(results).get()
            }
        }
    }

    /// As [`Pool::starmap_async`].
    pub fn starmap_async<F, A, I>(&self, function: F, items: I) -> AsyncResult<Vec<F::Output>>
    where
        F: Target<A>,
        F::Output: Returned,
        A: Args,
        I: IntoIterator<Item = A>,
    {
        let core = match &self.pool.layout {
            Layout::Processes(core) => core,
            Layout::Threads(Owner(threads)) => {
                let call = move |args| function.call(args);
                return AsyncResult::on_threads(threads.map(
                    call,
                    self.items,
                    items.into_iter(),
                    false,
                ));
            }
        };
        let later = match code::<F, A>() {
            Ok(code) => MapLater::start(core, code, self.items, items.into_iter()),
            Err(error) => MapLater::refused(error),
        };
        AsyncResult::new(core.clone(), Source::Map(Box::new(later)))
    }

    /// As [`Pool::imap`].
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
        Imap::new(self.stream(function, items))
    }

    /// As [`Pool::imap_unordered`].
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
        ImapUnordered::new(self.stream(function, items))
    }
}

impl Chunked<'_> {
    fn stream<F, T, I>(
        &self,
        function: F,
        items: I,
    ) -> Stream<impl Iterator<Item = (T,)> + use<F, T, I>, F::Output>
    where
        F: Target<(T,)>,
        F::Output: Returned,
        (T,): Args,
        I: IntoIterator<Item = T>,
    {
        let items = items.into_iter().map(|item| (item,));
        match &self.pool.layout {
            Layout::Processes(core) => {
                Stream::in_processes(core, code::<F, (T,)>(), self.items, items)
            }
            Layout::Threads(Owner(threads)) => {
                let call = move |args| function.call(args);
                Stream::on_threads(threads, call, self.items, items)
            }
        }
    }
}

fn code<F, A>() -> Result<Code>
where
    F: Target<A>,
    F::Output: Returned,
    A: Args,
{
    entry::code_of::<F, A>()
}

/// Options for a [`Pool`].
///
/// ```
/// use procession::Pool;
///
/// fn prepare(level: u8) {
///     assert!(level < 3);
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let pool = Pool::builder().processes(2).initializer(prepare, (1,)).build()?;
///     assert_eq!(pool.apply(|| 7, ())?, 7);
///     Ok(())
/// }
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct PoolBuilder {
    config: Config,
    processes: Option<usize>,
    threads: Option<usize>,
    name: Option<String>,
    failure: Option<Error>,
}

impl PoolBuilder {
    /// How many processes; [`cpu_count`](crate::cpu_count) unless told.
    pub fn processes(mut self, count: usize) -> Self {
        self.processes = Some(count);
        self
    }

    /// How many threads run tasks in each process; with no number of [`processes`](Self::processes),
    /// the threads are this many of this very process, as in [`ThreadPool`].
    ///
    /// Threads share their process's memory, so its initializer runs once for all of them, and its
    /// death loses what each of them was running.
    pub fn threads(mut self, count: usize) -> Self {
        self.threads = Some(count);
        self
    }

    /// A call that each worker process makes once, before its first task. If it panics the worker counts as
    /// not started; after a few such starts the pool is broken, and says why. The arguments are
    /// encoded, for threads, too: each needs its own.
    pub fn initializer<F, A>(mut self, function: F, args: A) -> Self
    where
        F: Target<A>,
        F::Output: Returned,
        A: Args,
    {
        let _ = function;
        let mut output = Output::new(Vec::new(), None);
        let encoded = args.encode(&mut output).map_err(|error| Error::codec(error.to_string()));
        match encoded.and_then(|()| entry::code_of::<F, A>()) {
            Ok(code) => {
                let attachments = Attachments::new(output.attachments());
                let arguments = match output.finish().0 {
                    Finished::Private(bytes) => bytes,
                    Finished::Bulk(bulk) => bulk.to_vec(),
                };
                self.config.initializer = Some(Initializer { code, arguments, attachments });
            }
            Err(error) => self.failure = Some(error),
        }
        self
    }

    /// Workers are named this, a hyphen and their place from 1; `PoolWorker` unless told, and
    /// `ThreadPoolWorker` if they are threads.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How the workers are made; as [set](crate::set_start_method) for the program unless told. Means
    /// nothing for threads.
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.config.start_method = Some(method);
        self
    }

    /// Longest time from the launch of a worker until its initializer has returned; 60 s unless
    /// told. A worker that takes longer is killed and counts as not started. Threads have all the
    /// time that they need.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.config.start_timeout = timeout;
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// As [`Pool::new`]; also when the initializer's arguments could not be encoded.
    pub fn build(self) -> Result<Pool> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        if let (Some(threads), None) = (self.threads, self.processes) {
            let config = thread_config(self.config, threads, self.name);
            return Ok(ThreadPool::start(config)?.into());
        }
        let mut config = self.config;
        config.threads = self.threads.unwrap_or(1);
        config.workers = self.processes.unwrap_or(config.workers);
        config.name = self.name.unwrap_or(config.name);
        Ok(Pool { layout: Layout::Processes(Core::start(config)?) })
    }
}

/// What a pool of threads takes over from the options for processes.
fn thread_config(from: Config, threads: usize, name: Option<String>) -> threads::Config {
    let mut config = threads::Config { threads, ..Default::default() };
    config.name = name.unwrap_or(config.name);
    config.initializer = from.initializer.map(|call| -> threads::Initializer {
        Arc::new(move || {
            // What the arguments mention moves along.
            let Initializer { code, arguments, attachments: _kept } = &call;
            let mut output = Output::new(Vec::new(), None);
            let called = entry::FACE.call(*code, &mut Input::Slice(arguments), &mut output);
            called.map_err(|error| Error::codec(error.to_string()))
        })
    });
    config
}
