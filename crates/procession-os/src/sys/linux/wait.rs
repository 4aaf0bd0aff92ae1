//! Wait words as futexes.
//!
//! None of the calls here sets the private flag, neither on words in shared mappings, where it would
//! part the processes, nor on words in private memory, where it would only save time: a sleeper and
//! a waker find each other only if both set it or neither does.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::futex::{self, ClockId, Flags, Timespec, Wait, WaitFlags, WaitvFlags};
use rustix::time::clock_gettime;

/// `FUTEX_WAITV_MAX` of the kernel.
pub(crate) const WORDS_MAX: usize = 128;

/// How long [`wait_any_in_slices`] sleeps between two looks at all words.
const SLICE: Duration = Duration::from_millis(1);

pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> bool {
    // A timeout that has no representation is longer than any machine runs.
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    // Whatever else than a timeout ended the wait, a changed word, a signal, a wake-up, the caller
    // has to look again.
    futex::wait(word, Flags::empty(), expected, timeout.as_ref()) != Err(Errno::TIMEDOUT)
}

pub(crate) fn wait_any(words: &[(&AtomicU32, u32)], timeout: Option<Duration>) -> bool {
    if let [(word, expected)] = words {
        return wait(word, *expected, timeout);
    }
    let mut waiters = [const { Wait::new() }; WORDS_MAX];
    let waiters = &mut waiters[..words.len()];
    for (waiter, (word, expected)) in waiters.iter_mut().zip(words) {
        waiter.val = u64::from(*expected);
        waiter.uaddr = word.as_ptr().cast::<core::ffi::c_void>().into();
        waiter.flags = WaitFlags::SIZE_U32;
    }
    let deadline = timeout.and_then(deadline_after);
    match futex::waitv(waiters, WaitvFlags::empty(), deadline.as_ref(), ClockId::Monotonic) {
        Err(Errno::TIMEDOUT) => false,
        // Kernels before 5.16 do not have the call, and sandboxes may deny it.
        Err(Errno::NOSYS | Errno::PERM) => wait_any_in_slices(words, timeout),
        _ => true,
    }
}

/// Stands in for the wait on many words: sleeps on the first, and looks at all of them every so
/// often.
fn wait_any_in_slices(words: &[(&AtomicU32, u32)], timeout: Option<Duration>) -> bool {
    let Some((first, expected)) = words.first() else {
        return true;
    };
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let is_unchanged =
        |(word, expected): &(&AtomicU32, u32)| word.load(Ordering::Relaxed) == *expected;
    while words.iter().all(is_unchanged) {
        let slice = match deadline {
            None => SLICE,
            Some(deadline) => match deadline.saturating_duration_since(Instant::now()) {
                Duration::ZERO => return false,
                left => SLICE.min(left),
            },
        };
        if wait(first, *expected, Some(slice)) {
            return true;
        }
    }
    true
}

pub(crate) fn wake_one(word: &AtomicU32) {
    wake(word, 1);
}

pub(crate) fn wake_all(word: &AtomicU32) {
    wake(word, i32::MAX.cast_unsigned());
}

fn wake(word: &AtomicU32, count: u32) {
    let woken = futex::wake(word, Flags::empty(), count);
    debug_assert!(woken.is_ok(), "an aligned word in mapped memory can be woken");
}

/// The point in time after `timeout`; `None` if there is no such point, and so no end to the wait.
fn deadline_after(timeout: Duration) -> Option<Timespec> {
    let timeout = Timespec::try_from(timeout).ok()?;
    clock_gettime(ClockId::Monotonic).checked_add(timeout)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const BRIEF: Duration = Duration::from_millis(5);

    #[test]
    fn slices_return_at_once_when_any_word_has_changed() {
        let (one, other) = (AtomicU32::new(0), AtomicU32::new(1));
        assert!(wait_any_in_slices(&[(&one, 0), (&other, 0)], None));
    }

    #[test]
    fn slices_notice_a_change_of_any_word_while_they_sleep() {
        let (one, other) = (AtomicU32::new(0), AtomicU32::new(0));
        for changed in [&one, &other] {
            thread::scope(|scope| {
                let sleeper = scope.spawn(|| wait_any_in_slices(&[(&one, 0), (&other, 0)], None));
                changed.store(1, Ordering::Release);
                wake_one(changed);
                assert!(sleeper.join().expect("no panic"));
            });
            changed.store(0, Ordering::Release);
        }
    }

    #[test]
    fn slices_report_a_timeout_but_not_early() {
        let (one, other) = (AtomicU32::new(0), AtomicU32::new(0));
        let start = Instant::now();
        while wait_any_in_slices(&[(&one, 0), (&other, 0)], Some(BRIEF)) {}
        assert!(start.elapsed() >= BRIEF);
    }

    #[test]
    fn a_deadline_beyond_all_time_is_none() {
        assert!(deadline_after(BRIEF).is_some());
        assert!(deadline_after(Duration::MAX).is_none());
        assert!(deadline_after(Duration::from_secs(i64::MAX as u64)).is_none());
    }
}
