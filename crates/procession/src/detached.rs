//! Processes that were dropped while they ran.
//!
//! Dropping a [`Process`](crate::Process) neither ends it nor waits for it, as in Python. It stays
//! linked to this program, and `#[procession::main]` waits for it when `main` returns.

use parking_lot::Mutex;
use procession_core::process::Process;

static DETACHED: Mutex<Vec<Process>> = Mutex::new(Vec::new());

/// Keeps a process that nobody holds any more; forgets those that have ended.
pub(crate) fn keep(process: Process) {
    let mut detached = DETACHED.lock();
    detached.retain(|process| process.exit().is_none());
    detached.push(process);
}

/// Waits for all of them.
pub(crate) fn join_all() {
    loop {
        let Some(mut process) = DETACHED.lock().pop() else { return };
        process.wait(None);
    }
}
