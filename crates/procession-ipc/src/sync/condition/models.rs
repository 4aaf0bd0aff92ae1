//! A condition under loom: waiting and notifying, with a process that vanishes after each of its stores.

use super::*;
use crate::segment::{Segment, explore_ends};

const LOCK: usize = 100_000;
const AT: usize = 100_100;
/// How many items there are: what is waited for, under the lock.
const ITEMS: usize = 100_004;
const SEATS: [usize; 6] = [8, 12, 16, 20, 24, 28];

fn segment() -> Arc<Segment> {
    let places = [0, 4, 8, 16, 20, 24].map(|word| AT + PLACES + word);
    let words = SEATS.into_iter().chain([LOCK, ITEMS, AT + TICKETS]).chain(places);
    Arc::new(Segment::model(&words.collect::<Vec<_>>(), &[], 0, 0))
}

/// Words that somebody sleeps on.
const SLEPT_ON: [usize; 3] = [LOCK, AT + PLACES + 4, AT + PLACES + PLACE_BYTES + 4];

/// What the system does when the process in seat 1 ends; from then on ticks are waited for.
fn end(segment: &Segment) {
    // Who waits for a notification minds nobody's end.
    segment.end_holder(8, LOCK);
    tick(segment);
}

fn tick(segment: &Segment) {
    SLEPT_ON.iter().for_each(|word| segment.tick(*word));
}

fn condition(segment: &Arc<Segment>, seat: usize) -> Condition {
    let roster = Arc::new(Roster::model(segment.clone(), seat));
    Condition::new(Lock::new(roster.clone(), LOCK), roster, AT)
}

impl Condition {
    fn items(&self) -> &AtomicU32 {
        self.roster().segment().word32(ITEMS)
    }

    /// Waits for an item, and takes it.
    fn take(&self) {
        let _ = self.lock.acquire(None).unwrap();
        while self.items().load(Ordering::Relaxed) == 0 {
            let _ = self.wait(None).unwrap();
        }
        self.items().store(0, Ordering::Relaxed);
        self.lock.release();
    }

    /// Puts an item, unless there is one, and notifies one who waits.
    fn put(&self) {
        let how = self.lock.acquire(None).unwrap().unwrap();
        // Whoever gets the lock from a dead one does again what that one may have left undone.
        if self.items().load(Ordering::Relaxed) == 0 || how == Acquired::Inherited {
            self.items().store(1, Ordering::Relaxed);
            self.notify(1);
        }
        self.lock.release();
    }
}

/// Rows: "waiting", "notified, before it left its place".
///
/// Fails when the notification of a dead one is nobody's.
#[test]
fn an_item_is_taken_by_another_whenever_one_that_waits_for_it_vanishes() {
    explore_ends(|fate| {
        let segment = segment();
        let [mortal, other, putter] = [1, 2, 3].map(|seat| condition(&segment, seat));
        let (fate, ending) = (fate.clone(), segment.clone());
        let dying = loom::thread::spawn(move || {
            let _ = mortal.lock.acquire(None).unwrap();
            let lived = fate.live(
                || {
                    while mortal.items().load(Ordering::Relaxed) == 0 {
                        let _ = mortal.wait(None).unwrap();
                    }
                },
                || end(&ending),
            );
            if lived.is_some() {
                mortal.lock.release();
            }
            lived.is_some()
        });
        let taking = loom::thread::spawn(move || {
            other.take();
            // For the first, if it lives and was late.
            other.put();
        });
        putter.put();
        let lived = dying.join().unwrap();
        // If it lives it has had the notification, and passes it on. If it has died with the lock, whoever
        // gets that does what it may have left undone. Else it is the other one's to see.
        let how = putter.lock.acquire(None).unwrap();
        if lived || how == Some(Acquired::Inherited) {
            putter.notify(1);
        }
        putter.lock.release();
        if !lived {
            tick(&segment);
        }
        taking.join().unwrap();
    });
}

/// Row: "notifying, before the wake".
///
/// Fails when one that is notified does not look again by itself.
#[test]
fn who_waits_gets_the_item_whenever_who_puts_it_vanishes() {
    explore_ends(|fate| {
        let segment = segment();
        let [mortal, other, putter] = [1, 2, 3].map(|seat| condition(&segment, seat));
        let (fate, ending) = (fate.clone(), segment.clone());
        let dying = loom::thread::spawn(move || {
            let _ = fate.live(|| mortal.put(), || end(&ending));
            if fate.has_struck() {
                putter.put();
            }
        });
        other.take();
        dying.join().unwrap();
    });
}
