//! Wait words: sleeping until another thread, of this process or another, says that a word changed.
//!
//! The words are plain atomics in shared mappings or in private memory. A sleeper names the value
//! it has seen; if the word holds another one by then, it does not fall asleep. So no wake-up is
//! lost as long as the waker changes the word first and wakes second.
//!
//! Every wait may return early for no reason: callers look at the word again and decide. A wake-up
//! orders no memory; the loads and stores of the words do.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::sys::wait as sys;

/// The most words that [`wait_any`] takes.
pub const WORDS_MAX: usize = sys::WORDS_MAX;

/// Sleeps while `word` holds `expected`, until a wake-up or for `timeout`.
///
/// Returns false if the time ran out, and true otherwise, which does not mean that the word has
/// changed. A mapping that can only be read is good enough for the word. Without a timeout, only
/// [`wake_one`] or [`wake_all`] on the same word ends the wait for certain.
#[inline]
#[must_use = "a wait that timed out calls for another action than one that was woken"]
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> bool {
    sys::wait(word, expected, timeout)
}

/// Sleeps while each word holds the value beside it, until one of them is woken or for `timeout`.
///
/// Returns as [`wait`] does. Words in shared mappings and in private memory may be mixed.
///
/// # Panics
///
/// Panics when there is no word, or more than [`WORDS_MAX`].
#[inline]
#[must_use = "a wait that timed out calls for another action than one that was woken"]
pub fn wait_any(words: &[(&AtomicU32, u32)], timeout: Option<Duration>) -> bool {
    assert!(
        !words.is_empty() && words.len() <= WORDS_MAX,
        "a wait is on 1 to {WORDS_MAX} words, not on {}",
        words.len()
    );
    sys::wait_any(words, timeout)
}

/// Wakes one sleeper of `word`, if there is any.
#[inline]
pub fn wake_one(word: &AtomicU32) {
    sys::wake_one(word);
}

/// Wakes all sleepers of `word`.
#[inline]
pub fn wake_all(word: &AtomicU32) {
    sys::wake_all(word);
}
