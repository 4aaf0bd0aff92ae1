//! The same work, in any situation.

use crate::report::say;
use procession::{Error, Pool, Process, Result, SharedSlice, StartMethod};
use procession_testing::{Leaks, wait_for};
use std::time::Duration;

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of an argument that does not fit into a ring.
pub(crate) const LARGE: usize = 1 << 20;

pub(crate) fn square(x: u64) -> u64 {
    x * x
}

pub(crate) fn abort() {
    std::process::abort();
}

pub(crate) fn length(block: Vec<u8>) -> usize {
    block.len()
}

pub(crate) fn sum(slice: SharedSlice<u64>) -> u64 {
    slice.iter().sum()
}

/// Does the work again and again.
pub(crate) struct Turns {
    pub(crate) method: StartMethod,
    /// A large argument, made while there was memory.
    block: Vec<u8>,
    /// Whether the death of a worker can be told with its signal.
    pub(crate) has_statuses: bool,
}

impl Turns {
    pub(crate) fn new(method: StartMethod) -> Self {
        Self { method, block: Vec::new(), has_statuses: true }
    }

    /// Makes a turn's large argument.
    pub(crate) fn prepare(&mut self) {
        self.block = vec![7; LARGE];
    }

    /// All that a pool and a process can do, once.
    pub(crate) fn turn(&mut self) -> Result<()> {
        let block = std::mem::take(&mut self.block);
        let pool = Pool::builder().processes(2).start_method(self.method).build()?;
        let squares = pool.map(square, 0..1000)?;
        assert!(squares.iter().zip(0..).all(|(square, x)| *square == x * x));
        assert_eq!(pool.apply(length, (block,))?, LARGE);
        let slice = SharedSlice::new(&[3_u64; 10_000])?;
        assert_eq!(pool.apply(sum, (slice,))?, 30_000);
        self.check_loss(pool.apply(abort, ()).expect_err("the worker aborts"))?;
        wait_for("a worker", PATIENCE, || !pool.worker_pids().is_empty());
        assert_eq!(pool.apply(square, (12,))?, 144);
        let mut process = Process::new(square, (11,)).start_method(self.method);
        process.start()?;
        assert_eq!(process.join()?, 121);
        pool.close();
        pool.join()
    }

    /// A worker that aborted is lost, and nothing untrue is said of how.
    fn check_loss(&self, error: Error) -> Result<()> {
        if !error.is_worker_lost() {
            return Err(error);
        }
        let is_unknown = error.to_string().contains("unknown exit status: the program ignores");
        let is_known = error.signal() == Some(libc::SIGABRT);
        assert!(is_unknown || is_known && self.has_statuses, "{error}");
        Ok(())
    }

    /// Two turns, which must work, and leave nothing.
    pub(crate) fn all_work(mut self) {
        self.must_work();
        let before = Leaks::count();
        self.must_work();
        before.assert_nothing_new();
    }

    /// A turn that must work.
    pub(crate) fn must_work(&mut self) {
        self.prepare();
        if let Err(error) = self.turn() {
            panic!("refused: {error}");
        }
        say("ok");
    }
}
