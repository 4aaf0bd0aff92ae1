//! A queue under loom, of whose users one vanishes after each of its stores.

use super::*;
use crate::segment::explore_ends;

/// What the system does when the process in seat 1 ends; from then on ticks are waited for.
fn end(segment: &Segment) {
    // Who waits for items or room minds nobody's end.
    for lock in [AT, AT + GET_LOCK] {
        segment.end_holder(8, lock);
    }
    for word in [0, PUT_BELL, GET_LOCK, GET_BELL] {
        segment.tick(AT + word);
    }
}

/// Rows: "it wrote some of an item, or the end of its ring", "it stored the tail", "it stored `puts`, and not
/// the bell, or woke nobody".
///
/// Fails when who waits for an item does not look again by itself, or when nobody corrects `puts`.
#[test]
fn an_item_is_there_or_was_not_put_whenever_who_puts_it_vanishes() {
    explore_ends(|fate| {
        let segment = segment();
        let [mortal, taker, last] = [1, 2, 3].map(|seat| queue(&segment, seat));
        let (fate, ending) = (fate.clone(), segment.clone());
        let putting = loom::thread::spawn(move || {
            let lived = fate.live(|| put(&mortal, 1), || end(&ending));
            let is_put = last.load(TAIL, Ordering::Relaxed) != 0;
            assert!(is_put || lived.is_none());
            if !is_put {
                put(&last, 2);
            }
            u8::from(!is_put) + 1
        });
        let item = take(&taker);
        assert_eq!(item, putting.join().unwrap());
        // Whoever puts next corrects what the dead one has left.
        put(&taker, 3);
        assert_eq!((taker.len(), take(&taker), taker.len()), (1, 3, 0));
    });
}

/// Rows: "it copied the item", "it stored the head", "it stored `gots`, and not the bell, or woke nobody".
///
/// Fails when who waits for room does not look again by itself, or when nobody corrects `gots`.
#[test]
fn there_is_room_or_the_item_is_there_whenever_who_takes_it_vanishes() {
    explore_ends(|fate| {
        let segment = segment();
        let [mortal, putter, last] = [1, 2, 3].map(|seat| queue(&segment, seat));
        putter.begin(1);
        put(&putter, 1);
        let (fate, ending) = (fate.clone(), segment.clone());
        let taking = loom::thread::spawn(move || {
            let lived = fate.live(|| assert_eq!(take(&mortal), 1), || end(&ending));
            let is_taken = last.load(HEAD, Ordering::Relaxed) != 0;
            assert!(is_taken || lived.is_none());
            if !is_taken {
                assert_eq!(take(&last), 1);
            }
            // Who comes to take corrects `gots`, and until then there seems to be no room.
            last.enter_get(None).unwrap();
            last.get_lock.release();
            last
        });
        put(&putter, 2);
        let last = taking.join().unwrap();
        assert_eq!((take(&last), last.len()), (2, 0));
    });
}

/// Row: "it gave the pages of a ring that it left back", and those before and after it.
#[test]
fn an_item_is_there_or_was_taken_whenever_who_leaves_a_ring_for_it_vanishes() {
    explore_ends(|fate| {
        let segment = segment();
        let [mortal, putter, last] = [1, 2, 3].map(|seat| queue(&segment, seat));
        // Two fill the first ring.
        (1..=3).for_each(|item| put(&putter, item));
        assert_eq!((take(&putter), take(&putter)), (1, 2));
        let behind = putter.load(TAIL, Ordering::Relaxed);
        let (fate, ending) = (fate.clone(), segment.clone());
        let taking = loom::thread::spawn(move || {
            let lived = fate.live(|| assert_eq!(take(&mortal), 3), || end(&ending));
            let is_taken = last.load(HEAD, Ordering::Relaxed) == behind;
            assert!(is_taken || lived.is_none());
            if !is_taken {
                assert_eq!(take(&last), 3);
            }
            last
        });
        put(&putter, 4);
        let last = taking.join().unwrap();
        assert_eq!((take(&last), last.len()), (4, 0));
    });
}
