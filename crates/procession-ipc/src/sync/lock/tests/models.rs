//! The lock under loom: who dies where.

use crate::primitive::Ordering;
use crate::roster::Roster;
use crate::segment::{Segment, explore};
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
    Arc::new(Segment::model(&[LOCK_AT, 8, 12, 16, 20, 24, 28], &[], 0, 0))
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
