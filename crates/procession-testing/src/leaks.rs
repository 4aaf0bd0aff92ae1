//! Counting what a process holds, to find what it leaves behind.

use crate::children::children;
use std::fs;
use std::time::{Duration, Instant};

/// Longest wait for things that end by themselves.
const PATIENCE: Duration = Duration::from_secs(5);

/// What this process holds: children, descriptors, shared segments, threads of pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaks {
    children: Vec<u32>,
    descriptors: usize,
    segments: usize,
    threads: usize,
}

impl Leaks {
    /// Counts, where the system tells (`/proc`); elsewhere all counts are zero.
    pub fn count() -> Self {
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
        // The system keeps 15 bytes of a name.
        let is_ours = |name: &String| ["procession-supe", "ThreadPoolWorke"].contains(&name.trim());
        let threads = names.filter(is_ours).count();
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        Self {
            children: children(),
            // Less the one that reads the folder.
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count).saturating_sub(1),
            segments: maps.lines().filter(|line| line.contains("procession-")).count(),
            threads,
        }
    }

    /// Waits a moment for things that end by themselves, then insists that nothing was added.
    ///
    /// # Panics
    /// When something is left.
    pub fn assert_nothing_new(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Self::count();
            let more = now.children.len() > self.children.len()
                || now.descriptors > self.descriptors
                || now.segments > self.segments
                || now.threads > self.threads;
            if !more {
                return;
            }
            assert!(Instant::now() < deadline, "left behind: {now:?}, before {self:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
