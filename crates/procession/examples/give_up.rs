//! Functions that sometimes never return, or crash for no reason: limits, retries, cancelling.
#![expect(clippy::print_stdout, reason = "an example prints")]

use procession::{Pool, current_task};
use std::time::Duration;

/// Steps until a number comes to 1 (the Collatz problem). Written carelessly: 0 never does.
fn steps(mut number: u64) -> u64 {
    let mut steps = 0;
    while number != 1 {
        number = if number.is_multiple_of(2) { number / 2 } else { 3 * number + 1 };
        steps += 1;
    }
    steps
}

/// Fails the first time, as a call over a bad line might.
fn unreliable(number: u64) -> u64 {
    if current_task().is_some_and(|task| task.attempt() == 1) {
        std::process::abort();
    }
    number
}

#[procession::main]
fn main() -> procession::Result<()> {
    // Who does not look whether it should stop needs no time to do so.
    let pool = Pool::builder().processes(2).task_grace(Duration::ZERO).build()?;

    let limited = pool.task_timeout(Duration::from_millis(200));
    for (number, steps) in limited.imap(steps, [27, 0, 97]).enumerate() {
        match steps {
            Ok(steps) => println!("{number}: {steps} steps"),
            Err(error) => {
                assert!(error.is_timed_out() && number == 1);
                println!("{number}: {error}");
            }
        }
    }

    assert_eq!(pool.retries(1).map(unreliable, 0..3)?, [0, 1, 2]);
    println!("{} calls were made again.", pool.stats().retried);

    let endless = pool.map_async(steps, [0; 100]);
    let cancelled = endless.cancel_running();
    assert!(cancelled && endless.get().is_err_and(|error| error.is_cancelled()));
    println!("The rest is not worth waiting for.");

    pool.close();
    pool.join()
}
