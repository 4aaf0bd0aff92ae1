//! A program with a worker that is stuck, which says what it does when it gets a SIGUSR1.

#![expect(clippy::print_stdout, reason = "what the test reads")]

use procession::Pool;
use std::time::Duration;

fn stuck(told: String) {
    println!("{told}");
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[procession::main]
fn main() -> procession::Result<()> {
    procession::report_on_signal(libc::SIGUSR1)?;
    let pool = Pool::new(1)?;
    pool.apply(stuck, ("begun".to_owned(),))
}
