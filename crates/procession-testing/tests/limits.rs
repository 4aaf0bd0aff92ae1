//! Limits of workers: what they hold, and which of them are refused.

use procession::{Error, Pool, PoolBuilder, Process};
use procession_testing::{Harness, Watchdog};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// A program whose children are made by this method finds everything as it should be.
fn holds_by(method: &'static str) {
    let _watchdog = Watchdog::start(method, LIMIT);
    let output = Command::new(env!("CARGO_BIN_EXE_limited")).arg(method).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{method}: {said}");
}

#[test]
fn limits_hold_for_spawned_workers() {
    holds_by("spawn");
}

#[test]
fn limits_hold_for_workers_of_a_template() {
    holds_by("forkserver");
}

#[test]
fn limits_hold_for_forked_workers() {
    holds_by("fork");
}

type Row = (&'static str, fn(PoolBuilder) -> PoolBuilder, &'static str);

const REFUSED: [Row; 6] = [
    ("no memory", |it| it.memory_limit(0), "memory limit of 0 bytes"),
    ("no CPU", |it| it.cpu_affinity([]), "empty set of CPUs"),
    ("a CPU too many", |it| it.cpu_affinity([0, 4095]), "CPU 4095"),
    ("no such CPU for anybody", |it| it.cpu_affinity([usize::MAX]).pin_workers(), "does not exist"),
    ("a niceness too high", |it| it.niceness(20), "no niceness of 20"),
    ("a niceness too low", |it| it.niceness(-21), "no niceness of -21"),
];

#[procession::test]
fn limits_that_make_no_sense_are_refused_at_once() {
    let _harness = Harness::start("bad limits", LIMIT);
    for (what, limited, told) in REFUSED {
        let error = limited(Pool::builder().processes(1)).build().expect_err(what);
        assert!(error.to_string().contains(told), "{what}: {error}");
    }
    let mut process = Process::new(|| (), ()).memory_limit(0);
    let error: Error = process.start().expect_err("no memory");
    assert!(error.to_string().contains("memory limit of 0 bytes"), "{error}");
}

const LIMITS: [Row; 4] = [
    ("memory", |it| it.memory_limit(1 << 30), "`memory_limit`"),
    ("niceness", |it| it.niceness(1), "`niceness`"),
    ("CPUs", |it| it.cpu_affinity([0]), "`cpu_affinity`"),
    ("pins", PoolBuilder::pin_workers, "`pin_workers`"),
];

#[test]
fn threads_of_the_program_are_not_limited_as_workers() {
    for (what, limited, told) in LIMITS {
        let error = limited(Pool::builder().threads(2)).build().expect_err(what);
        assert!(error.to_string().contains(told), "{what}: {error}");
        assert!(error.to_string().contains("threads of the program"), "{what}: {error}");
    }
}

#[procession::test]
fn there_is_a_worker_for_each_cpu_of_the_set_unless_told() {
    let _harness = Harness::start("a worker for each CPU", LIMIT);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    let cpu = list.trim().split(['-', ',']).next().unwrap().parse().unwrap();
    let pool = Pool::builder().cpu_affinity([cpu, cpu]).build().unwrap();
    assert_eq!(pool.processes(), 1);
    assert_eq!(pool.apply(procession::cpu_count, ()).unwrap(), 1);
}
