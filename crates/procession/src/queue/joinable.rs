//! A queue that tells when all is done.

use super::{Item, Queue};
use crate::sync::place::cannot;
use procession_core::{Error, Result};
use procession_ipc::queue::Joined;
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use std::time::Duration;

const CANNOT: &str = "cannot take part in a shared queue";

/// A [`Queue`] whose takers say when they are done with an item, and that one can wait for: Python's
/// `JoinableQueue`. It has everything that a `Queue` has.
///
/// ```
/// use procession::{JoinableQueue, Process};
///
/// fn work(jobs: JoinableQueue<u32>) -> procession::Result<()> {
///     for job in jobs.iter() {
///         assert!(job? < 10);
///         jobs.task_done()?;
///     }
///     Ok(())
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let jobs = JoinableQueue::new()?;
///     let mut worker = Process::new(work, (jobs.clone(),));
///     worker.start()?;
///     for job in 0..10 {
///         jobs.put(&job)?;
///     }
///     jobs.join()?; // every job is done, not only taken
///     jobs.close()?;
///     worker.join()?
/// }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "T: Item")]
pub struct JoinableQueue<T>(Queue<T>);

impl<T: Item> JoinableQueue<T> {
    /// Makes an empty queue that holds any number of items.
    ///
    /// # Errors
    /// As [`Queue::new`].
    pub fn new() -> Result<Self> {
        Self::bounded(0)
    }

    /// Makes an empty queue that holds at most so many items, or of 0 any number.
    ///
    /// # Errors
    /// As [`Queue::new`].
    pub fn bounded(maxsize: usize) -> Result<Self> {
        let made = Queue::bounded(maxsize)?;
        made.queue.begin_to_count();
        Ok(Self(made))
    }

    /// Says that an item which was taken is done: by this process or, if it has none, by another.
    ///
    /// # Errors
    /// When nothing that was taken is left to be done; when this process cannot take part.
    pub fn task_done(&self) -> Result<()> {
        if self.0.queue.task_done().map_err(cannot(CANNOT))? {
            return Ok(());
        }
        Err(Error::usage("task_done() was called more often than items were taken"))
    }

    /// Waits until every item that was put was taken and is done.
    ///
    /// Woken by the last [`task_done`](Self::task_done), and by the death of those who have items.
    ///
    /// # Errors
    /// When processes have died with items that were not done, in which Python's queue waits for ever:
    /// everything else is done then, and the next call does not tell of them again. When this process
    /// cannot take part.
    pub fn join(&self) -> Result<()> {
        while !self.join_within(None)? {}
        Ok(())
    }

    /// As [`join`](Self::join), for at most so long; `false` when something is left to be done.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn join_timeout(&self, timeout: Duration) -> Result<bool> {
        self.join_within(Some(timeout))
    }

    fn join_within(&self, timeout: Option<Duration>) -> Result<bool> {
        match self.0.queue.join(timeout).map_err(cannot(CANNOT))? {
            Joined::Done => Ok(true),
            Joined::TimedOut => Ok(false),
            Joined::Lost(count) => Err(Error::lost_items(count)),
        }
    }
}

impl<T> Deref for JoinableQueue<T> {
    type Target = Queue<T>;

    fn deref(&self) -> &Queue<T> {
        &self.0
    }
}
