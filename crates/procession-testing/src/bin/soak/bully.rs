//! Who kills workers, and stops and resumes them.

use crate::tally::Tally;
use procession::Pool;
use procession_testing::{Random, send};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Does harm to a pool's workers until it is over.
pub(crate) fn haunt(tally: &Tally, pool: &Pool, mut random: Random, over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_micros(random.below(40_000)));
        let pids = pool.worker_pids();
        if pids.is_empty() {
            continue;
        }
        let pid = pids[random.below(pids.len() as u64) as usize] as i32;
        match random.below(3) {
            0 => kill(tally, pid),
            _ => stop(tally, pid, &mut random, over),
        }
    }
}

fn kill(tally: &Tally, pid: i32) {
    if send(pid, libc::SIGKILL) {
        tally.kills.fetch_add(1, Ordering::Relaxed);
    }
}

/// Stops a worker for a moment; now and then it is killed in its sleep.
fn stop(tally: &Tally, pid: i32, random: &mut Random, over: &AtomicBool) {
    if !send(pid, libc::SIGSTOP) {
        return;
    }
    tally.stops.fetch_add(1, Ordering::Relaxed);
    let longest = if random.below(20) == 0 { 1_500 } else { 60 };
    for _ in 0..random.below(longest) {
        if over.load(Ordering::SeqCst) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    if random.below(8) == 0 {
        kill(tally, pid);
    }
    send(pid, libc::SIGCONT);
}
