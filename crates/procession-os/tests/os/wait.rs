//! Wait words: who wakes whom, and when nobody does.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use procession_os::memory::{Access, Mapping, Memory};
use procession_os::process::Exit;
use procession_os::wait::{WORDS_MAX, wait, wait_any, wake_all, wake_one};

use crate::support::{PATIENCE, Watchdog, end_of, receive, start};

const BRIEF: Duration = Duration::from_millis(20);

fn word(mapping: &Mapping, index: usize) -> &AtomicU32 {
    assert!((index + 1) * 4 <= mapping.len());
    let address = mapping.as_ptr().cast::<u32>().wrapping_add(index);
    // SAFETY: the word is within the mapping, which is aligned to a page and lives as long as the
    // reference; everyone accesses it atomically, and stores only where the mapping allows it.
    unsafe { AtomicU32::from_ptr(address) }
}

/// Runs `sleeper` in a thread, and `waker` again and again until it is done: so a wake-up that
/// comes before the sleep does no harm, and the word need not change.
fn until_done(sleeper: impl FnOnce() -> bool + Send, waker: impl Fn()) -> bool {
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            let result = sleeper();
            is_done.store(true, Ordering::Release);
            result
        });
        while !is_done.load(Ordering::Acquire) {
            waker();
            thread::yield_now();
        }
        sleeper.join().expect("the sleeper does not panic")
    })
}

#[test]
fn a_word_that_has_changed_is_not_slept_on() {
    let word = AtomicU32::new(1);
    assert!(wait(&word, 0, None));
    assert!(wait_any(&[(&word, 1), (&word, 0)], None));
}

#[test]
fn a_wait_that_nobody_ends_times_out_but_not_early() {
    let (memory, _ours) = Memory::create_owned("test", 12).expect("memory");
    let shared = memory.map(Access::Read).expect("a mapping");
    let private = AtomicU32::new(0);
    let times_out = |what: &str, wait: &dyn Fn() -> bool| {
        let start = Instant::now();
        while wait() {
            assert!(start.elapsed() < PATIENCE, "{what} does not time out");
        }
        assert!(start.elapsed() >= BRIEF, "{what} times out early");
    };
    times_out("a private word", &|| wait(&private, 0, Some(BRIEF)));
    times_out("a shared word", &|| wait(word(&shared, 0), 0, Some(BRIEF)));
    times_out("a set of words", &|| wait_any(&[(&private, 0), (word(&shared, 0), 0)], Some(BRIEF)));
}

#[test]
fn timeouts_of_zero_and_for_ever_are_what_they_say() {
    let (one, other) = (AtomicU32::new(0), AtomicU32::new(0));
    let both = [(&one, 0), (&other, 0)];
    assert!(!wait(&one, 0, Some(Duration::ZERO)));
    assert!(!wait_any(&both, Some(Duration::ZERO)));
    let change = || {
        one.store(1, Ordering::Release);
        wake_one(&one);
    };
    assert!(until_done(|| wait(&one, 0, Some(Duration::MAX)), change));
    one.store(0, Ordering::Release);
    assert!(until_done(|| wait_any(&both, Some(Duration::MAX)), change));
}

#[test]
fn a_sleeper_learns_of_a_change_through_another_mapping() {
    let _watchdog = Watchdog::start();
    let (memory, ours) = Memory::create_owned("test", 12).expect("memory");
    let theirs = memory.map(Access::Read).expect("a mapping");
    let sleeper = || {
        while word(&theirs, 1).load(Ordering::Acquire) == 0 {
            assert!(wait(word(&theirs, 1), 0, None), "there is no timeout");
        }
        true
    };
    let waker = || {
        word(&ours, 1).store(1, Ordering::Release);
        wake_one(word(&ours, 1));
    };
    assert!(until_done(sleeper, waker));
}

#[test]
fn a_sleeper_in_another_process_is_woken() {
    let _watchdog = Watchdog::start();
    let (memory, mapping) = Memory::create_owned("test", 12).expect("memory");
    let (child, control) = start("sleep on a word");
    control.send(b"memory", &[memory.handle()]).expect("the child listens");
    assert_eq!(receive(&control).0, b"ready");
    word(&mapping, 0).store(7, Ordering::Release);
    wake_all(word(&mapping, 0));
    assert_eq!(end_of(&child), Exit::Code(7));
}

#[test]
fn all_sleepers_learn_of_a_change() {
    let _watchdog = Watchdog::start();
    let word = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while word.load(Ordering::Acquire) == 0 {
                    assert!(wait(&word, 0, None), "there is no timeout");
                }
            });
        }
        word.store(1, Ordering::Release);
        wake_all(&word);
    });
}

#[test]
fn a_wait_takes_as_many_words_as_it_says() {
    let words: Vec<AtomicU32> = (0..WORDS_MAX).map(|_| AtomicU32::new(0)).collect();
    let all: Vec<(&AtomicU32, u32)> = words.iter().map(|word| (word, 0)).collect();
    while wait_any(&all, Some(BRIEF)) {}
    words[WORDS_MAX - 1].store(1, Ordering::Release);
    assert!(wait_any(&all, None));
}

#[test]
#[should_panic(expected = "not on 0")]
fn a_wait_on_nothing_is_an_error() {
    let _timed_out: bool = wait_any(&[], None);
}

#[test]
#[should_panic(expected = "not on 129")]
fn a_wait_on_too_many_words_is_an_error() {
    let word = AtomicU32::new(0);
    let _timed_out: bool = wait_any(&[(&word, 0); WORDS_MAX + 1], None);
}

/// These wake without changing a word, so that nothing but the wake-up can end the wait. Polling
/// cannot do that.
#[cfg(not(procession_force_portable_wait))]
mod wake_alone {
    use super::*;

    fn words(mapping: &Mapping) -> [&AtomicU32; 3] {
        [0, 1, 2].map(|index| word(mapping, index))
    }

    #[test]
    fn ends_a_wait_on_a_mapping_for_reading() {
        let (memory, ours) = Memory::create_owned("test", 12).expect("memory");
        let theirs = memory.map(Access::Read).expect("a mapping");
        let sleeper = || wait(word(&theirs, 0), 0, Some(PATIENCE));
        assert!(until_done(sleeper, || wake_one(word(&ours, 0))));
        let sleeper = || wait(word(&theirs, 0), 0, Some(PATIENCE));
        assert!(until_done(sleeper, || wake_all(word(&ours, 0))));
    }

    #[test]
    fn of_a_mapping_for_reading_ends_a_wait() {
        let (memory, ours) = Memory::create_owned("test", 12).expect("memory");
        let theirs = memory.map(Access::Read).expect("a mapping");
        let sleeper = || wait(word(&ours, 0), 0, Some(PATIENCE));
        assert!(until_done(sleeper, || wake_one(word(&theirs, 0))));
    }

    #[test]
    fn ends_a_wait_on_many_words_whichever_it_is() {
        let (memory, ours) = Memory::create_owned("test", 12).expect("memory");
        let theirs = memory.map(Access::Read).expect("a mapping");
        let private = [AtomicU32::new(0), AtomicU32::new(0)];
        let slept_on: Vec<&AtomicU32> = words(&theirs).into_iter().chain(&private).collect();
        let woken: Vec<&AtomicU32> = words(&ours).into_iter().chain(&private).collect();
        for (index, woken) in woken.into_iter().enumerate() {
            let sleeper = || {
                let words: Vec<_> = slept_on.iter().map(|&word| (word, 0)).collect();
                wait_any(&words, Some(PATIENCE))
            };
            assert!(until_done(sleeper, || wake_one(woken)), "word {index}");
        }
    }
}
