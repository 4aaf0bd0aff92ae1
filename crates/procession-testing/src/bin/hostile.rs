//! Runs rounds with workers that go mad: `hostile [--rounds N] [--seed S]`. Ends with a tally, or in a
//! panic that names the seed and the round.

#![expect(clippy::print_stdout, reason = "it is a command")]

use procession_testing::{Harness, hostile::Arena};
use std::time::{Duration, Instant};

/// The number behind an option.
fn option(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    Some(arguments.next()?.parse().expect("the option is a number"))
}

/// Bytes of memory that this process has of its own.
fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[procession::main]
fn main() {
    let rounds = option("--rounds").unwrap_or(1_000);
    let seed = option("--seed").unwrap_or(1);
    println!("seed {seed}, {rounds} rounds");
    let _harness = Harness::start("hostile rounds", Duration::from_secs(60 + rounds));
    let start = Instant::now();
    let arena = Arena::open();
    let mut memory = 0;
    arena.run(seed, rounds, |round| {
        if round == rounds / 10 {
            memory = memory_kib();
        }
        if round % 500 == 0 {
            println!("round {round} after {:.1?}", start.elapsed());
        }
    });
    println!("memory after a tenth {memory} KiB, at the end {} KiB", memory_kib());
    println!("{:#?}", arena.close());
    println!("{:.1?}, as it must be", start.elapsed());
}
