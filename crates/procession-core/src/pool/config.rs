//! What a pool is made of.

use crate::attachment::Attachments;
use crate::face::Code;
use crate::limits::WorkerLimits;
use crate::message::Retirement;
use crate::start::{Snapshot, StartMethod};
use std::sync::Arc;
use std::time::Duration;

/// A call that is made before all others.
#[derive(Debug, Clone)]
pub struct Initializer {
    /// What is called.
    pub code: Code,
    /// Its encoded arguments.
    pub arguments: Vec<u8>,
    /// What they mention.
    pub attachments: Attachments,
}

/// What a pool is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// How many worker processes; at least 1.
    pub workers: usize,
    /// How many threads of each process run tasks; at least 1.
    pub threads: usize,
    /// Workers are named this, a hyphen and their place from 1.
    pub name: String,
    /// A call that each worker process makes before its first task.
    pub initializer: Option<Initializer>,
    /// Longest time from the launch of a worker until it is ready.
    pub start_timeout: Duration,
    /// How workers are made; `None` leaves that to the program.
    pub start_method: Option<StartMethod>,
    /// The copy of the program that workers are forked from; made when the pool is.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    /// What each worker process may use of the machine.
    pub limits: WorkerLimits,
    /// Longest time between a polite and a forced end of a worker.
    pub grace: Duration,
    /// Time that a task has to end by itself after it was told that it has had its time.
    pub task_grace: Duration,
    /// When a worker process is replaced although nothing is wrong with it.
    pub retirement: Retirement,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            threads: 1,
            name: "PoolWorker".into(),
            initializer: None,
            start_timeout: Duration::from_secs(60),
            start_method: None,
            snapshot: None,
            limits: WorkerLimits::default(),
            grace: Duration::from_secs(2),
            task_grace: Duration::from_millis(500),
            retirement: Retirement::default(),
        }
    }
}
