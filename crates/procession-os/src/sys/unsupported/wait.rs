//! Wait words without the system's help: sleepers look at their words again and again. It is
//! correct everywhere, also between processes, and slow.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const WORDS_MAX: usize = 128;

/// The time between two looks.
const NAP: Duration = Duration::from_micros(100);

pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> bool {
    wait_any(&[(word, expected)], timeout)
}

pub(crate) fn wait_any(words: &[(&AtomicU32, u32)], timeout: Option<Duration>) -> bool {
    // A point in time that has no representation is never reached.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let is_unchanged =
        |(word, expected): &(&AtomicU32, u32)| word.load(Ordering::Relaxed) == *expected;
    while words.iter().all(is_unchanged) {
        let nap = match deadline {
            None => NAP,
            Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                None | Some(Duration::ZERO) => return false,
                Some(left) => NAP.min(left),
            },
        };
        thread::sleep(nap);
    }
    true
}

/// Sleepers wake by themselves.
pub(crate) fn wake_one(_word: &AtomicU32) {}

/// Sleepers wake by themselves.
pub(crate) fn wake_all(_word: &AtomicU32) {}
