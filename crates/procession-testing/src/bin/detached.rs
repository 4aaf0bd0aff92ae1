//! Drops a running process; `main` ends when it has ended.

use procession::Process;
use std::time::Duration;

#[expect(clippy::print_stdout, reason = "the test reads it")]
fn last() {
    std::thread::sleep(Duration::from_millis(200));
    println!("child ends");
}

#[procession::main]
#[expect(clippy::print_stdout, reason = "the test reads it")]
fn main() -> procession::Result<()> {
    let mut process = Process::new(last, ());
    process.start()?;
    drop(process);
    println!("main ends");
    Ok(())
}
