//! Scripts by chance.

use super::play;

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
