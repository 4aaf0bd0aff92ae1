//! First figures: what procession costs, beside what the machine itself costs, in one run.
//!
//! `cargo run --release -p procession-bench [-- --quick]` prints a table. Contenders of a scenario
//! take turns, so that a noisy machine moves them alike; medians over the turns.

mod limits;
mod ours;
mod sample;

use sample::{Scenario, print};
use std::time::Duration;

#[procession::main]
fn main() -> procession::Result<()> {
    if std::env::var_os(limits::EXIT_AT_ONCE).is_some() {
        return Ok(());
    }
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (turns, calls) = if quick { (3, 2_000) } else { (9, 50_000) };
    let pool = procession::Pool::new(2)?;
    ours::warm_up(&pool)?;

    let mut rows = Vec::new();
    let mut warm = Scenario::new("round trip, warm", "us", "spinning on a shared word");
    let mut stream = Scenario::new("apply_async then get, each task", "us", "-");
    let mut map = Scenario::new("map over integers, each item", "us", "-");
    let mut large = Scenario::new("64 MiB argument, one way", "ms", "memcpy, warm");
    let mut start = Scenario::new("start to join of a process", "ms", "exec of self");
    for _ in 0..turns {
        warm.turn(limits::spinning_round_trip(calls), ours::round_trip(&pool, calls)?);
        stream.ours(ours::stream(&pool, calls)?);
        map.ours(ours::map(&pool, calls as u64 * 10)?);
        large.turn(limits::copy(64 << 20), ours::large_argument(&pool, 64 << 20)?);
        start.turn(limits::exec_of_self(), ours::process()?);
    }
    rows.extend([warm, stream, map, large, start]);

    let mut asleep = Scenario::new("round trip, both asleep", "us", "futex pair");
    let naps = if quick { 20 } else { 300 };
    for _ in 0..turns.min(5) {
        asleep.turn(
            limits::futex_round_trip(naps, Duration::from_millis(2)),
            ours::sleepy_round_trip(&pool, naps, Duration::from_millis(2))?,
        );
    }
    rows.push(asleep);
    let mut memory = Scenario::new("memory of an idle worker", "KiB", "a bare process");
    memory.turn(limits::bare_memory(), ours::worker_memory(&pool));
    rows.push(memory);
    print(&rows);
    pool.close();
    pool.join()
}
