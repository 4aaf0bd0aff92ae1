//! One child process runs a function of this program.
#![expect(clippy::print_stdout, reason = "an example prints")]

use procession::Process;

fn hello(name: String) {
    println!("Run child process {name} ({})...", std::process::id());
}

#[procession::main]
fn main() -> procession::Result<()> {
    println!("Parent process {}.", std::process::id());
    let mut p = Process::new(hello, ("world".to_string(),));
    println!("Child process will start.");
    p.start()?;
    p.join()?;
    println!("Child process end.");
    assert_eq!(p.exit_code(), Some(0));
    Ok(())
}
