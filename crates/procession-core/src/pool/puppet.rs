//! A pool whose workers are puppets, and a script that has them, and the pool, do one thing after another.
//!
//! What a worker may write or say to harm its pool is found sooner here than with processes: a script is a
//! row of bytes, so chance or a fuzzer can write it, and one thread does everything, in the script's order.
//! The first worker does anything at all; the second is honest. At the end of every script:
//!
//! - each task and each item of a map has had one outcome,
//! - what the honest worker answered is what it answered, unless it was cancelled or had its time,
//! - nothing is left in flight.
//!
//! Where the pool asks what time it is, it is the real one: scripts have limits that are over at once, or
//! never.

#[cfg(test)]
mod model;
mod script;
mod stage;
#[cfg(test)]
mod tests;
mod worker;

use stage::Stage;
use std::collections::BTreeSet;

/// Plays a script, whatever its bytes.
///
/// # Panics
/// When the pool does not stand it.
pub fn play(script: &[u8]) {
    let _ = watch(script);
}

/// Plays a script, and tells what its puppets were accused of.
///
/// # Panics
/// As [`play`].
pub fn watch(script: &[u8]) -> BTreeSet<String> {
    let mut stage = Stage::set();
    script::perform(script, &mut stage);
    stage.close()
}
