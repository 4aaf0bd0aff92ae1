//! The lock under loom: who dies where.

use crate::primitive::Ordering;
use crate::roster::Roster;
use crate::segment::{Segment, explore, explore_ends};
use crate::sync::{Acquired, Lock};
use loom::cell::UnsafeCell;
use std::sync::Arc;

const LOCK_AT: usize = 100_000;

/// What the lock protects.
struct Protected(UnsafeCell<u32>);

// SAFETY: loom's cell finds accesses that are not ordered; that is what it is here for.
#[allow(unsafe_code)]
unsafe impl Sync for Protected {}
#[allow(unsafe_code)]
// SAFETY: as above.
unsafe impl Send for Protected {}

impl Protected {
    fn new() -> Arc<Self> {
        Arc::new(Self(UnsafeCell::new(0)))
    }

    #[allow(unsafe_code)]
    fn step(&self) -> u32 {
        self.0.with_mut(|value| {
            // SAFETY: loom checks this very access.
            unsafe {
                *value += 1;
                *value
            }
        })
    }
}

fn segment() -> Arc<Segment> {
    Arc::new(Segment::model(&[LOCK_AT, LOCK_AT + 100, 8, 12, 16, 20, 24, 28], &[], 0, 0))
}

fn lock(segment: &Arc<Segment>, seat: usize) -> Lock {
    Lock::new(Arc::new(Roster::model(segment.clone(), seat)), LOCK_AT)
}

/// Fails when the release is relaxed, or when it wakes nobody.
#[test]
fn two_processes_take_turns() {
    explore(|| {
        let (segment, protected) = (segment(), Protected::new());
        let (first, second) = (lock(&segment, 1), lock(&segment, 2));
        let also = protected.clone();
        let other = loom::thread::spawn(move || {
            assert_eq!(second.acquire(None).unwrap(), Some(Acquired::Clean));
            also.step();
            second.release();
        });
        assert_eq!(first.acquire(None).unwrap(), Some(Acquired::Clean));
        protected.step();
        first.release();
        other.join().unwrap();
        assert_eq!(protected.step(), 3);
    });
}

/// The holder dies after each store that it makes: fails when a sleeper minds the word alone.
#[test]
fn whoever_waits_gets_the_lock_of_one_that_dies_at_any_step() {
    for step in 0..3 {
        explore(move || {
            let segment = segment();
            let (first, second) = (lock(&segment, 1), lock(&segment, 2));
            let dying = segment.clone();
            let dies = loom::thread::spawn(move || {
                if step > 0 {
                    let _ = first.acquire(None).unwrap();
                }
                if step > 1 {
                    // A release that does not come to wake anybody.
                    dying.word32(LOCK_AT).swap(0, Ordering::Release);
                }
                dying.end_holder(8, LOCK_AT);
            });
            let how = second.acquire(None).unwrap().expect("there is no timeout");
            assert!(how == Acquired::Clean || step == 1, "{how:?} after step {step}");
            second.release();
            dies.join().unwrap();
            assert_eq!(
                second.acquire(None).unwrap().unwrap() == Acquired::Clean,
                step != 1 || how == Acquired::Inherited
            );
        });
    }
}

/// Rows: "it swapped its token in", "it set the last bit", "it swapped 0 in, and woke nobody".
#[test]
fn two_get_the_lock_whenever_a_third_vanishes() {
    explore_ends(|fate| {
        let segment = segment();
        let [mortal, other, last] = [1, 2, 3].map(|seat| lock(&segment, seat));
        let (fate, ending) = (fate.clone(), segment.clone());
        let _ = last.acquire(None).unwrap();
        let dying = loom::thread::spawn(move || {
            let part = || {
                let _ = mortal.acquire(None).unwrap();
                mortal.release();
            };
            let end = || {
                ending.end_holder(8, LOCK_AT);
                ending.tick(LOCK_AT);
            };
            let _ = fate.live(part, end);
        });
        let taking = loom::thread::spawn(move || {
            assert!(other.acquire(None).unwrap().is_some());
            other.release();
        });
        last.release();
        dying.join().unwrap();
        taking.join().unwrap();
        assert!(last.acquire(None).unwrap().is_some());
    });
}

/// Row: "it was woken, before it got the lock".
///
/// Fails when a sleeper does not look again by itself.
#[test]
fn a_wake_up_that_went_to_one_that_vanishes_holds_up_nobody() {
    explore(|| {
        let segment = segment();
        let [other, last] = [2, 3].map(|seat| lock(&segment, seat));
        let _ = last.acquire(None).unwrap();
        let ending = segment.clone();
        let dying = loom::thread::spawn(move || {
            let word = ending.word32(LOCK_AT);
            let seen = word.load(Ordering::Relaxed);
            let with = seen | 1 << 31;
            if seen != 0
                && word.compare_exchange(seen, with, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            {
                ending.wait(LOCK_AT, with, None);
            }
            // It does not come to look.
            ending.end_holder(8, LOCK_AT + 100);
            ending.tick(LOCK_AT);
        });
        let taking = loom::thread::spawn(move || {
            assert!(other.acquire(None).unwrap().is_some());
            other.release();
        });
        last.release();
        dying.join().unwrap();
        taking.join().unwrap();
    });
}
