//! Against the real memory; "processes" are views of it.

use super::super::*;
use crate::roster::{ROSTER_BYTES, tests::rosters};
use crate::test_random::Random;
use std::collections::VecDeque;
use std::thread;

const LONG: Option<Duration> = Some(Duration::from_secs(60));
const NONE: Option<Duration> = Some(Duration::ZERO);
/// Room for rings of 64 and 128 and 256 KiB.
const BYTES: usize = QUEUE_BYTES + 7 * (64 << 10);

/// Other numbers each time; the seed is printed where the test fails.
fn seeded() -> Random {
    let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    println!("seed {seed}");
    Random(seed)
}

fn queues(count: usize, bytes: usize) -> Vec<Queue> {
    rosters(count, bytes).into_iter().map(|roster| Queue::new(roster, ROSTER_BYTES)).collect()
}

fn take(queue: &Queue) -> Option<Vec<u8>> {
    let mut item = Vec::new();
    (queue.get(&mut item, NONE).unwrap() == Got::Item).then_some(item)
}

#[test]
fn items_of_all_sizes_come_in_order_through_growing_and_shrinking_rings() {
    let mut random = seeded();
    let mut waiting = VecDeque::new();
    let queues = queues(2, BYTES);
    let mut most = 0;
    for round in 0..30_000 {
        // First it fills, then it drains, in turns.
        let fills = round / 500 % 2 == 0;
        if random.below(10) < if fills { 7 } else { 3 } {
            let bytes = match random.below(50) {
                0 => random.below(60_000) as usize,
                1..10 => random.below(2_000) as usize,
                _ => random.below(40) as usize,
            };
            let item = random.bytes(bytes);
            match queues[0].put(&item, NONE).unwrap() {
                Put::Done => waiting.push_back(item),
                Put::Full => assert!(waiting.len() > 4, "{} wait", waiting.len()),
                other => panic!("{other:?}"),
            }
        } else {
            assert_eq!(take(&queues[1]), waiting.pop_front());
        }
        assert_eq!(queues[0].len(), waiting.len() as u64);
        assert_eq!(queues[0].is_empty(), waiting.is_empty());
        most = most.max(waiting.len());
    }
    assert!(most > 50, "the rings were used");
    while let Some(item) = waiting.pop_front() {
        assert_eq!(take(&queues[1]), Some(item));
    }
    assert_eq!(take(&queues[1]), None);
}

#[test]
fn an_item_that_is_larger_than_the_largest_ring_is_refused_and_the_largest_is_not() {
    let queues = queues(1, BYTES);
    let most = (256 << 10) - HEADER_BYTES;
    assert_eq!(queues[0].put(&vec![1; most + 1], NONE).unwrap(), Put::TooLarge(most));
    assert_eq!(queues[0].put(&vec![2; most], NONE).unwrap(), Put::Done);
    assert_eq!(queues[0].put(&[3; 100_000], NONE).unwrap(), Put::Full);
    assert_eq!(take(&queues[0]), Some(vec![2; most]));
    assert_eq!(queues[0].put(&[3; 100_000], NONE).unwrap(), Put::Done);
    assert_eq!(take(&queues[0]), Some(vec![3; 100_000]));
}

#[test]
fn a_bounded_one_holds_so_many_and_puts_wait_for_room() {
    let queues = queues(2, BYTES);
    queues[0].begin(2);
    assert_eq!(queues[0].put(b"a", NONE).unwrap(), Put::Done);
    assert_eq!(queues[1].put(b"b", NONE).unwrap(), Put::Done);
    assert!(queues[0].is_full());
    assert_eq!(queues[1].put(b"c", Some(Duration::from_millis(1))).unwrap(), Put::Full);
    thread::scope(|scope| {
        let putter = scope.spawn(|| queues[0].put(b"c", LONG).unwrap());
        assert_eq!(take(&queues[1]), Some(b"a".to_vec()));
        assert_eq!(putter.join().unwrap(), Put::Done);
    });
    assert_eq!((take(&queues[0]), take(&queues[0])), (Some(b"b".to_vec()), Some(b"c".to_vec())));
}

#[test]
fn every_item_of_many_goes_to_exactly_one_of_many() {
    const EACH: u32 = 20_000;
    for capacity in [0, 3] {
        let queues = queues(6, BYTES);
        queues[0].begin(capacity);
        let (putters, takers) = queues.split_at(3);
        let mut all: Vec<u32> = thread::scope(|scope| {
            for (number, queue) in putters.iter().enumerate() {
                scope.spawn(move || {
                    for index in 0..EACH {
                        let item = (number as u32 * EACH + index).to_le_bytes();
                        assert_eq!(queue.put(&item, LONG).unwrap(), Put::Done);
                    }
                });
            }
            let taken: Vec<_> = takers
                .iter()
                .map(|queue| {
                    scope.spawn(move || {
                        let (mut item, mut taken) = (Vec::new(), Vec::new());
                        // One has them all if the others sleep: they are told when it is closed.
                        while queue.get(&mut item, LONG).unwrap() == Got::Item {
                            taken.push(u32::from_le_bytes(item[..].try_into().unwrap()));
                            if queue.load(GOTS, Ordering::Relaxed) == u64::from(3 * EACH) {
                                queue.close().unwrap();
                            }
                        }
                        let of = |number: u32| taken.iter().filter(move |x| *x / EACH == number);
                        assert!((0..3).all(|number| of(number).is_sorted()), "each one's in order");
                        taken
                    })
                })
                .collect();
            taken.into_iter().flat_map(|taken| taken.join().unwrap()).collect()
        });
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..3 * EACH), "{} items", all.len());
    }
}

#[test]
fn a_closed_one_is_taken_empty_and_then_says_so() {
    let queues = queues(2, BYTES);
    assert_eq!(queues[0].put(b"last", NONE).unwrap(), Put::Done);
    queues[1].close().unwrap();
    assert_eq!(queues[0].put(b"later", NONE).unwrap(), Put::Closed);
    let mut item = Vec::new();
    assert_eq!(queues[1].get(&mut item, LONG).unwrap(), Got::Item);
    assert_eq!(queues[1].get(&mut item, LONG).unwrap(), Got::Closed);
    let queues = self::queues(2, BYTES);
    thread::scope(|scope| {
        let taker = scope.spawn(|| queues[0].get(&mut Vec::new(), LONG).unwrap());
        queues[1].close().unwrap();
        assert_eq!(taker.join().unwrap(), Got::Closed);
    });
}

/// What a process leaves behind that dies with the lock, after so many of its stores.
#[test]
fn whoever_dies_while_it_puts_has_put_the_item_or_not() {
    for steps in 0..=3 {
        let mut queues = queues(2, BYTES);
        assert_eq!(queues[0].put(b"before", NONE).unwrap(), Put::Done);
        let dying = queues.remove(0);
        assert!(dying.enter_put(None).unwrap());
        let tail = Position::from_word(dying.load(TAIL, Ordering::Relaxed));
        let at = dying.rings.offset(tail);
        dying.segment().copy_in(at, &4_u64.to_le_bytes());
        dying.segment().copy_in(at + HEADER_BYTES, b"item");
        dying.word64(NEXT_TAIL).store(tail.after(16).word(), Ordering::Relaxed);
        dying.word64(NEXT_PUTS).store(2, Ordering::Relaxed);
        if steps > 0 {
            dying.word64(TAIL).store(tail.after(16).word(), Ordering::Release);
        }
        if steps > 1 {
            dying.word64(PUTS).store(2, Ordering::Release);
        }
        if steps > 2 {
            let _ = dying.move_bell(PUT_BELL);
        }
        // Its marks go with its last view: as when it is killed.
        drop(dying);
        let queue = &queues[0];
        assert_eq!(queue.put(b"after", NONE).unwrap(), Put::Done);
        assert_eq!(queue.len(), if steps > 0 { 3 } else { 2 }, "after {steps} steps");
        assert_eq!(take(queue).as_deref(), Some(&b"before"[..]));
        if steps > 0 {
            assert_eq!(take(queue).as_deref(), Some(&b"item"[..]));
        }
        assert_eq!(take(queue).as_deref(), Some(&b"after"[..]));
        assert_eq!((take(queue), queue.len()), (None, 0));
    }
}

#[test]
fn whoever_dies_while_it_takes_has_taken_the_item_or_not() {
    for steps in 0..=2 {
        let mut queues = queues(2, BYTES);
        for item in [b"one", b"two"] {
            assert_eq!(queues[0].put(item, NONE).unwrap(), Put::Done);
        }
        let dying = queues.remove(0);
        assert!(dying.enter_get(None).unwrap());
        let head = Position::default().after(16);
        dying.word64(NEXT_HEAD).store(head.word(), Ordering::Relaxed);
        dying.word64(NEXT_GOTS).store(1, Ordering::Relaxed);
        if steps > 0 {
            dying.word64(HEAD).store(head.word(), Ordering::Release);
        }
        if steps > 1 {
            dying.word64(GOTS).store(1, Ordering::Release);
        }
        drop(dying);
        let queue = &queues[0];
        if steps == 0 {
            assert_eq!(take(queue).as_deref(), Some(&b"one"[..]));
        }
        assert_eq!(take(queue).as_deref(), Some(&b"two"[..]));
        assert_eq!((take(queue), queue.len()), (None, 0), "after {steps} steps");
    }
}

#[test]
fn whatever_is_written_over_it_nobody_hangs_or_panics() {
    let mut random = seeded();
    for _ in 0..300 {
        let queues = queues(2, BYTES);
        for _ in 0..random.below(20) {
            let item = vec![7; random.below(20_000) as usize];
            assert!(queues[0].put(&item, NONE).is_ok());
        }
        for _ in 0..=random.below(6) {
            // Everything but the locks, which have tests of their own, and the mark that it is closed.
            let offset = [8, 16, 24, 32, 40, 72, 80, 88, 96][random.below(9) as usize];
            let offset =
                if random.below(3) == 0 { ENDS + 8 * random.below(3) as usize } else { offset };
            let ring = random.below(5);
            let word = [random.next(), (ring << 56) | (random.below(1 << 20) / 8 * 8)];
            queues[0].word64(offset).store(word[random.below(2) as usize], Ordering::Relaxed);
            let at = ROSTER_BYTES + QUEUE_BYTES + random.below(64 << 10) as usize / 8 * 8;
            queues[0].segment().copy_in(at, &word[0].to_le_bytes());
        }
        let mut item = Vec::new();
        for _ in 0..100 {
            // An item of anybody's, none, or an error: all but a panic or a hang.
            let _ = queues[1].get(&mut item, NONE);
            let _ = queues[0].put(b"again", NONE);
        }
        // Who writes over it may have made it endless.
        let _ = (0..100).find(|_| queues[1].is_empty() || queues[1].get(&mut item, NONE).is_err());
    }
}

#[test]
fn who_joins_waits_until_what_was_put_is_done() {
    let queues = queues(2, BYTES);
    queues[0].begin_to_count();
    assert_eq!(queues[0].join(NONE).unwrap(), Joined::Done);
    assert!(!queues[0].task_done().unwrap(), "nothing was taken");
    for item in 0..3 {
        assert_eq!(queues[0].put(&[item], NONE).unwrap(), Put::Done);
    }
    thread::scope(|scope| {
        let joining = scope.spawn(|| queues[0].join(LONG).unwrap());
        for _ in 0..3 {
            assert!(take(&queues[1]).is_some());
            assert_eq!(queues[1].join(Some(Duration::from_millis(1))).unwrap(), Joined::TimedOut);
            assert!(queues[1].task_done().unwrap());
        }
        assert_eq!(joining.join().unwrap(), Joined::Done);
    });
    assert!(!queues[0].task_done().unwrap());
}

#[test]
fn who_joins_is_told_what_was_lost_with_a_dead_one() {
    let mut queues = queues(3, BYTES);
    queues[0].begin_to_count();
    for item in 0..3 {
        assert_eq!(queues[0].put(&[item], NONE).unwrap(), Put::Done);
    }
    let (living, dying) = (queues.remove(1), queues.remove(1));
    let queue = &queues[0];
    assert!(take(&dying).is_some() && take(&dying).is_some() && take(&living).is_some());
    assert!(dying.task_done().unwrap());
    thread::scope(|scope| {
        let joining = scope.spawn(|| queue.join(LONG).unwrap());
        assert!(living.task_done().unwrap());
        drop(dying);
        assert_eq!(joining.join().unwrap(), Joined::Lost(1));
    });
    assert_eq!(queue.join(NONE).unwrap(), Joined::Done, "it is told once");
    // An item may be handed over: somebody else says that it is done.
    assert_eq!(queue.put(b"x", NONE).unwrap(), Put::Done);
    assert!(take(&living).is_some() && queue.task_done().unwrap());
    assert_eq!(queue.join(NONE).unwrap(), Joined::Done);
}
