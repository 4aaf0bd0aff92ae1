//! Where the engine's threads stop to wait, and what time it is: one door for both, so that a test can
//! have a pool's threads take turns, and its time pass, as it likes.

#[cfg(test)]
pub(crate) mod turns;

use parking_lot::{Condvar, MutexGuard};
use procession_ipc::primitive::AtomicU32;
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Longest sleep of a pool with more lanes than the system can wait for at once.
const CROWDED_NAP: Duration = Duration::from_millis(1);

/// What time it is.
pub(crate) fn now() -> Instant {
    #[cfg(test)]
    if let Some(now) = turns::now() {
        return now;
    }
    Instant::now()
}

/// A lock is about to be taken that others may want.
#[inline]
pub(crate) fn before_lock() {
    #[cfg(test)]
    turns::pass();
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
    #[cfg(test)]
    if turns::park(timeout) {
        return;
    }
    match timeout {
        Some(timeout) => std::thread::park_timeout(timeout),
        None => std::thread::park(),
    }
}

/// Has a thread that [parks](park), or will, go on.
pub(crate) fn unpark(thread: &Thread) {
    #[cfg(test)]
    if turns::unpark(thread) {
        return;
    }
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
    #[cfg(test)]
    if turns::wait_any(&words, timeout) {
        return;
    }
    let mut timeout = timeout;
    if words.len() > procession_os::wait::WORDS_MAX {
        words.truncate(procession_os::wait::WORDS_MAX);
        timeout = Some(timeout.unwrap_or(CROWDED_NAP).min(CROWDED_NAP));
    }
    // Interrupted or out of memory: the caller looks again all the same.
    let _ = procession_os::wait::wait_any(&words, timeout);
}

/// What threads wait for that have given a lock up meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Condition {
    condvar: Condvar,
    /// How often it was notified.
    #[cfg(test)]
    notified: AtomicU32,
}

impl Condition {
    /// Notifies all who wait.
    pub(crate) fn notify_all(&self) {
        #[cfg(test)]
        self.notified.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.condvar.notify_all();
    }

    /// Gives the lock up until this is notified or the deadline passes; `true` when it passed.
    pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> bool {
        #[cfg(test)]
        if turns::now().is_some() {
            let seen = self.notified.load(std::sync::atomic::Ordering::SeqCst);
            let words = [(&self.notified, seen)];
            MutexGuard::unlocked(guard, || turns::wait_any(&words, time_left(Some(deadline))));
            return deadline <= now();
        }
        self.condvar.wait_until(guard, deadline).timed_out()
    }
}
