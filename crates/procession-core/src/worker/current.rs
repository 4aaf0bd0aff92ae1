//! What a task can learn about itself.

use procession_ipc::lane::StopRequest;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    /// What this thread runs.
    static RUNNING: Cell<Option<Running>> = const { Cell::new(None) };
    /// Where this thread is told that it should stop.
    static STOP_REQUEST: RefCell<Option<Asked>> = const { RefCell::new(None) };
}

/// Where a call is asked to stop.
#[derive(Debug, Clone)]
enum Asked {
    /// On the lane of a worker process, where each call has a name.
    OnLane(StopRequest),
    /// By a flag for all calls of a map on threads.
    ByFlag(Arc<AtomicBool>),
}

/// A call that a thread runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    /// The request.
    pub(super) sequence: u64,
    /// Which call of it.
    pub(super) index: u64,
    /// How many attempts there were before.
    pub(super) attempts_before: u32,
}

/// What a call on a thread of a pool of threads is: its first attempt, of no request.
const ON_THREAD: Running = Running { sequence: 0, index: 0, attempts_before: 0 };

/// Has the calling thread learn from this when its calls should stop.
pub(super) fn listen(stop: StopRequest) {
    STOP_REQUEST.set(Some(Asked::OnLane(stop)));
}

/// Notes what the calling thread runs from now on.
#[inline]
pub(super) fn set(running: Option<Running>) {
    RUNNING.set(running);
}

/// Runs a call on a thread of a pool of threads, maybe inside of another. The call does not unwind.
pub(crate) fn as_thread_task<R>(call: impl FnOnce() -> R) -> R {
    let outer = RUNNING.replace(Some(ON_THREAD));
    let returned = call();
    RUNNING.set(outer);
    returned
}

/// As [`as_thread_task`], for items of a map, which are told by a flag when they should stop.
pub(crate) fn as_thread_item<R>(stops: &Arc<AtomicBool>, call: impl FnOnce() -> R) -> R {
    let outer = STOP_REQUEST.replace(Some(Asked::ByFlag(stops.clone())));
    let returned = as_thread_task(call);
    STOP_REQUEST.set(outer);
    returned
}

/// The task that the calling thread runs; `None` if it runs none, as in the program itself.
pub fn current_task() -> Option<CurrentTask> {
    let running = RUNNING.get()?;
    Some(CurrentTask { running, stop: STOP_REQUEST.with_borrow(Clone::clone) })
}

/// A task as it sees itself. May be handed to threads that the task starts.
#[derive(Debug, Clone)]
pub struct CurrentTask {
    running: Running,
    stop: Option<Asked>,
}

impl CurrentTask {
    /// Which attempt this is, from 1: more than 1 if workers have died while they ran the task.
    pub fn attempt(&self) -> u32 {
        self.running.attempts_before.saturating_add(1)
    }

    /// Whether the task should stop: it has had its time, or is an item of a map that was cancelled with
    /// all that runs. Its outcome is given already, and its worker is killed unless the task returns within
    /// the pool's grace. A read of one word, cheap enough for every turn of a loop. On a pool of threads,
    /// where nobody is killed and nothing has a time limit, only in a map that was cancelled so.
    pub fn should_stop(&self) -> bool {
        let Running { sequence, index, .. } = self.running;
        match &self.stop {
            Some(Asked::OnLane(stop)) => stop.names(sequence, index),
            Some(Asked::ByFlag(stops)) => stops.load(Ordering::Relaxed),
            None => false,
        }
    }
}
