//! What the figures were measured on.

use std::time::Instant;

/// The machine and how busy it was.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) kernel: String,
    /// Mean number of threads that ran or wanted to, over the last minute before the run.
    pub(crate) load: String,
    /// Nanoseconds of one reading of the clock, contained in each sample.
    pub(crate) clock_ns: f64,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        let processor = model.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown");
        let loadavg = read("/proc/loadavg");
        Self {
            processor: processor.to_owned(),
            processors: procession::cpu_count(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: loadavg.split(' ').next().unwrap_or("unknown").to_owned(),
            clock_ns: clock_ns(),
        }
    }
}

fn clock_ns() -> f64 {
    const READINGS: u32 = 100_000;
    let start = Instant::now();
    for _ in 1..READINGS {
        std::hint::black_box(Instant::now());
    }
    start.elapsed().as_nanos() as f64 / f64::from(READINGS)
}
