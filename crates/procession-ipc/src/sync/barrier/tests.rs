//! All pass, or all find it broken.

#![cfg(not(loom))]

use super::*;
use crate::primitive::AtomicU32 as Counter;
use crate::primitive::Ordering;
use crate::roster::{ROSTER_BYTES, tests::rosters};

fn barriers(count: usize, parties: u32) -> Vec<Barrier> {
    let all: Vec<_> = rosters(count, BARRIER_BYTES)
        .into_iter()
        .map(|roster| Barrier::new(roster, ROSTER_BYTES))
        .collect();
    all[0].begin(parties);
    all
}

#[test]
fn all_pass_together_again_and_again() {
    let all = barriers(3, 3);
    let runs = Counter::new(0);
    std::thread::scope(|scope| {
        for barrier in &all {
            scope.spawn(|| {
                let mut numbers = [0; 3];
                for round in 1..=500 {
                    let act = || {
                        runs.fetch_add(1, Ordering::Relaxed);
                    };
                    let Passed::As(number) = barrier.wait(None, act).unwrap() else {
                        panic!("it is broken")
                    };
                    numbers[number as usize] += 1;
                    assert!(runs.load(Ordering::Relaxed) >= round, "the action ran before");
                }
                assert_eq!(numbers.iter().sum::<u32>(), 500);
            });
        }
    });
    assert_eq!(runs.into_inner(), 500);
}

#[test]
fn who_waits_too_long_breaks_it_for_all_until_it_is_reset() {
    let all = barriers(2, 3);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| all[1].wait(None, || ()).unwrap());
        while all[0].waiting() == 0 {
            std::thread::yield_now();
        }
        assert_eq!(all[0].wait(Some(Duration::from_millis(1)), || ()).unwrap(), Passed::Broken);
        assert_eq!(other.join().unwrap(), Passed::Broken);
    });
    assert!(all[0].is_broken());
    assert_eq!(all[0].wait(None, || ()).unwrap(), Passed::Broken);
    all[1].reset().unwrap();
    assert!(!all[0].is_broken() && all[0].waiting() == 0);
}

#[test]
fn one_that_dies_while_it_waits_breaks_it() {
    let mut all = barriers(3, 3);
    let dying = all.pop().unwrap();
    // It has come, and is not seen to go.
    let own = dying.roster().token().unwrap();
    dying.enter().unwrap();
    dying.set(COMERS, own.word());
    dying.set(COUNT, 1);
    dying.lock.release();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| all[1].wait(None, || ()).unwrap());
        while all[0].waiting() < 2 {
            std::thread::yield_now();
        }
        drop(dying);
        assert_eq!(other.join().unwrap(), Passed::Broken);
    });
}

#[test]
fn an_action_that_panics_breaks_it() {
    let all = barriers(2, 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| all[1].wait(None, || panic!("no")).ok());
        let own = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            all[0].wait(None, || panic!("no")).ok()
        }));
        let other = other.join();
        let results = [own, other].map(Result::ok);
        assert!(results.contains(&None) && results.contains(&Some(Some(Passed::Broken))));
    });
}
