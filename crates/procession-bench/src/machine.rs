//! What the figures were measured on.

use std::process::Command;
use std::time::{Duration, Instant};

/// The machine and how busy it was.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) kernel: String,
    /// Of the sources, where they are known.
    pub(crate) commit: String,
    pub(crate) before: Load,
    /// Nanoseconds of one reading of the clock, contained in each sample.
    pub(crate) clock_ns: f64,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        let processor = model.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown");
        Self {
            processor: processor.to_owned(),
            processors: procession::cpu_count(),
            kernel: kernel(),
            commit: commit().unwrap_or_else(|| "unknown".to_owned()),
            before: Load::now(),
            clock_ns: clock_ns(),
        }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The kernel's version, without what its builder has added.
fn kernel() -> String {
    let release = read("/proc/sys/kernel/osrelease");
    release.trim().split(['-', '+']).next().unwrap_or_default().to_owned()
}

fn commit() -> Option<String> {
    let folder = env!("CARGO_MANIFEST_DIR");
    let arguments = ["-C", folder, "describe", "--always", "--dirty", "--exclude", "*"];
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn clock_ns() -> f64 {
    const READINGS: u32 = 100_000;
    let start = Instant::now();
    for _ in 1..READINGS {
        std::hint::black_box(Instant::now());
    }
    start.elapsed().as_nanos() as f64 / f64::from(READINGS)
}

/// What others do on the machine.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Load {
    /// Share of all processors' time that somebody used while the bench slept.
    pub(crate) busy: f64,
    /// Mean number of threads that ran or wanted to, over the last minute; the bench's own count.
    pub(crate) average: String,
}

impl Load {
    /// Looks on for a while.
    pub(crate) fn now() -> Self {
        let (busy, all) = processor_time();
        std::thread::sleep(Duration::from_millis(400));
        let (busy_then, all_then) = processor_time();
        let average = read("/proc/loadavg").split(' ').next().unwrap_or("unknown").to_owned();
        Self { busy: (busy_then - busy) / (all_then - all).max(1.0), average }
    }

    /// Whether what others do cannot matter.
    pub(crate) fn is_quiet(&self) -> bool {
        self.busy < 0.05
    }
}

/// Ticks that all processors have worked so far, and all their ticks.
fn processor_time() -> (f64, f64) {
    let text = read("/proc/stat");
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split(' ').filter_map(|ticks| ticks.parse().ok()).collect();
    let all = ticks.iter().sum::<f64>();
    // The fourth and fifth are idle, and idle while a disk works.
    let idle = ticks.iter().skip(3).take(2).sum::<f64>();
    (all - idle, all)
}
