//! Counting what a process holds, to find what it leaves behind.

use std::fs;
use std::time::{Duration, Instant};

/// Longest wait for things that end by themselves.
const PATIENCE: Duration = Duration::from_secs(5);

/// What this process holds: children, descriptors, shared segments, threads of pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaks {
    children: Vec<String>,
    descriptors: usize,
    segments: usize,
    threads: usize,
}

impl Leaks {
    /// Counts, where the system tells (`/proc`); elsewhere all counts are zero.
    pub fn count() -> Self {
        let tasks: Vec<_> =
            fs::read_dir("/proc/self/task").into_iter().flatten().flatten().collect();
        let text = |name: &str| -> Vec<String> {
            tasks
                .iter()
                .map(|t| fs::read_to_string(t.path().join(name)).unwrap_or_default())
                .collect()
        };
        let children = text("children")
            .iter()
            .flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        // The system keeps 15 bytes of a name.
        let is_ours =
            |name: &&String| ["procession-supe", "ThreadPoolWorke"].contains(&name.trim());
        let threads = text("comm").iter().filter(is_ours).count();
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        Self {
            children,
            // Less the one that reads the folder.
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count).saturating_sub(1),
            segments: maps.lines().filter(|line| line.contains("procession-")).count(),
            threads,
        }
    }

    /// Process ids of the children.
    pub fn children(&self) -> Vec<i32> {
        self.children.iter().filter_map(|pid| pid.parse().ok()).collect()
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
