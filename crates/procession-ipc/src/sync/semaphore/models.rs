//! Permits under loom, with a process that vanishes after each of its stores.

use super::*;
use crate::roster::Roster;
use crate::segment::{Segment, explore_ends};
use std::sync::OnceLock;

const AT: usize = 100_000;
/// Offset of the marks and generations of three seats.
const SEATS: [usize; 6] = [8, 12, 16, 20, 24, 28];

fn segment() -> Arc<Segment> {
    let words = [0, CHANGES, SLEEPERS, TOTAL, FREE, BOUND, 64, 68, 72, 76];
    let words: Vec<_> = SEATS.into_iter().chain(words.map(|word| AT + word)).collect();
    Arc::new(Segment::model(&words, &[], 0, 0))
}

fn semaphore(segment: &Arc<Segment>, seat: usize) -> Semaphore {
    Semaphore::new(Arc::new(Roster::model(segment.clone(), seat)), AT)
}

/// What the system does when the process in seat 1 ends; from then on ticks are waited for.
fn end(segment: &Segment) {
    for word in [AT, AT + CHANGES] {
        segment.end_holder(8, word);
        segment.tick(word);
    }
}

/// Rows: "it changed `total` or an entry, not `free`", "the holder of permits ends".
#[test]
fn the_one_permit_is_had_again_whenever_who_takes_and_returns_it_vanishes() {
    explore_ends(|fate| {
        let segment = segment();
        let (mortal, other) = (semaphore(&segment, 1), semaphore(&segment, 2));
        other.begin(1, None);
        let (fate, ending) = (fate.clone(), segment.clone());
        let thread = loom::thread::spawn(move || {
            let part = || {
                assert!(mortal.acquire(true, None).unwrap().is_some());
                assert!(mortal.release(true, 1).unwrap());
            };
            let _ = fate.live(part, || end(&ending));
        });
        assert!(other.acquire(true, None).unwrap().is_some());
        assert!(other.release(true, 1).unwrap());
        thread.join().unwrap();
        assert!(other.acquire(true, None).unwrap().is_some());
        assert_eq!(other.value(), 0, "there is but one");
        assert!(other.release(true, 1).unwrap());
        assert_eq!(other.value(), 1);
    });
}

/// Rows: "it changed `free`, and not `changes`, or woke nobody", "it changed `total` or an entry, not `free`".
///
/// Fails when a sleeper does not look again by itself.
#[test]
fn who_waits_gets_a_permit_whenever_who_gives_it_vanishes() {
    explore_ends(|fate| {
        let segment = segment();
        let [mortal, other, last] = [1, 2, 3].map(|seat| semaphore(&segment, seat));
        let (fate, ending) = (fate.clone(), segment.clone());
        let giving = loom::thread::spawn(move || {
            let part = || assert!(mortal.release(false, 1).unwrap());
            let _ = fate.live(part, || end(&ending));
        });
        let has_taken = Arc::new(OnceLock::new());
        let tell = has_taken.clone();
        let taking = loom::thread::spawn(move || {
            assert!(other.acquire(false, None).unwrap().is_some());
            tell.get_or_init(|| ());
        });
        giving.join().unwrap();
        last.enter().unwrap();
        let is_given = last.get(TOTAL) > 0 || has_taken.get().is_some();
        last.lock.release();
        if !is_given {
            assert!(last.release(false, 1).unwrap());
        }
        taking.join().unwrap();
    });
}
