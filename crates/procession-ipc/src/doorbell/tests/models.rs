//! Loom models of the doorbell: a wake-up that is lost is a deadlock, which loom reports.
//!
//! They fail without either fence; the first also when a waker remembers a sleep as woken although
//! its word was still what the sleeper saw.

use crate::doorbell::{Bell, BellRequest, SleepFlag, SupervisorBell, settle};
use crate::primitive::Ordering;
use crate::segment::{Segment, explore, explore_ends};
use std::sync::Arc;

const WORD: usize = 0;
const URGENT: usize = 4;
const FLAG: usize = 8;
const REQUEST: usize = 16;

fn segment() -> Arc<Segment> {
    Arc::new(Segment::model(&[WORD, URGENT], &[FLAG, REQUEST], 32, 0))
}

#[test]
fn a_sleeper_sees_the_last_word() {
    explore(|| {
        let (sleeping, waking) = (segment(), segment());
        let (own, peer) = (waking.clone(), sleeping.clone());
        let waker = loom::thread::spawn(move || {
            let mut bell = Bell::new(WORD, FLAG);
            // Once in vain, as after a batch that had nothing for this lane.
            settle();
            bell.wake_if_asleep(&own, &peer);
            for value in 1..=2 {
                own.word32(WORD).store(value, Ordering::Release);
                settle();
                bell.wake_if_asleep(&own, &peer);
            }
        });
        let flag = SleepFlag::new(FLAG);
        loop {
            let seen = waking.word32(WORD).load(Ordering::Acquire);
            if seen == 2 {
                break;
            }
            flag.sleep(&sleeping, &waking, WORD, seen, None);
        }
        assert!(!flag.is_raised(&sleeping));
        waker.join().unwrap();
    });
}

#[test]
fn a_supervisor_that_asks_and_looks_once_more_misses_nothing() {
    explore(|| {
        let (parent, worker) = (segment(), segment());
        let (own, peer) = (worker.clone(), parent.clone());
        let working = loom::thread::spawn(move || {
            let mut bell = SupervisorBell::new(URGENT, FLAG, REQUEST);
            own.word32(WORD).store(1, Ordering::Release);
            settle();
            bell.call_if_due(&own, &peer, 1);
        });
        let flag = SleepFlag::new(FLAG);
        BellRequest::At(1).publish(&parent, REQUEST);
        loop {
            let urgent = worker.word32(URGENT).load(Ordering::Acquire);
            if worker.word32(WORD).load(Ordering::Acquire) == 1 {
                break;
            }
            flag.sleep(&parent, &worker, URGENT, urgent, None);
        }
        working.join().unwrap();
    });
}

/// A sleeper that never asked is not called, one that asked for everything always is.
#[test]
fn an_unasked_worker_leaves_the_supervisor_alone() {
    explore(|| {
        let (parent, worker) = (segment(), segment());
        let mut bell = SupervisorBell::new(URGENT, FLAG, REQUEST);
        bell.call_if_due(&worker, &parent, 1);
        assert_eq!(worker.word32(URGENT).load(Ordering::Relaxed), 0);
        BellRequest::Always.publish(&parent, REQUEST);
        bell.call_if_due(&worker, &parent, 1);
        bell.call_if_due(&worker, &parent, 1);
        assert_eq!(worker.word32(URGENT).load(Ordering::Relaxed), 2);
    });
}

/// Row: "sleeper, S1 to S5".
///
/// Fails when a waker remembers nothing of the sleeps that it has woken.
#[test]
fn a_waker_goes_on_whenever_the_sleeper_vanishes_and_wakes_each_sleep_once() {
    explore_ends(|fate| {
        let (sleeping, waking) = (segment(), segment());
        let (own, peer, fate) = (sleeping.clone(), waking.clone(), fate.clone());
        let sleeper = loom::thread::spawn(move || {
            let flag = SleepFlag::new(FLAG);
            // It would sleep until the exit watch tells the other side; it does not come to that here.
            let part = || {
                flag.raise(&own, 0);
                if peer.word32(WORD).load(Ordering::Acquire) != 0 {
                    flag.lower(&own);
                }
            };
            let _ = fate.live(part, || ());
        });
        let mut bell = Bell::new(WORD, FLAG);
        for value in 1..=3 {
            waking.word32(WORD).store(value, Ordering::Release);
            settle();
            bell.wake_if_asleep(&waking, &sleeping);
        }
        sleeper.join().unwrap();
        assert!(waking.wakes() <= 1, "one sleep is woken once");
    });
}

/// Row: "waker, W1 to W3".
#[test]
fn a_sleeper_sees_what_was_stored_or_the_end_whenever_the_waker_vanishes() {
    explore_ends(|fate| {
        let (sleeping, waking) = (segment(), segment());
        let (own, peer, fate) = (waking.clone(), sleeping.clone(), fate.clone());
        let waker = loom::thread::spawn(move || {
            let part = || {
                let mut bell = Bell::new(WORD, FLAG);
                for value in 1..=2 {
                    own.word32(WORD).store(value, Ordering::Release);
                    settle();
                    bell.wake_if_asleep(&own, &peer);
                }
            };
            // The exit watch changes a word that the sleeper sleeps on, too; here it is the other one.
            let end = || {
                own.word32(URGENT).swap(1, Ordering::SeqCst);
                own.wake(WORD);
            };
            let _ = fate.live(part, end);
        });
        let flag = SleepFlag::new(FLAG);
        loop {
            let seen = waking.word32(WORD).load(Ordering::Acquire);
            if seen == 2 || waking.word32(URGENT).load(Ordering::Acquire) == 1 {
                break;
            }
            flag.raise(&sleeping, seen);
            let words = [(WORD, seen), (URGENT, 0)];
            if waking.word32(WORD).load(Ordering::Acquire) == seen {
                waking.wait_any(&words, None);
            }
            flag.lower(&sleeping);
        }
        waker.join().unwrap();
        let last = waking.word32(WORD).load(Ordering::Acquire);
        assert!(last == 2 || waking.word32(URGENT).load(Ordering::Acquire) == 1);
    });
}
