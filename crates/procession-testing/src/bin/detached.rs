//! Drops a running process; `main` ends when it has ended. With `--daemon` the process never ends, and is not
//! waited for.

use procession::Process;
use std::time::Duration;

#[expect(clippy::print_stdout, reason = "the test reads it")]
fn last() {
    std::thread::sleep(Duration::from_millis(200));
    println!("child ends");
}

fn never() {
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

#[procession::main]
#[expect(clippy::print_stdout, reason = "the test reads it")]
fn main() -> procession::Result<()> {
    if std::env::args().any(|argument| argument == "--daemon") {
        Process::new(never, ()).daemon(true).start()?;
    } else {
        Process::new(last, ()).start()?;
    }
    println!("main ends");
    Ok(())
}
