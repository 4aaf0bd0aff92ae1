//! What a pool is made of.

use crate::args::Args;
use crate::calls::NO_LIMIT_ON_THREADS;
use crate::entry;
use crate::pool::{Layout, Pool};
use crate::target::{Returned, Target};
use crate::thread_pool::ThreadPool;
use procession_core::attachment::Attachments;
use procession_core::face::Face;
use procession_core::limits::WorkerLimits;
use procession_core::payload::{Finished, Input, Output};
use procession_core::pool::{Config, Initializer, Pool as Core};
use procession_core::start::StartMethod;
use procession_core::task::Terms;
use procession_core::threads;
use procession_core::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

/// Why threads of this process are not replaced.
const NO_RETIREMENT_OF_THREADS: &str = "max_tasks_per_child, max_memory_per_child and \
     restart_on_panic replace worker processes; threads of this very process share its memory, and \
     nothing is gained by replacing one: give a number of processes as well";

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
    terms: Terms,
    processes: Option<usize>,
    threads: Option<usize>,
    name: Option<String>,
    failure: Option<Error>,
}

impl PoolBuilder {
    pub(crate) fn new() -> Self {
        Self {
            config: Config::default(),
            terms: Terms::default(),
            processes: None,
            threads: None,
            name: None,
            failure: None,
        }
    }

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

    /// As [`Pool::task_timeout`], for all tasks whose calls say nothing else; none unless told.
    pub fn task_timeout(mut self, limit: Duration) -> Self {
        self.terms.timeout = Some(limit);
        self
    }

    /// Time that a task has to return by itself after it has had its time, or an item of a map after that was
    /// cancelled as it ran, before its worker is killed for it; 500 ms unless told. The task's outcome does not wait for that.
    pub fn task_grace(mut self, grace: Duration) -> Self {
        self.config.task_grace = grace;
        self
    }

    /// As [`Pool::retries`], for all tasks whose calls say nothing else; none unless told.
    pub fn retries(mut self, retries: u32) -> Self {
        self.terms.retries = retries;
        self
    }

    /// The most private memory that each worker process may have, in bytes; as much as there is unless
    /// told.
    ///
    /// An allocation beyond it is refused, and that aborts a Rust program: the task fails with
    /// [`Error::is_worker_lost`], which names the limit, and the worker is replaced. Nothing else is lost,
    /// and the system does not run out of memory. What counts is private memory that can be written,
    /// touched or not: heap, stacks, statics; not shared memory, so that large arguments, results and
    /// [`SharedSlice`](crate::SharedSlice)s do not count, only what they are decoded into. Leave room
    /// for the worker itself: a few MiB, 2 MiB for the stack of each thread, and what its statics and
    /// preloaded data take. What the worker's own children use counts for each of them anew.
    ///
    /// ```
    /// use procession::Pool;
    ///
    /// #[procession::main]
    /// fn main() -> procession::Result<()> {
    ///     let pool = Pool::builder().processes(2).memory_limit(256 << 20).build()?;
    ///     let sizes = [1_usize << 20, 1 << 33, 1 << 10].map(|bytes| pool.apply_async(fill, (bytes,)));
    ///     let [a, b, c] = sizes.map(|size| size.get());
    ///     assert_eq!((a?, c?), (1 << 20, 1 << 10));
    ///     assert!(b.is_err_and(|error| error.is_worker_lost()), "8 GiB are too much");
    ///     Ok(())
    /// }
    ///
    /// fn fill(bytes: usize) -> usize {
    ///     vec![1_u8; bytes].len()
    /// }
    /// ```
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.config.limits.memory_bytes = Some(bytes);
        self
    }

    /// The niceness of the worker processes, from -20 to 19: the higher, the more they leave the
    /// processors to others; the program's own unless told. This is what they have then, not what is
    /// added to the program's, as Python's `os.nice` would. A smaller one than the program's takes a
    /// privilege; without it the pool is [broken](Error::is_broken), and says so.
    pub fn niceness(mut self, niceness: i32) -> Self {
        self.config.limits.niceness = Some(niceness);
        self
    }

    /// The CPUs that the worker processes may run on, by their numbers, all of them on all of these;
    /// unless told, those that the program may run on. (`os.sched_setaffinity`.) If no number of
    /// [`processes`](Self::processes) is given there is one for each.
    pub fn cpu_affinity(mut self, cpus: impl IntoIterator<Item = usize>) -> Self {
        self.config.limits.run_on(cpus);
        self
    }

    /// Gives each worker process a CPU of its own: the first to the first of the
    /// [set](Self::cpu_affinity), or of those that the program may run on, and so on; and the first again
    /// when there are no more. A process of several [`threads`](Self::threads) gets as many.
    ///
    /// Caches stay warm so; but a worker that shares its CPU with anybody else's work cannot get out of
    /// the way.
    pub fn pin_workers(mut self) -> Self {
        self.config.limits.is_pinned = true;
        self
    }

    /// Replaces a worker process after it has run this many tasks, each item of a map being one: what
    /// they leak is given back. (`maxtasksperchild`.)
    ///
    /// No process runs more than that, its threads together: it is not sent more, and chunks of maps are
    /// cut to what it may run yet. It ends by itself, as at the end of a pool, and the next is started
    /// in its place at once; [`Stats::retired`](crate::Stats::retired) counts them. One that does not end
    /// within two seconds is killed.
    ///
    /// ```
    /// use procession::Pool;
    ///
    /// #[procession::main]
    /// fn main() -> procession::Result<()> {
    ///     let pool = Pool::builder().processes(1).max_tasks_per_child(2).build()?;
    ///     let pids = pool.map(|_: u8| std::process::id(), 0..4)?;
    ///     assert!(pids[0] == pids[1] && pids[1] != pids[2] && pids[2] == pids[3]);
    ///     Ok(())
    /// }
    /// ```
    pub fn max_tasks_per_child(mut self, tasks: u64) -> Self {
        self.config.retirement.tasks_max = Some(tasks);
        self
    }

    /// Replaces a worker process that has more private memory than this many bytes after a task, or
    /// between two items of a map, before it runs anything else.
    ///
    /// What counts is memory that is there and that nobody else has: heap and stacks, but not shared
    /// data, nor what is only reserved. The worker looks itself, at most each millisecond. Nothing is
    /// lost by that: what waits behind the task runs elsewhere. Where threads share a process all of them
    /// go once they have finished what they run. One that has that much from its start on runs one task.
    ///
    /// A task that takes all memory there is at once is not stopped by this.
    pub fn max_memory_per_child(mut self, bytes: u64) -> Self {
        self.config.retirement.memory_bytes_max = Some(bytes);
        self
    }

    /// Replaces a worker process whose task has panicked before it runs anything else, for a panic may
    /// leave its statics half-changed. The task fails as ever, and nothing else does. Where threads share
    /// a process all of them go once they have finished what they run.
    pub fn restart_on_panic(mut self) -> Self {
        self.config.retirement.on_panic = true;
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// As [`Pool::new`]; also when the name has a NUL or more than 4096 bytes, when the initializer's arguments could not be encoded, when the limits are
    /// none that a worker can have (no memory, no CPU, one that does not exist or that the program may
    /// not run on, a niceness that there is not), when workers are to be replaced after no task at
    /// all, and when an option asks for what threads of this process cannot do.
    pub fn build(self) -> Result<Pool> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        if self.config.retirement.tasks_max == Some(0) {
            return Err(Error::usage(
                "a worker process runs at least one task before it is replaced",
            ));
        }
        if let (Some(threads), None) = (self.threads, self.processes) {
            if self.terms.timeout.is_some() {
                return Err(Error::usage(NO_LIMIT_ON_THREADS));
            }
            refuse_limits(&self.config.limits)?;
            if self.config.retirement.is_possible() {
                return Err(Error::usage(NO_RETIREMENT_OF_THREADS));
            }
            let config = thread_config(self.config, threads, self.name);
            return Ok(ThreadPool::start(config)?.into());
        }
        let mut config = self.config;
        config.threads = self.threads.unwrap_or(1);
        let of_own = config.limits.processors.as_ref().map(Vec::len).filter(|count| *count > 0);
        config.workers = self.processes.or(of_own).unwrap_or(config.workers);
        config.name = self.name.unwrap_or(config.name);
        Ok(Pool { layout: Layout::Processes(Core::start(config)?), terms: self.terms })
    }
}

/// Refuses what threads cannot have: they have the program's memory, and run where it does.
fn refuse_limits(limits: &WorkerLimits) -> Result<()> {
    let refused = [
        ("memory_limit", limits.memory_bytes.is_some()),
        ("niceness", limits.niceness.is_some()),
        ("cpu_affinity", limits.processors.is_some()),
        ("pin_workers", limits.is_pinned),
    ];
    match refused.iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(Error::usage(format!(
            "`{option}` limits worker processes, and the workers of this pool are threads of the \
             program, which would be limited itself: give it a number of processes, too"
        ))),
        None => Ok(()),
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
