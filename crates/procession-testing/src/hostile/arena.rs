//! Rounds with a worker that goes mad.

use super::book::Book;
use super::honest::{digest, expand, expanded, fold, mix, small};
use super::madness::{mad, mad_large};
use crate::harness::wait_for;
use crate::{Random, send};
use procession::{AsyncResult, Error, Pool, Process, Returned};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a mad task may take: by the pool's own limit in one half of the rounds, and in the other until
/// its worker is killed from outside.
const PATIENCE: Duration = Duration::from_millis(25);
/// From there to the end of its worker.
const GRACE: Duration = Duration::from_millis(5);
/// In which everything else happens, by far.
const LIMIT: Duration = Duration::from_secs(60);
/// Workers of the pool.
const WORKERS: usize = 3;

/// A pool, honest work for it, and mad tasks.
#[derive(Debug)]
pub struct Arena {
    pool: Pool,
    book: Book,
    tally: Counts,
}

/// What became of the tasks.
#[derive(Debug, Default)]
struct Counts {
    rounds: AtomicU64,
    honest: AtomicU64,
    lost_with_the_mad: AtomicU64,
    protocol: AtomicU64,
    timed_out: AtomicU64,
    lost: AtomicU64,
    values: AtomicU64,
    other_errors: AtomicU64,
    killed_by_us: AtomicU64,
}

/// What became of the tasks, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Rounds that were run.
    pub rounds: u64,
    /// Honest results that came and were right.
    pub honest: u64,
    /// Honest tasks and items that were lost with a mad worker.
    pub lost_with_the_mad: u64,
    /// Mad tasks and items whose outcome was that the worker spoke nonsense.
    pub protocol: u64,
    /// Mad ones that took too long.
    pub timed_out: u64,
    /// Mad ones whose worker was lost.
    pub lost: u64,
    /// Mad ones with some value.
    pub values: u64,
    /// Mad ones with another error: a panic or a broken encoding that they made up.
    pub other_errors: u64,
    /// Mad workers that were still there at the end of their round.
    pub killed_by_us: u64,
    /// Times that a process went mad: a mad task of which its worker had made the parent believe that it
    /// was not begun runs again.
    pub attempts: u64,
    /// Workers that were replaced.
    pub respawns: u64,
}

impl Arena {
    /// A pool to run rounds on.
    ///
    /// # Panics
    /// When there is none to be had.
    pub fn open() -> Self {
        let builder = Pool::builder().processes(WORKERS).task_grace(GRACE);
        let pool = builder.build().expect("a pool starts");
        Self { pool, book: Book::open(), tally: Counts::default() }
    }

    /// Runs so many rounds, each of which follows from the seed and its number; `each` is told of every
    /// round before it is run.
    ///
    /// # Panics
    /// When anything is not as it must be.
    pub fn run(&self, seed: u64, rounds: u64, mut each: impl FnMut(u64)) {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (over, stop) = (&over, Stop(&over));
            scope.spawn(move || self.work(Random::new(seed ^ 1), over, Self::singles));
            scope.spawn(move || self.work(Random::new(seed ^ 2), over, Self::items));
            for round in 0..rounds {
                each(round);
                self.book.turn_page();
                self.round(&mut Random::new(mix(seed).wrapping_add(round)));
                self.end_the_mad();
                Counts::add(&self.tally.rounds, 1);
            }
            drop(stop);
        });
    }

    /// Checks that the pool is as good as new, and ends it; tells what there was.
    ///
    /// # Panics
    /// When it is not.
    pub fn close(self) -> Tally {
        let tally = self.tally.read(self.book.entries(), self.pool.stats().respawns);
        wait_for("all workers to be there", LIMIT, || self.pool.worker_pids().len() == WORKERS);
        let squares = self.pool.map(|x: u64| x * x, 0..1_000).expect("the pool works");
        assert!(squares.into_iter().zip(0..).all(|(square, x)| square == x * x));
        self.pool.close();
        if let Err(error) = self.pool.join() {
            assert!(self.is_from_the_mad(&error), "{error}");
        }
        tally
    }

    /// One mad task, or a few.
    fn round(&self, random: &mut Random) {
        let (seed, page) = (random.number(), self.book.page());
        let limit = if random.below(2) == 0 { PATIENCE } else { LIMIT };
        let pool = self.pool.task_timeout(limit);
        match random.below(20) {
            0..12 => self.take(pool.apply_async(mad, (seed, page)), &|_| true),
            12..15 => self.take(pool.apply_async(mad_large, (seed, page)), &|_| true),
            15..18 => {
                let count = 1 + random.below(4);
                let results: Vec<_> =
                    (0..count).map(|n| pool.apply_async(mad, (seed ^ n, page))).collect();
                results.into_iter().for_each(|result| self.take(result, &|_| true));
            }
            18 => {
                let items: Vec<_> = (0..1 + random.below(20)).map(|n| (seed ^ n, page)).collect();
                let count = items.len();
                let result = pool.chunksize(5).map_async(mad_at_times, items);
                self.take(result, &|values| values.len() == count);
            }
            _ => self.lone_process(seed),
        }
    }

    /// Waits for what a mad task comes to; kills who takes too long.
    fn take<R: Returned>(&self, mut result: AsyncResult<R>, is_whole: &dyn Fn(&R) -> bool) {
        let start = Instant::now();
        loop {
            match result.get_timeout(PATIENCE) {
                // The wait's own time; that of the task names its worker.
                Err(error) if error.is_timed_out() && error.pid().is_none() => {
                    assert!(start.elapsed() < LIMIT, "a mad task without an outcome");
                    self.kill_the_mad();
                }
                Err(error) => return self.note_error(&error),
                Ok(value) => {
                    assert!(is_whole(&value), "a map that is not whole");
                    return Counts::add(&self.tally.values, 1);
                }
            }
        }
    }

    fn note_error(&self, error: &Error) {
        let count = if error.is_protocol() {
            &self.tally.protocol
        } else if error.is_timed_out() {
            &self.tally.timed_out
        } else if error.is_worker_lost() {
            &self.tally.lost
        } else {
            assert!(error.is_panicked() || error.is_codec(), "a mad task came to this: {error}");
            &self.tally.other_errors
        };
        Counts::add(count, 1);
        if error.is_protocol()
            && let Some(pid) = error.pid()
        {
            wait_for("a worker that spoke nonsense to be gone", LIMIT, || {
                !self.pool.worker_pids().contains(&pid)
            });
        }
    }

    /// A process of its own that goes mad.
    fn lone_process(&self, seed: u64) {
        let mut process = Process::new(mad, (seed, self.book.page()));
        process.start().expect("a process starts");
        let start = Instant::now();
        let outcome = loop {
            match process.join_timeout(PATIENCE) {
                Ok(None) => {
                    assert!(start.elapsed() < LIMIT, "a mad process without an end");
                    if process.pid().is_some_and(|pid| self.book.has(pid)) {
                        process.kill().expect("it can be killed");
                    }
                }
                Ok(Some(value)) => break Ok(value),
                Err(error) => break Err(error),
            }
        };
        match outcome {
            Ok(_) => Counts::add(&self.tally.values, 1),
            Err(error) => self.note_error(&error),
        }
    }

    fn kill_the_mad(&self) {
        let pids = self.pool.worker_pids();
        for pid in self.book.fresh().into_iter().filter(|pid| pids.contains(pid)) {
            send(pid as i32, libc::SIGKILL);
        }
    }

    /// Kills those that are still there, and waits until they are not.
    fn end_the_mad(&self) {
        let fresh = self.book.fresh();
        let are_there = || self.pool.worker_pids().iter().any(|pid| fresh.contains(pid));
        if are_there() {
            Counts::add(&self.tally.killed_by_us, 1);
            self.kill_the_mad();
            wait_for("mad workers to be gone", LIMIT, || !are_there());
        }
    }

    fn is_from_the_mad(&self, error: &Error) -> bool {
        (error.is_worker_lost() || error.is_protocol() || error.is_panicked() || error.is_codec())
            && error.pid().is_none_or(|pid| self.book.has(pid))
    }

    /// Has honest work done until it is over.
    fn work(&self, mut random: Random, over: &AtomicBool, turn: fn(&Self, &mut Random)) {
        // If this panics the rounds go on, and the scope tells at their end.
        while !over.load(Ordering::SeqCst) {
            turn(self, &mut random);
        }
    }

    /// Notes an honest outcome.
    fn check<R: PartialEq + std::fmt::Debug>(&self, outcome: Result<R, Error>, expected: &R) {
        match outcome {
            Ok(value) => {
                assert!(value == *expected, "an honest task came to a wrong result");
                Counts::add(&self.tally.honest, 1);
            }
            Err(error) => {
                let is_lost = error.is_worker_lost() || error.is_protocol();
                let pid = error.pid().unwrap_or_default();
                assert!(is_lost && self.book.has(pid), "an honest task came to this: {error}");
                Counts::add(&self.tally.lost_with_the_mad, 1);
            }
        }
    }

    /// Some tasks of all sizes.
    fn singles(&self, random: &mut Random) {
        let numbers: Vec<_> = (0..1 + random.below(8)).map(|_| random.number()).collect();
        let tasks: Vec<_> =
            numbers.iter().map(|number| self.pool.apply_async(small, (*number,))).collect();
        let argument: Vec<_> = (0..random.below(20_000)).map(mix).collect();
        let digested = self.pool.apply_async(digest, (argument.clone(),));
        let (seed, count) = (random.number(), random.below(20_000));
        let large = self.pool.apply_async(expand, (seed, count));
        self.check(large.get(), &expanded(seed, count));
        for (number, task) in numbers.into_iter().zip(tasks) {
            self.check(task.get(), &(number, mix(number)));
        }
        self.check(digested.get(), &fold(&argument));
    }

    /// A map.
    fn items(&self, random: &mut Random) {
        let first = random.number() >> 1;
        let numbers = first..first + random.below(300);
        for (number, outcome) in numbers.clone().zip(self.pool.imap(small, numbers)) {
            self.check(outcome, &(number, mix(number)));
        }
    }
}

/// An item of a map that goes mad now and then.
fn mad_at_times((seed, page): (u64, i32)) -> u64 {
    if seed.is_multiple_of(4) { mad(seed, page) } else { seed }
}

/// Ends the honest work, also where the rounds end in a panic.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Counts {
    fn add(count: &AtomicU64, more: u64) {
        count.fetch_add(more, Ordering::Relaxed);
    }

    fn read(&self, attempts: u64, respawns: u64) -> Tally {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Tally {
            rounds: read(&self.rounds),
            honest: read(&self.honest),
            lost_with_the_mad: read(&self.lost_with_the_mad),
            protocol: read(&self.protocol),
            timed_out: read(&self.timed_out),
            lost: read(&self.lost),
            values: read(&self.values),
            other_errors: read(&self.other_errors),
            killed_by_us: read(&self.killed_by_us),
            attempts,
            respawns,
        }
    }
}
