//! The pool of threads.

use crate::async_result::AsyncResult;
use crate::call::{Call, CallMany};
use crate::imap::{Imap, ImapUnordered};
use crate::stream::Stream;
use procession_core::Result;
use procession_core::pool::{Stats, WorkerInfo};
use procession_core::threads::{Config, Initializer, Name, Threads};
use std::any::type_name;
use std::sync::Arc;

/// Threads of this process that take tasks and give results back.
/// (`multiprocessing.pool.ThreadPool`.)
///
/// The calls, the results and the errors are those of [`Pool`](crate::Pool). Nothing is serialised:
/// functions may capture what is `Send`, arguments and results may be of any type that is `Send` and
/// borrows nothing, and what is large is not copied. What processes give is missing: a task that
/// crashes takes the program with it, a running task cannot be ended from outside, and statics are
/// everybody's. A program that wants to choose at run time makes its thread pool a
/// [`Pool`](crate::Pool) with [`From`].
///
/// ```
/// use procession::Pool;
/// use std::collections::HashMap;
/// use std::sync::Arc;
///
/// fn main() -> procession::Result<()> {
///     let prices = Arc::new(HashMap::from([("apple", 3), ("pear", 4)]));
///     let pool = Pool::threads(2)?;
///     let known = prices.clone();
///     let pear = pool.apply_async(move |name: &'static str| known[name], ("pear",));
///     let doubled = pool.map(move |name| 2 * prices[name], ["apple", "pear"])?;
///     assert_eq!((pear.get()?, doubled), (4, vec![6, 8]));
///     pool.close();
///     pool.join()
/// }
/// ```
///
/// # Panics in tasks
///
/// A task that panics fails with [`Error::is_panicked`](crate::Error::is_panicked); its thread lives on. The program's panic
/// hook runs as for any thread, so by default the message is printed, once, when it happens. The
/// first pool of threads puts a hook of its own before it, to learn place and backtrace; a program
/// that sets another later and does not call the one before gets errors without these two.
///
/// # Waiting inside of a task
///
/// A task may submit to its own pool and wait, with [`get`](AsyncResult::get),
/// [`wait`](AsyncResult::wait), a map, or an iterator over one: what it waits for runs on its own
/// thread if no other has begun it. So it does not matter how many tasks wait for others. Waits with
/// a time limit, and those of futures and channels, hold up their thread without doing this.
///
/// # The end of a pool
///
/// As for [`Pool`](crate::Pool), except that running tasks cannot be ended:
/// [`terminate`](Self::terminate), and dropping the pool without a `join`, wait for them. Only if a
/// task of the pool itself does so, they do not wait.
#[derive(Debug)]
pub struct ThreadPool {
    owner: Owner,
}

/// Ends the threads when it is dropped.
#[derive(Debug)]
pub(crate) struct Owner(pub(crate) Threads);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.terminate();
    }
}

impl ThreadPool {
    /// A pool of this many threads. They start side by side; tasks may be submitted at once.
    ///
    /// # Errors
    /// When `threads` is 0 or more than 4096, the name has a NUL or more than 4096 bytes, or the system
    /// cannot make a thread.
    pub fn new(threads: usize) -> Result<Self> {
        Self::builder().threads(threads).build()
    }

    /// Options for a pool of threads.
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder { config: Config::default() }
    }

    pub(crate) fn start(config: Config) -> Result<Self> {
        Ok(Self { owner: Owner(Threads::start(config)?) })
    }

    pub(crate) fn into_owner(self) -> Owner {
        self.owner
    }

    fn threads(&self) -> &Threads {
        &self.owner.0
    }

    /// Calls a function on a thread of the pool and waits for what it returns. Woken by the outcome. A
    /// thread of the pool does not wait for what nobody has begun, but runs it.
    ///
    /// # Errors
    /// Whatever became of the task instead of a value.
    pub fn apply<F, A>(&self, function: F, args: A) -> Result<F::Output>
    where
        F: Call<A>,
        F::Output: Send + 'static,
        A: Send + 'static,
    {
        self.apply_async(function, args).get()
    }

    /// Has a function called on a thread of the pool; the result is on its way when this returns.
    /// Never waits for a thread.
    pub fn apply_async<F, A>(&self, function: F, args: A) -> AsyncResult<F::Output>
    where
        F: Call<A>,
        F::Output: Send + 'static,
        A: Send + 'static,
    {
        {
            let outcome = self.threads().submit(type_name::<F>, move || function.call_once(args));
            AsyncResult::on_threads(self.threads(), outcome)
        }
    }

    /// Calls a function on every item, on the threads, and waits for the results, in order. Woken by the
    /// last outcome. A thread of the pool runs what nobody has begun, and waits for the rest.
    ///
    /// Chunks are sized by the measured time of an item, and a thread shares what is left of its
    /// chunk with one that has nothing to do; see [`chunksize`](Self::chunksize) to fix their size.
    /// As in Python, everything is run even if an item fails.
    ///
    /// # Errors
    /// The failure of the first item, in order, that has one.
    pub fn map<F, T, R, I>(&self, function: F, items: I) -> Result<Vec<R>>
    where
        F: Fn(T) -> R + Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
        I: IntoIterator<Item = T>,
    {
        self.chunked(None).map(function, items)
    }

    /// As [`map`](Self::map), without waiting. The items are taken from the iterator at once.
    pub fn map_async<F, T, R, I>(&self, function: F, items: I) -> AsyncResult<Vec<R>>
    where
        F: Fn(T) -> R + Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
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
        F: CallMany<A>,
        F::Output: Send + 'static,
        A: Send + 'static,
        I: IntoIterator<Item = A>,
    {
        self.chunked(None).starmap(function, items)
    }

    /// As [`starmap`](Self::starmap), without waiting.
    pub fn starmap_async<F, A, I>(&self, function: F, items: I) -> AsyncResult<Vec<F::Output>>
    where
        F: CallMany<A>,
        F::Output: Send + 'static,
        A: Send + 'static,
        I: IntoIterator<Item = A>,
    {
        self.chunked(None).starmap_async(function, items)
    }

    /// The results of a function on every item, in order, one by one.
    ///
    /// Lazy: items are taken from the iterator only as far as keeps the threads busy, so an endless
    /// one is fine. Each item has its own result or error. Dropping the iterator drops what no
    /// thread has begun.
    pub fn imap<F, T, R, I>(&self, function: F, items: I) -> Imap<I::IntoIter, R>
    where
        F: Fn(T) -> R + Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
        I: IntoIterator<Item = T>,
    {
        self.chunked(None).imap(function, items)
    }

    /// As [`imap`](Self::imap), but each result comes as soon as it is there.
    pub fn imap_unordered<F, T, R, I>(&self, function: F, items: I) -> ImapUnordered<I::IntoIter, R>
    where
        F: Fn(T) -> R + Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
        I: IntoIterator<Item = T>,
    {
        self.chunked(None).imap_unordered(function, items)
    }

    /// The map family with chunks of a fixed number of items, Python's `chunksize`. Of such a chunk,
    /// too, a thread shares what is left with one that has nothing to do.
    pub fn chunksize(&self, items: usize) -> ThreadChunked<'_> {
        self.chunked(Some(items.max(1)))
    }

    fn chunked(&self, items: Option<usize>) -> ThreadChunked<'_> {
        ThreadChunked { pool: self.threads(), items }
    }

    /// Takes no more tasks. What was submitted is finished.
    pub fn close(&self) {
        self.threads().close();
    }

    /// Waits until every task has its outcome and the threads have ended. Results that were not
    /// taken stay where they are. Woken by the last of them.
    ///
    /// # Errors
    /// What failed and nobody has looked at, as [`Pool::join`](crate::Pool::join) tells it; why the pool is
    /// broken, if it is; that it was not [closed](Self::close); that a task of the pool itself
    /// calls this, which would wait for itself.
    pub fn join(&self) -> Result<()> {
        self.threads().join()
    }

    /// Ends the pool. Tasks that no thread has begun fail with [`Error::is_terminated`](crate::Error::is_terminated); those that
    /// run are waited for, since a thread cannot be ended from outside. Woken by the last of them.
    pub fn terminate(&self) {
        self.threads().terminate();
    }

    /// What the pool has done so far. The workers are threads here.
    pub fn stats(&self) -> Stats {
        self.threads().stats()
    }

    /// What each thread does at this moment; as [`Pool::workers`](crate::Pool::workers).
    pub fn workers(&self) -> Vec<WorkerInfo> {
        self.threads().worker_infos()
    }

    /// The same as text; as [`Pool::report`](crate::Pool::report).
    pub fn report(&self) -> String {
        self.threads().report()
    }
}

/// A pool of threads whose maps use chunks of a fixed size; see [`ThreadPool::chunksize`].
#[derive(Debug, Clone, Copy)]
pub struct ThreadChunked<'a> {
    pool: &'a Threads,
    items: Option<usize>,
}

impl ThreadChunked<'_> {
    fn map_named<F, T, R, I>(
        &self,
        named: (Name, F),
        items: I,
        in_step: bool,
    ) -> AsyncResult<Vec<R>>
    where
        F: Fn(T) -> R + Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
        I: IntoIterator<Item = T>,
    {
        let results = self.pool.map(named, self.items, items.into_iter(), in_step);
        AsyncResult::on_threads(self.pool, results)
    }

    fn stream<F, T, R, I>(&self, function: F, items: I) -> Stream<I::IntoIter, R>
    where
        F: Fn(T) -> R + Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
        I: IntoIterator<Item = T>,
    {
        let named = (type_name::<F> as Name, function);
        Stream::on_threads(self.pool, named, self.items, items.into_iter())
    }

    /// As [`ThreadPool::map`].
    ///
    /// # Errors
    /// As [`ThreadPool::map`].
    pub fn map<F, T, R, I>(&self, function: F, items: I) -> Result<Vec<R>>
    where
        F: Fn(T) -> R + Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
        I: IntoIterator<Item = T>,
    {
        self.map_named((type_name::<F>, function), items, true).get()
    }

    /// As [`ThreadPool::map_async`].
    pub fn map_async<F, T, R, I>(&self, function: F, items: I) -> AsyncResult<Vec<R>>
    where
        F: Fn(T) -> R + Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
        I: IntoIterator<Item = T>,
    {
        self.map_named((type_name::<F>, function), items, false)
    }

    /// As [`ThreadPool::starmap`].
    ///
    /// # Errors
    /// As [`ThreadPool::map`].
    pub fn starmap<F, A, I>(&self, function: F, items: I) -> Result<Vec<F::Output>>
    where
        F: CallMany<A>,
        F::Output: Send + 'static,
        A: Send + 'static,
        I: IntoIterator<Item = A>,
    {
        let call = move |args| function.call_again(args);
        self.map_named((type_name::<F>, call), items, true).get()
    }

    /// As [`ThreadPool::starmap_async`].
    pub fn starmap_async<F, A, I>(&self, function: F, items: I) -> AsyncResult<Vec<F::Output>>
    where
        F: CallMany<A>,
        F::Output: Send + 'static,
        A: Send + 'static,
        I: IntoIterator<Item = A>,
    {
        let call = move |args| function.call_again(args);
        self.map_named((type_name::<F>, call), items, false)
    }

    /// As [`ThreadPool::imap`].
    pub fn imap<F, T, R, I>(&self, function: F, items: I) -> Imap<I::IntoIter, R>
    where
        F: Fn(T) -> R + Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
        I: IntoIterator<Item = T>,
    {
        Imap::new(self.stream(function, items))
    }

    /// As [`ThreadPool::imap_unordered`].
    pub fn imap_unordered<F, T, R, I>(&self, function: F, items: I) -> ImapUnordered<I::IntoIter, R>
    where
        F: Fn(T) -> R + Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
        I: IntoIterator<Item = T>,
    {
        ImapUnordered::new(self.stream(function, items))
    }
}

/// Options for a [`ThreadPool`].
///
/// ```
/// use procession::ThreadPool;
///
/// # fn main() -> procession::Result<()> {
/// let pool = ThreadPool::builder().threads(2).name("Decoder").build()?;
/// let name = pool.apply(|| std::thread::current().name().map(str::to_owned), ())?;
/// assert!(name.is_some_and(|name| name.starts_with("Decoder-")));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct ThreadPoolBuilder {
    config: Config,
}

impl ThreadPoolBuilder {
    /// How many threads; [`cpu_count`](crate::cpu_count) unless told.
    pub fn threads(mut self, count: usize) -> Self {
        self.config.threads = count;
        self
    }

    /// A call that each thread makes once, before its first task. If it panics the pool is broken,
    /// and says why.
    pub fn initializer<F, A>(mut self, function: F, args: A) -> Self
    where
        F: CallMany<A>,
        A: Clone + Send + Sync + 'static,
    {
        let initializer: Initializer = Arc::new(move || {
            function.call_again(args.clone());
            Ok(())
        });
        self.config.initializer = Some(initializer);
        self
    }

    /// Threads are named this, a hyphen and their place from 1; `ThreadPoolWorker` unless told.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.config.name = name.into();
        self
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// As [`ThreadPool::new`].
    pub fn build(self) -> Result<ThreadPool> {
        ThreadPool::start(self.config)
    }
}
