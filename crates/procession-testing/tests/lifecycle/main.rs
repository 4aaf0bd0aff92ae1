//! The lives of workers: when they are replaced, how often, and what can be asked about them.

mod breaker;
mod retire;

use procession::Pool;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// Which process ran a task, and the how manieth it was there.
type Place = (u32, u64);

/// Tasks that this process has run.
static RUN: AtomicU64 = AtomicU64::new(0);

fn place() -> Place {
    (std::process::id(), RUN.fetch_add(1, Ordering::SeqCst) + 1)
}

/// Lets a pool finish in which nothing has failed that nobody has seen.
fn close(pool: &Pool) {
    pool.close();
    pool.join().unwrap();
}
