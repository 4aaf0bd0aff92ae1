//! The queue under loom. Rings of 32 and 64 bytes: two items fill the first.

mod ends;

use super::super::*;
use crate::segment::{explore, explore_large};

const AT: usize = 100_000;
const RINGS_BYTES: usize = 32 + 64;
/// Offset of a seat's mark and generation.
const SEATS: [usize; 6] = [8, 12, 16, 20, 24, 28];

fn segment() -> Arc<Segment> {
    let words32 = [0, PUT_BELL, GET_LOCK, GET_BELL, CLOSED, 148, 152];
    let words32: Vec<_> = SEATS.into_iter().chain(words32.map(|at| AT + at)).collect();
    let words64 = [
        TAIL,
        PUTS,
        NEXT_TAIL,
        NEXT_PUTS,
        HEAD_SEEN,
        HEAD,
        GOTS,
        NEXT_HEAD,
        NEXT_GOTS,
        CAPACITY,
        ENDS,
        ENDS + 8,
    ];
    let words64 = words64.map(|at| AT + at);
    Arc::new(Segment::model(&words32, &words64, AT + QUEUE_BYTES, RINGS_BYTES))
}

fn queue(segment: &Arc<Segment>, seat: usize) -> Queue {
    Queue::new(Arc::new(Roster::model(segment.clone(), seat)), AT)
}

fn take(queue: &Queue) -> u8 {
    let mut item = Vec::new();
    assert_eq!(queue.get(&mut item, None).unwrap(), Got::Item);
    assert_eq!(item.len(), 1);
    item[0]
}

fn put(queue: &Queue, item: u8) {
    assert_eq!(queue.put(&[item], None).unwrap(), Put::Done);
}

/// Fails when the tail is published relaxed, when the ring's end is, or when nobody is woken.
#[test]
fn items_come_in_order_through_a_ring_that_is_left_for_a_larger_one() {
    explore_large(|| {
        let segment = segment();
        let (putter, taker) = (queue(&segment, 1), queue(&segment, 2));
        let putting = loom::thread::spawn(move || (1..=3).for_each(|item| put(&putter, item)));
        assert_eq!([take(&taker), take(&taker), take(&taker)], [1, 2, 3]);
        putting.join().unwrap();
    });
}

/// Fails when the head is published relaxed: then an item is written over one that is being read.
#[test]
fn who_waits_for_room_gets_it_when_an_item_is_taken() {
    explore(|| {
        let segment = segment();
        let (putter, taker) = (queue(&segment, 1), queue(&segment, 2));
        putter.begin(1);
        let putting = loom::thread::spawn(move || (1..=2).for_each(|item| put(&putter, item)));
        assert_eq!([take(&taker), take(&taker)], [1, 2]);
        putting.join().unwrap();
    });
}

/// Fails when one wake-up is not passed on although two items were put.
#[test]
fn each_of_two_that_wait_gets_one_of_two_items() {
    explore_large(|| {
        let segment = segment();
        let putter = queue(&segment, 1);
        let takers = [2, 3].map(|seat| {
            let taker = queue(&segment, seat);
            loom::thread::spawn(move || take(&taker))
        });
        put(&putter, 1);
        put(&putter, 2);
        let mut taken = takers.map(|taker| taker.join().unwrap());
        taken.sort_unstable();
        assert_eq!(taken, [1, 2]);
    });
}

/// Fails when whoever waits is not told.
#[test]
fn who_waits_is_told_that_it_is_closed() {
    explore(|| {
        let segment = segment();
        let (closer, taker) = (queue(&segment, 1), queue(&segment, 2));
        let closing = loom::thread::spawn(move || closer.close().unwrap());
        assert_eq!(taker.get(&mut Vec::new(), None).unwrap(), Got::Closed);
        closing.join().unwrap();
    });
}
