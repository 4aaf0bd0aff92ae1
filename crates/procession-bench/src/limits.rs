//! What the machine itself costs, by the shortest code.

use crate::sample::micros;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Tells this program to exit as soon as it runs.
pub(crate) const EXIT_AT_ONCE: &str = "PROCESSION_BENCH_EXIT";

/// Microseconds of a round trip between two threads that spin on a word each.
pub(crate) fn spinning_round_trip(count: usize) -> f64 {
    let (there, back) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 1..=count as u32 {
                while there.load(Ordering::Acquire) != turn {
                    std::hint::spin_loop();
                }
                back.store(turn, Ordering::Release);
            }
        });
        let start = Instant::now();
        for turn in 1..=count as u32 {
            there.store(turn, Ordering::Release);
            while back.load(Ordering::Acquire) != turn {
                std::hint::spin_loop();
            }
        }
        micros(start, count)
    })
}

/// Waits until a word holds `turn`, asleep.
fn sleep_until(word: &AtomicU32, turn: u32) {
    loop {
        let seen = word.load(Ordering::Acquire);
        if seen == turn {
            return;
        }
        // Whatever ended the sleep, the word is looked at again.
        let _ = procession_os::wait::wait(word, seen, None);
    }
}

/// Microseconds of a round trip between two threads that both sleep, with a pause before each.
pub(crate) fn futex_round_trip(count: usize, pause: Duration) -> f64 {
    let (there, back) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 1..=count as u32 {
                sleep_until(&there, turn);
                back.store(turn, Ordering::Release);
                procession_os::wait::wake_one(&back);
            }
        });
        let mut total = 0.0;
        for turn in 1..=count as u32 {
            std::thread::sleep(pause);
            let start = Instant::now();
            there.store(turn, Ordering::Release);
            procession_os::wait::wake_one(&there);
            sleep_until(&back, turn);
            total += micros(start, 1);
        }
        total / count as f64
    })
}

/// Milliseconds to copy this many bytes between two warm buffers.
pub(crate) fn copy(bytes: usize) -> f64 {
    let from = vec![1_u8; bytes];
    let mut to = vec![2_u8; bytes];
    let start = Instant::now();
    to.copy_from_slice(std::hint::black_box(&from));
    std::hint::black_box(&to);
    start.elapsed().as_secs_f64() * 1e3
}

/// Milliseconds to start this program and wait for it, when it exits at once.
pub(crate) fn exec_of_self() -> f64 {
    let program = std::env::current_exe().expect("this program has a path");
    let start = Instant::now();
    let status = Command::new(program).env(EXIT_AT_ONCE, "1").stdin(Stdio::null()).status();
    assert!(status.expect("this program can be started").success());
    start.elapsed().as_secs_f64() * 1e3
}

/// Memory that a process alone has, in KiB.
pub(crate) fn unique_memory(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    text.lines()
        .filter(|line| line.starts_with("Private_"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok())
        .sum()
}

/// Memory of a process that does nothing, in KiB.
pub(crate) fn bare_memory() -> f64 {
    let mut child = Command::new("sleep").arg("600").spawn().expect("`sleep` can be started");
    std::thread::sleep(Duration::from_millis(100));
    let memory = unique_memory(child.id());
    child.kill().expect("the child can be killed");
    child.wait().expect("the child can be waited for");
    memory
}
