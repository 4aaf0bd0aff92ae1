//! A pool that seems to be stuck, and what it says when it is asked.
//!
//! `kill -USR1` of its process id asks it again.

#![expect(clippy::print_stdout, reason = "an example prints")]

use procession::Pool;
use std::thread::sleep;
use std::time::Duration;

fn work(item: u64) -> u64 {
    // One of them never ends.
    if item == 2 {
        loop {
            sleep(Duration::from_secs(1));
        }
    }
    sleep(Duration::from_millis(20));
    item
}

#[procession::main]
fn main() -> procession::Result<()> {
    const SIGUSR1: i32 = 10;
    procession::report_on_signal(SIGUSR1)?;
    let pool = Pool::builder().processes(2).threads(2).build()?;
    let threads = Pool::threads(2)?;
    let napping = threads.map_async(|millis| sleep(Duration::from_millis(millis)), [700, 900]);
    let results = pool.map_async(work, 0..20);
    if !results.wait_timeout(Duration::from_millis(600)) {
        print!("{}", procession::report());
        results.cancel_running();
    }
    let error = results.get().expect_err("nobody has ended it");
    println!("{error}");
    napping.get().map(drop)
}
