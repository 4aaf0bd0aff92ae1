//! What the threads of a pool do at this moment, for whoever asks.

use super::Threads;
use super::engine::Engine;
use crate::pool::{TaskInfo, WorkerInfo, WorkerState};
use crate::report::Reports;
use crossbeam_utils::atomic::AtomicCell;
use procession_os::clock;
use std::fmt;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What people call a function.
pub type Name = fn() -> &'static str;

/// What one thread does. Only that thread writes it, for others to look at; it protects nothing, and who
/// looks may see some of what was before, so all of it is relaxed.
pub(super) struct Doing {
    /// What it runs.
    name: AtomicCell<Option<Name>>,
    /// 1 more than the index of the item of a map, if it is one.
    item: AtomicU64,
    /// Since when, by the coarse clock.
    since: AtomicU64,
}

impl Default for Doing {
    fn default() -> Self {
        Self {
            name: AtomicCell::new(None),
            item: AtomicU64::new(0),
            since: AtomicU64::new(clock::coarse_ns()),
        }
    }
}

impl fmt::Debug for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doing").field("task", &self.task()).finish_non_exhaustive()
    }
}

/// What a thread did before it ran something in the middle of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outer {
    name: Option<Name>,
    item: u64,
    since: u64,
}

impl Doing {
    /// The thread goes over to a call of a function of this name, or to nothing; gives what it did before.
    pub(super) fn set(&self, name: Option<Name>) -> Outer {
        let outer = Outer {
            name: self.name.load(),
            item: self.item.load(Ordering::Relaxed),
            since: self.since.load(Ordering::Relaxed),
        };
        self.go_back_to(Outer { name, item: 0, since: clock::coarse_ns() });
        outer
    }

    /// The thread goes on with what it did before.
    pub(super) fn go_back_to(&self, outer: Outer) {
        self.name.store(outer.name);
        self.item.store(outer.item, Ordering::Relaxed);
        self.since.store(outer.since, Ordering::Relaxed);
    }

    /// The call is that of the item with this index.
    pub(super) fn set_item(&self, index: u64) {
        self.item.store(index + 1, Ordering::Relaxed);
        self.since.store(clock::coarse_ns(), Ordering::Relaxed);
    }

    fn task(&self) -> Option<TaskInfo> {
        let name = self.name.load()?;
        let item = self.item.load(Ordering::Relaxed).checked_sub(1);
        Some(TaskInfo::new(name(), item, 1))
    }

    fn lasts(&self) -> Duration {
        let since = self.since.load(Ordering::Relaxed);
        Duration::from_nanos(clock::coarse_ns().saturating_sub(since))
    }
}

impl Engine {
    fn infos(&self) -> Vec<WorkerInfo> {
        let is_over = *self.live.lock() == 0;
        let info = |place: usize| {
            let doing = self.doing(place);
            let task = doing.task();
            let state = match &task {
                Some(_) => WorkerState::Running,
                None if is_over => WorkerState::Gone,
                None => WorkerState::Idle,
            };
            WorkerInfo {
                name: format!("{}-{}", self.config.name, place + 1),
                pid: Some(std::process::id()),
                index: place,
                thread: 1,
                generation: 1,
                state,
                state_for: doing.lasts(),
                task,
                done: self.ended(place),
                memory_bytes: None,
            }
        };
        (0..self.config.threads).map(info).collect()
    }
}

impl Threads {
    /// What each thread is and does at this moment.
    pub fn worker_infos(&self) -> Vec<WorkerInfo> {
        self.engine().infos()
    }

    /// The same as text, with what the pool has done and has to do.
    pub fn report(&self) -> String {
        self.engine().report()
    }
}

impl Reports for Engine {
    fn report(&self) -> String {
        let stats = self.stats();
        let ended = stats.succeeded + stats.failed + stats.dropped;
        let mut text = format!(
            "{}: a pool of {} threads, {}; tasks: {} submitted, {} succeeded, {} failed, {} left\n",
            self.config.name,
            self.config.threads,
            self.state_word(),
            stats.submitted,
            stats.succeeded,
            stats.failed,
            stats.submitted.saturating_sub(ended),
        );
        for info in self.infos() {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {info}");
        }
        text
    }
}
