//! Four worker processes, five tasks of a second each.
#![expect(clippy::print_stdout, reason = "an example prints")]

use procession::{AsyncResult, Pool};
use std::time::{Duration, Instant};

fn long_time_task(i: u32) {
    println!("Run task {i} ({})...", std::process::id());
    let start = Instant::now();
    std::thread::sleep(Duration::from_secs(1));
    println!("Task {i} runs {:.2} seconds.", start.elapsed().as_secs_f64());
}

#[procession::main]
fn main() -> procession::Result<()> {
    let start = Instant::now();
    println!("Parent process {}.", std::process::id());
    let pool = Pool::new(4)?;
    let tasks: Vec<_> = (0..5).map(|i| pool.apply_async(long_time_task, (i,))).collect();
    println!("Waiting for all subprocesses done...");
    pool.close();
    pool.join()?;
    println!("All subprocesses done.");
    assert!(tasks.iter().all(AsyncResult::ready), "join waits for every task");
    println!("Wall time: {:.2} s", start.elapsed().as_secs_f64());
    Ok(())
}
