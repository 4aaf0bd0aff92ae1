//! The fault table, in as many parts at a time as keep the processors busy: most of a case is waiting.
//! The table itself is the program `faults`, which can be run by hand, for one case as well.

use procession_testing::Watchdog;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Programs that each run a part of the table.
const PARTS: usize = 4;

/// What the program said. Some of its workers talk nonsense, none of which is text.
fn text_of(output: &[u8]) -> String {
    output.iter().filter(|byte| byte.is_ascii()).map(|byte| char::from(*byte)).collect()
}

#[test]
fn whatever_breaks_comes_out_as_declared() {
    let _watchdog = Watchdog::start("the fault table", Duration::from_secs(600));
    let parts: Vec<_> = (1..=PARTS)
        .map(|part| {
            let part = format!("{part}/{PARTS}");
            let mut command = Command::new(env!("CARGO_BIN_EXE_faults"));
            command.args(["--part", &part]).stdout(Stdio::piped()).stderr(Stdio::piped());
            std::thread::spawn(move || (part, command.output().expect("the program runs")))
        })
        .collect();
    let mut failed = Vec::new();
    for part in parts {
        let (part, output) = part.join().expect("it only waits");
        println!("part {part}: {}", text_of(&output.stdout));
        if !output.status.success() {
            let errors = text_of(&output.stderr);
            failed.push(format!("part {part} ended with {}: {errors}", output.status));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
