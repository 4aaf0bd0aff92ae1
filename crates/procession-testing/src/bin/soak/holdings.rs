//! What the program holds: memory, descriptors, threads, children, segments. The allocator is the GNU C
//! library's.

#![allow(unsafe_code)]

use procession_testing::children;
use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

/// What the program holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holdings {
    /// Bytes that the system says are this process's own.
    private: u64,
    /// Bytes that the allocator has given out.
    allocated: u64,
    /// Bytes of segments that are mapped.
    mapped: u64,
    segments: u64,
    descriptors: u64,
    threads: u64,
    children: u64,
}

/// Bytes that may be given out more at the end than at the start: names, thread-local buffers, tables
/// that grew once.
const ALLOCATED_MORE: u64 = 2 << 20;
/// Bytes of private memory more: what the allocator keeps in pieces, an arena for each thread.
const PRIVATE_MORE: u64 = 32 << 20;
/// Longest wait for what ends by itself, such as threads that have told their last.
const PATIENCE: Duration = Duration::from_secs(15);

impl Holdings {
    /// Counts them.
    pub(crate) fn count() -> Self {
        let (allocated, rollup) = (allocated(), read("/proc/self/smaps_rollup"));
        let kilobytes = |line: &str| -> u64 {
            line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
        };
        let private = rollup.lines().filter(|line| line.starts_with("Private_"));
        let maps = read("/proc/self/maps");
        let ours = maps.lines().filter(|line| line.contains("procession-"));
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
        Self {
            private: private.map(kilobytes).sum::<u64>() * 1024,
            allocated,
            mapped: ours.clone().map(bytes_of).sum(),
            segments: ours.count() as u64,
            // Less the one that reads the folder.
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) as u64 - 1,
            threads: tasks.count() as u64,
            children: children().len() as u64,
        }
    }

    /// Counts them when nothing ends any more.
    pub(crate) fn at_rest() -> Self {
        let mut before = Self::count();
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let now = Self::count();
            if now == before {
                return now;
            }
            before = now;
        }
    }

    /// What is more than there was before, when what ends by itself has had the time for it.
    pub(crate) fn settle(before: &Self) -> (Self, Vec<String>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Self::count();
            let more = now.more_than(before);
            if more.is_empty() || Instant::now() >= deadline {
                return (now, more);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn more_than(&self, before: &Self) -> Vec<String> {
        let all = [
            ("private bytes", self.private, before.private + PRIVATE_MORE),
            ("allocated bytes", self.allocated, before.allocated + ALLOCATED_MORE),
            ("mapped bytes", self.mapped, before.mapped),
            ("segments", self.segments, before.segments),
            ("descriptors", self.descriptors, before.descriptors),
            ("threads", self.threads, before.threads),
            ("children", self.children, before.children),
        ];
        let leaked = all.iter().filter(|(_, now, most)| now > most);
        leaked.map(|(what, now, most)| format!("leaked: {now} {what}, not {most}")).collect()
    }
}

fn read(path: impl AsRef<std::path::Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The length of what a line of `/proc/self/maps` speaks of.
fn bytes_of(line: &str) -> u64 {
    let ends = line.split_whitespace().next().and_then(|range| range.split_once('-'));
    let address = |text: &str| u64::from_str_radix(text, 16).unwrap_or(0);
    ends.map_or(0, |(start, end)| address(end).saturating_sub(address(start)))
}

/// Has the allocator give large blocks back to the system when they are freed, so that the memory that
/// this process has tells what it holds. By default it keeps up to 64 MiB for each thread.
pub(crate) fn be_frugal() {
    for limit in [libc::M_MMAP_THRESHOLD, libc::M_TRIM_THRESHOLD] {
        // SAFETY: it takes two numbers, and sets limits that are the allocator's own affair.
        unsafe { libc::mallopt(limit, 128 << 10) };
    }
}

/// Bytes that the allocator has given out.
fn allocated() -> u64 {
    // SAFETY: it takes nothing and returns a struct of numbers.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks as u64 + info.hblkhd as u64
}

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        write!(
            f,
            "private {:.1} MiB, allocated {:.1} MiB, segments {} ({:.1} MiB), descriptors {}, \
             threads {}, children {}",
            mib(self.private),
            mib(self.allocated),
            self.segments,
            mib(self.mapped),
            self.descriptors,
            self.threads,
            self.children
        )
    }
}
