//! Scripts that are kept, and what chance makes of them.

use std::path::Path;

/// The scripts in a folder, with their names, in the order of these.
///
/// # Panics
/// When there is none, or one cannot be read.
pub fn scripts(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut scripts: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}")))
        })
        .collect();
    assert!(!scripts.is_empty(), "{folder:?} has no scripts");
    scripts.sort_unstable();
    scripts
}

/// Scripts made of others, as many as one likes: the same for the same seed.
pub fn mutations(scripts: &[Vec<u8>], seed: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut state = seed;
    // splitmix64
    let mut below = move |end: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end.max(1) as u64) as usize
    };
    std::iter::repeat_with(move || {
        let mut script = scripts[below(scripts.len())].clone();
        for _ in 0..1 + below(6) {
            let at = below(script.len() + 1);
            match below(6) {
                0 => script.insert(at, below(256) as u8),
                1 if at < script.len() => drop(script.remove(at)),
                2 if at < script.len() => script[at] = below(256) as u8,
                3 if at < script.len() => script[at] ^= 1 << below(8),
                4 => {
                    let other = &scripts[below(scripts.len())];
                    script.truncate(at);
                    script.extend_from_slice(&other[below(other.len())..]);
                }
                _ => script.extend((0..below(24)).map(|_| below(256) as u8)),
            }
        }
        script
    })
}
