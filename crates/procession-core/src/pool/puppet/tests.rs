//! Scripts by chance.

use super::{play, watch};
use procession_ipc::fuzz::{mutations, scripts};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Scripts that are kept, where a fuzzer finds them, too.
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/pool");
/// Others like them that are played unless `PROCESSION_CASES` says otherwise.
const CASES: u64 = 1000;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Seeded random bytes (splitmix64).
fn script(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed;
    let mut word = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    };
    (0..count.div_ceil(8)).flat_map(|_| word()).take(count).collect()
}

#[test]
fn a_pool_stands_whatever_a_worker_does() {
    let only = std::env::var("PROCESSION_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    for seed in only.map_or(0..2_000, |seed| seed..seed + 1) {
        // Shown when the test fails.
        eprintln!("PROCESSION_SEED={seed}");
        play(&script(seed, 50 + seed as usize % 400));
    }
}

#[test]
fn a_pool_stands_what_is_kept_and_that_meets_every_refusal() {
    let mut accused = BTreeSet::new();
    for (name, script) in scripts(Path::new(CORPUS)) {
        // Shown when the test fails.
        eprintln!("{name}");
        accused.extend(watch(&script));
    }
    let all = [
        "a broken bulk reference",
        "a bulk segment that was never sent",
        "a chunk that ends too early or too late",
        "a failed initializer of a worker that was ready",
        "a frame of no known kind",
        "a large result of more than one item",
        "a part of a request that is no chunk",
        "a part of no request",
        "a part with more bytes than items",
        "a part with more items than its chunk",
        "a part with too few items",
        "a second hello",
        "an outcome of a request that has none to come",
        "an outcome of no known status",
        "an outcome of no request",
        "corrupt ring: a frame is longer than what was published",
        "corrupt ring: a skip frame that does not end a lap",
        "corrupt ring: the tail is further than the ring is long",
        "ready without having been started",
    ];
    let missing: Vec<_> = all.iter().filter(|what| !accused.contains(**what)).collect();
    assert!(missing.is_empty(), "none is accused of {missing:#?}");
}

#[test]
fn a_pool_stands_what_chance_makes_of_what_is_kept() {
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
