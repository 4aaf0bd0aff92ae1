//! The scripts that are kept, and others like them.

use super::{Seen, mutations, play, scripts, watch};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a fuzzer finds them, too.
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/lane");
/// Others that are played unless `PROCESSION_CASES` says otherwise.
const CASES: u64 = 3000;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn a_lane_stands_what_is_kept_and_that_leads_everywhere() {
    let mut seen = Seen::new();
    for (name, script) in scripts(Path::new(CORPUS)) {
        // Shown when the test fails.
        eprintln!("{name}");
        seen.extend(watch(&script));
    }
    let all = [
        "corrupt ring: a frame is longer than what was published",
        "corrupt ring: a skip frame that does not end a lap",
        "corrupt ring: an earlier frame made no sense",
        "corrupt ring: the tail is further than the ring is long",
        "frame",
        "full",
        "not taken back",
        "part",
        "skip",
        "taken back",
    ];
    assert!(seen.iter().eq(all.iter()), "it leads to {seen:#?}");
}

#[test]
fn a_lane_stands_what_chance_makes_of_what_is_kept() {
    let seed = number("PROCESSION_SEED").unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_nanos() as u64
    });
    // Shown when the test fails.
    eprintln!("PROCESSION_SEED={seed}");
    let scripts: Vec<_> =
        scripts(Path::new(CORPUS)).into_iter().map(|(_, script)| script).collect();
    let cases = number("PROCESSION_CASES").unwrap_or(CASES);
    for (script, case) in mutations(&scripts, seed).zip(0..cases) {
        eprintln!("case {case}");
        play(&script);
    }
}
