//! Where the engine's threads stop to wait, and what time it is: one door for both, so that a test can
//! have a pool's threads take turns, and its time pass, as it likes.

use procession_ipc::primitive::AtomicU32;
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Longest sleep of a pool with more lanes than the system can wait for at once.
const CROWDED_NAP: Duration = Duration::from_millis(1);

/// What time it is.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Longest time until a [later](later) one: as good as never, and the clock can tell it.
const LATEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// So much later than a time, or, for a duration that no clock can tell, a hundred years.
pub(crate) fn later(time: Instant, duration: Duration) -> Instant {
    time + duration.min(LATEST)
}

/// The time that is left until a deadline, if there is one.
pub(crate) fn time_left(deadline: Option<Instant>) -> Option<Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(now()))
}

/// Parks the current thread until it is [unparked](unpark) or the time has passed.
pub(crate) fn park(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => std::thread::park_timeout(timeout),
        None => std::thread::park(),
    }
}

/// Has a thread that [parks](park), or will, go on.
pub(crate) fn unpark(thread: &Thread) {
    thread.unpark();
}

/// Sleeps until one of the words is not as expected any more, or the time has passed; or for no
/// reason. Whatever ended it, the caller looks again.
pub(crate) fn wait_any<'a>(
    own: &'a AtomicU32,
    seen: u32,
    others: impl Iterator<Item = (&'a AtomicU32, u32)>,
    timeout: Option<Duration>,
) {
    let mut words: Vec<_> = std::iter::once((own, seen)).chain(others).collect();
    let mut timeout = timeout;
    if words.len() > procession_os::wait::WORDS_MAX {
        words.truncate(procession_os::wait::WORDS_MAX);
        timeout = Some(timeout.unwrap_or(CROWDED_NAP).min(CROWDED_NAP));
    }
    // Interrupted or out of memory: the caller looks again all the same.
    let _ = procession_os::wait::wait_any(&words, timeout);
}
