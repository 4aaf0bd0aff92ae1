//! What the threads of a pool share: its queue, its counts, and its end.

use super::queue::{Entry, Queue};
use super::sleep::Sleep;
use super::worker;
use super::workers::Doing;
use crate::error::{Error, Fault, Result};
use crate::info::check_name;
use crate::pool::Stats;
use crate::report;
use crate::task::{Failure, Failures};
use crate::worker::panic_hook;
use parking_lot::{Condvar, Mutex};
use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock, Weak};
use std::task::Waker;
use std::thread::JoinHandle;

/// Most threads of a pool: the counts of `sleep` have this much room.
const THREADS_MAX: usize = 4096;

/// Something on cache lines of its own: 128 bytes, since processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Padded<T>(pub(super) T);

/// What a pool of threads is made of.
#[derive(Clone)]
pub struct Config {
    /// How many threads; at least 1.
    pub threads: usize,
    /// Threads are named this, a hyphen and their place from 1.
    pub name: String,
    /// A call that each thread makes before its first task; why it could not, if so.
    pub initializer: Option<Initializer>,
}

/// A call that each thread makes before its first task.
pub type Initializer = Arc<dyn Fn() -> Result<()> + Send + Sync>;

impl Default for Config {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            name: "ThreadPoolWorker".into(),
            initializer: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("threads", &self.threads)
            .field("name", &self.name)
            .field("initializer", &self.initializer.is_some())
            .finish()
    }
}

/// The number of tasks that were let in, in the upper bits, and in the two lowest what becomes of
/// new ones. One word, so that a task is either counted or refused. States only go up.
#[derive(Debug, Default)]
struct Door(AtomicU64);

const OPEN: u64 = 0;
const CLOSED: u64 = 1;
const TERMINATED: u64 = 2;
const BROKEN: u64 = 3;
const STATES: u64 = 4;

/// What the threads do, as far as they look at it for each task.
mod phase {
    /// Run tasks.
    pub(super) const RUN: u8 = 0;
    /// Run tasks, and tell who joins when the last is done.
    pub(super) const DRAIN: u8 = 1;
    /// End.
    pub(super) const STOP: u8 = 2;
}

/// What became of tasks, counted by one thread.
#[derive(Debug, Default)]
struct Counts {
    succeeded: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    /// Items of maps that nobody wanted any more and that never ran.
    dropped: AtomicU64,
}

/// What a task has come to.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Succeeded,
    Failed,
    Cancelled,
    Dropped,
}

/// What the threads of a pool share.
pub(super) struct Engine {
    /// Tells this process's pools apart.
    pub(super) id: u64,
    pub(super) config: Config,
    queue: Queue,
    pub(super) sleep: Sleep,
    /// What each thread does.
    doing: Box<[Padded<Doing>]>,
    door: Padded<Door>,
    phase: Padded<AtomicU8>,
    /// One for each thread, and one for all others.
    counts: Box<[Padded<Counts>]>,
    failures: Mutex<Failures>,
    broken: OnceLock<Error>,
    drain: Mutex<()>,
    drained: Condvar,
    handles: Mutex<Vec<JoinHandle<()>>>,
    /// Threads that live.
    pub(super) live: Mutex<usize>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("id", &self.id)
            .field("config", &self.config)
            .field("queue", &self.queue)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts the threads.
    pub(super) fn start(config: Config) -> Result<Arc<Self>> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if !(1..=THREADS_MAX).contains(&config.threads) {
            return Err(Error::usage(format!(
                "a pool has 1 to {THREADS_MAX} threads, not {}",
                config.threads
            )));
        }
        check_name(&config.name)?;
        panic_hook::install_beside_the_users();
        let threads = config.threads;
        let engine = Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            config,
            queue: Queue::new(),
            sleep: Sleep::new(threads),
            doing: (0..threads).map(|_| Padded::default()).collect(),
            door: Padded::default(),
            phase: Padded(AtomicU8::new(phase::RUN)),
            counts: (0..=threads).map(|_| Padded::default()).collect(),
            failures: Mutex::default(),
            broken: OnceLock::new(),
            drain: Mutex::default(),
            drained: Condvar::new(),
            handles: Mutex::default(),
            live: Mutex::default(),
        });
        let reported: Weak<Self> = Arc::downgrade(&engine);
        report::register(reported);
        for place in 0..threads {
            if let Err(source) = engine.start_thread(place) {
                engine.terminate();
                return Err(Error::system("cannot start a thread of the pool", source));
            }
        }
        Ok(engine)
    }

    fn start_thread(self: &Arc<Self>, place: usize) -> std::io::Result<()> {
        let engine = self.clone();
        *self.live.lock() += 1;
        let started = std::thread::Builder::new()
            .name(format!("{}-{}", self.config.name, place + 1))
            .spawn(move || {
                worker::run(&engine, place);
                *engine.live.lock() -= 1;
            });
        match started {
            Ok(handle) => {
                self.handles.lock().push(handle);
                Ok(())
            }
            Err(error) => {
                *self.live.lock() -= 1;
                Err(error)
            }
        }
    }

    /// Counts tasks in, before anything is done with them.
    ///
    /// # Errors
    /// When the pool takes none; they are not counted then.
    pub(super) fn enter(&self, tasks: u64) -> Result<()> {
        let state = self.door.0.0.fetch_add(tasks * STATES, Ordering::SeqCst) % STATES;
        if state == OPEN {
            return Ok(());
        }
        self.door.0.0.fetch_sub(tasks * STATES, Ordering::SeqCst);
        self.tell_drained();
        Err(match state {
            CLOSED => Error::new(Fault::Closed),
            TERMINATED => Error::new(Fault::Terminated),
            _ => self.broken_error(),
        })
    }

    fn broken_error(&self) -> Error {
        self.broken.get().cloned().unwrap_or_else(|| Error::new(Fault::Terminated))
    }

    /// Moves on to a state, unless a later one is reached already.
    fn advance(&self, state: u64) {
        let later = |door: u64| (door % STATES < state).then(|| door - door % STATES + state);
        // Fails only when there is nothing to change.
        let _ = self.door.0.0.try_update(Ordering::SeqCst, Ordering::SeqCst, later);
    }

    fn state(&self) -> u64 {
        self.door.0.0.load(Ordering::SeqCst) % STATES
    }

    /// Queues something whose tasks were counted in.
    pub(super) fn push(&self, entry: Arc<dyn Entry>) {
        self.queue.push(entry);
        self.sleep.notify();
        // ORDER(threads-stop): `notify` has a fence between the push and this load, `stop` one
        // between its store and its look into the queue. One of the two sees the other's.
        if self.phase.0.load(Ordering::Relaxed) == phase::STOP {
            self.clear();
        }
    }

    /// The next entry for a thread; `None` when it is to end. Waits for one.
    pub(super) fn next(
        &self,
        place: usize,
        spin: &mut procession_ipc::spin::Spin,
    ) -> Option<Arc<dyn Entry>> {
        let mut is_searching = false;
        loop {
            if self.is_stopping() {
                if is_searching {
                    self.sleep.end_search(|| false);
                }
                return None;
            }
            if let Some(entry) = self.queue.pop() {
                if is_searching {
                    self.sleep.end_search(|| !self.queue.is_empty());
                }
                return Some(entry);
            }
            let has_work = || !self.queue.is_empty() || self.is_stopping();
            if !is_searching {
                self.doing[place].0.set(None);
                is_searching = self.sleep.begin_search();
            }
            if !(is_searching && spin.wait(has_work)) {
                self.sleep.sleep(place, is_searching, has_work);
                is_searching = true;
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.phase.0.load(Ordering::Relaxed) == phase::STOP
    }

    /// What the thread with this place does.
    pub(super) fn doing(&self, place: usize) -> &Doing {
        &self.doing[place].0
    }

    /// Tasks that the thread with this place has ended.
    pub(super) fn ended(&self, place: usize) -> u64 {
        let Padded(counts) = &self.counts[place];
        counts.succeeded.load(Ordering::SeqCst) + counts.failed.load(Ordering::SeqCst)
    }

    /// What becomes of new tasks, in a word.
    pub(super) fn state_word(&self) -> &'static str {
        match self.state() {
            OPEN => "open",
            CLOSED => "closed",
            TERMINATED => "terminated",
            _ => "broken",
        }
    }

    /// Counts ends of tasks. `place` is the thread's, or `None` for a thread of somebody else.
    pub(super) fn count(&self, place: Option<usize>, end: End, tasks: u64) {
        let counts = &self.counts[place.unwrap_or(self.config.threads)].0;
        let count = match end {
            End::Succeeded => &counts.succeeded,
            End::Failed => &counts.failed,
            End::Cancelled => &counts.cancelled,
            End::Dropped => &counts.dropped,
        };
        // ORDER(threads-drain): this and the load are one order with `join`'s store of the phase and
        // its loads of the counts: either this sees that somebody joins, or that one sees the count.
        count.fetch_add(tasks, Ordering::SeqCst);
        if self.phase.0.load(Ordering::SeqCst) != phase::RUN {
            self.tell_drained();
        }
    }

    #[cold]
    fn tell_drained(&self) {
        drop(self.drain.lock());
        self.drained.notify_all();
    }

    /// Whether every task has its outcome. Counts ends first: they only grow, and never beyond the
    /// number of tasks.
    fn is_drained(&self) -> bool {
        // ORDER(threads-drain): see `count`.
        let load = |count: &AtomicU64| count.load(Ordering::SeqCst);
        let ended: u64 = self
            .counts
            .iter()
            .map(|Padded(c)| [&c.succeeded, &c.failed, &c.cancelled, &c.dropped].map(load))
            .map(|ends| ends.iter().sum::<u64>())
            .sum();
        ended == load(&self.door.0.0) / STATES
    }

    /// Notes a failure for `join`.
    pub(super) fn note(&self, failure: &Arc<Failure>) {
        self.failures.lock().note(failure);
    }

    /// Notes a failure that no handle tells.
    pub(super) fn note_error(&self, error: Error) {
        self.note(&Failure::new(error));
    }

    /// Fails whatever is queued.
    fn clear(&self) {
        let error = match self.state() {
            BROKEN => self.broken_error(),
            _ => Error::new(Fault::Terminated),
        };
        while let Some(entry) = self.queue.pop() {
            entry.refuse(self, &error);
            self.drop_quietly(entry);
        }
    }

    /// Drops what a user has handed in, where nobody expects it to panic.
    pub(super) fn drop_quietly<T>(&self, value: T) {
        if let Err(report) = panic_hook::catch(|| drop(value)) {
            self.note_error(Error::panicked(None, report));
        }
    }

    /// Wakes who polls, with no lock held. How one panics is nothing to the thread that happens to wake it,
    /// and must not keep what is to come from being done.
    pub(super) fn wake(&self, wakers: impl IntoIterator<Item = Waker>) {
        for waker in wakers {
            if let Err(report) = panic_hook::catch(|| waker.wake()) {
                self.note_error(Error::panicked(None, report));
            }
        }
    }

    /// Has the threads end after what they run.
    fn stop(&self) {
        // ORDER(threads-stop): before the look into the queue; see `push`.
        self.phase.0.store(phase::STOP, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.clear();
        self.sleep.wake_all();
        self.tell_drained();
    }

    /// Takes no more tasks.
    pub(super) fn close(&self) {
        self.advance(CLOSED);
    }

    /// The pool cannot go on: its threads could not be prepared.
    pub(super) fn break_down(&self, cause: Error) {
        let why = "the initializer failed".into();
        let fault = Fault::Broken { why, worker: None, exit: None, cause: Some(cause) };
        self.broken.get_or_init(|| Error::new(fault));
        self.advance(BROKEN);
        self.stop();
    }

    /// Fails what has not begun and waits for what runs; not on a thread of the pool.
    pub(super) fn terminate(&self) {
        self.advance(TERMINATED);
        self.stop();
        if !worker::is_one_of(self.id) {
            self.join_threads();
        }
    }

    /// Waits until every task has its outcome and every thread has ended.
    pub(super) fn join(&self) -> Result<()> {
        if self.state() == OPEN {
            return Err(Error::usage("join() of a pool that is still open: call close() first"));
        }
        if worker::is_one_of(self.id) {
            return Err(Error::usage("join() by a task of the pool itself would wait for itself"));
        }
        // Whoever has stopped the pool has gone further.
        let _ = self.phase.0.compare_exchange(
            phase::RUN,
            phase::DRAIN,
            Ordering::SeqCst,
            Ordering::SeqCst,
        );
        let mut drain = self.drain.lock();
        while !self.is_drained() {
            self.drained.wait(&mut drain);
        }
        drop(drain);
        self.stop();
        self.join_threads();
        if self.state() == BROKEN {
            return Err(self.failures.lock().unseen_beside(&self.broken_error()));
        }
        let unseen = self.failures.lock().unseen();
        unseen.map_or(Ok(()), Err)
    }

    fn join_threads(&self) {
        // Held meanwhile: whoever else waits for the threads waits here.
        let mut handles = self.handles.lock();
        for handle in handles.drain(..) {
            // A thread that panicked has told so; there is nobody else to tell.
            drop(handle.join());
        }
    }

    pub(super) fn stats(&self) -> Stats {
        let sum = |count: fn(&Counts) -> &AtomicU64| {
            self.counts.iter().map(|Padded(c)| count(c).load(Ordering::SeqCst)).sum()
        };
        let cancelled: u64 = sum(|c| &c.cancelled);
        let failed: u64 = sum(|c| &c.failed);
        Stats {
            submitted: self.door.0.0.load(Ordering::SeqCst) / STATES,
            succeeded: sum(|c| &c.succeeded),
            failed: failed + cancelled,
            cancelled,
            dropped: sum(|c| &c.dropped),
            workers: *self.live.lock(),
            ..Stats::default()
        }
    }
}
