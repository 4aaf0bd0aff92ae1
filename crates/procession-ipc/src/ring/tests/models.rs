//! Loom models of a ring of four slots.
//!
//! They fail when the protocol is broken. A relaxed store or load of the tail, of the head, of the
//! progress or of its position is reported as a race on the bytes, and so is a producer that counts
//! one free slot too many; a progress that is declared before its bytes, or not cleared before a
//! part is opened, fails an assertion.

use crate::frame::Header;
use crate::ring::{Consumer, Geometry, Head, Part, PartProgress, Producer};
use crate::segment::{Segment, explore, explore_ends};
use std::sync::{Arc, OnceLock};

const TAIL: usize = 0;
const POSITION: usize = 4;
const HEAD: Head = Head::new(8);
const PROGRESS: PartProgress = PartProgress::new(POSITION, 16);
const RING: Geometry = Geometry { tail_at: TAIL, data_at: 64, slots: 4 };

/// Bytes of payload: frames of 1, 2, 2 and 1 slots, the third of which needs a skip frame.
const PAYLOADS: [usize; 4] = [3, 40, 40, 3];

/// Whether some interleaving has met a full ring.
static WAS_FULL: OnceLock<()> = OnceLock::new();

fn ring_segment() -> Arc<Segment> {
    Arc::new(Segment::model(&[TAIL, POSITION], &[16], 64, 4 * 64))
}

fn payload(index: usize) -> Vec<u8> {
    vec![index as u8 + 1; PAYLOADS[index]]
}

/// Takes the next frame if there is one; gives its sequence and payload.
fn take(consumer: &mut Consumer) -> Option<(u64, Vec<u8>)> {
    let frame = consumer.peek().expect("the producer is sane")?;
    let mut bytes = Vec::new();
    consumer.copy_payload(&frame, &mut bytes);
    consumer.advance(&frame);
    Some((frame.header.sequence, bytes))
}

#[test]
fn frames_arrive_whole_and_in_order_round_the_end_of_the_lap() {
    explore(|| {
        let (ring, other) = (ring_segment(), Arc::new(Segment::model(&[8], &[], 16, 0)));
        let (mut producer, heads) = (Producer::new(ring.clone(), RING), other.clone());
        let sender = loom::thread::spawn(move || {
            for index in 0..PAYLOADS.len() {
                let header = Header { sequence: index as u64, ..Header::default() };
                while producer.push(header, &payload(index)).is_none() {
                    WAS_FULL.get_or_init(|| ());
                    producer.release(HEAD.shown(&heads));
                    loom::thread::yield_now();
                }
            }
        });
        let mut consumer = Consumer::new(ring, RING);
        for index in 0..PAYLOADS.len() {
            let (sequence, bytes) = loop {
                match take(&mut consumer) {
                    Some(frame) => break frame,
                    None => loom::thread::yield_now(),
                }
            };
            assert_eq!((sequence, bytes), (index as u64, payload(index)));
            HEAD.show(&other, consumer.position());
        }
        sender.join().unwrap();
        assert!(take(&mut consumer).is_none());
    });
    assert!(WAS_FULL.get().is_some(), "no interleaving has met a full ring");
}

/// The producer of a part, one store after another.
struct Writer {
    ring: Arc<Segment>,
    producer: Producer,
    part: Option<Part>,
    filled: u32,
}

/// What the writer of the crash table does.
#[derive(Debug, Clone, Copy)]
enum Step {
    Clear,
    Open,
    Begin,
    /// Writes the bytes of this item, the first being 1.
    Write(u8),
    /// Declares that so many items are finished.
    Declare(u32),
    Commit,
}

/// Bytes of each item.
const ITEM: usize = 3;
/// Room of a part: two slots.
const ROOM: usize = 40;

impl Writer {
    fn new(ring: Arc<Segment>) -> Self {
        Self { producer: Producer::new(ring.clone(), RING), ring, part: None, filled: 0 }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Clear => PROGRESS.clear(&self.ring),
            Step::Open => self.part = self.producer.open(ROOM),
            Step::Begin => {
                self.filled = 0;
                PROGRESS.begin(&self.ring, self.producer.tail());
            }
            Step::Write(item) => {
                let part = self.part.as_mut().expect("opened before");
                self.producer.append(part, &[item; ITEM]);
                self.filled += ITEM as u32;
            }
            Step::Declare(items) => PROGRESS.declare(&self.ring, items, self.filled),
            Step::Commit => {
                let part = self.part.take().expect("opened before");
                self.producer.commit(part, Header::default());
            }
        }
    }
}

/// Items that a reader finds whole in a part that is under construction.
fn items_found(consumer: &Consumer, ring: &Segment) -> Option<Vec<u8>> {
    let tail = consumer.shown_tail();
    let (items, bytes) = PROGRESS.read(ring, tail)?;
    let bytes = consumer.copy_unfinished_part(tail, bytes as usize)?;
    assert_eq!(bytes.len(), items as usize * ITEM, "only whole items are counted");
    let items: Vec<u8> = bytes.chunks(ITEM).map(|item| item[0]).collect();
    let whole = items.iter().flat_map(|item| [*item; ITEM]);
    assert!(whole.eq(bytes.iter().copied()), "the bytes of counted items are intact");
    Some(items)
}

/// A reader that looks at any moment finds what it would find if the writer had died there. (With
/// items of one size: it may take the count of the second part for the first.)
#[test]
fn counted_items_are_whole_at_every_moment() {
    explore(|| {
        let ring = ring_segment();
        let mut writer = Writer::new(ring.clone());
        let thread = loom::thread::spawn(move || {
            use Step::{Begin, Clear, Commit, Declare, Open, Write};
            let first = [Clear, Open, Begin, Write(1), Declare(1), Write(2), Declare(2), Commit];
            let second = [Clear, Clear, Open, Begin, Write(3), Declare(1)];
            first.into_iter().chain(second).for_each(|step| writer.step(step));
        });
        let mut consumer = Consumer::new(ring.clone(), RING);
        if let Some(items) = items_found(&consumer, &ring) {
            assert!([1, 2].starts_with(&items));
        }
        if let Some((_, bytes)) = take(&mut consumer) {
            assert_eq!(bytes, [1, 1, 1, 2, 2, 2]);
            if let Some(items) = items_found(&consumer, &ring) {
                assert!([3].starts_with(&items));
            }
        }
        thread.join().unwrap();
    });
}

/// The crash table, row by row: two parts, the first of them behind a skip frame.
#[test]
fn a_writer_that_stops_after_any_step_leaves_whole_items() {
    use Step::{Begin, Clear, Commit, Declare, Open, Write};
    // The step, items in frames after it, items of the part under construction after it.
    let table: [(Step, usize, Option<&[u8]>); 15] = [
        (Clear, 0, None),
        (Open, 0, None),
        (Begin, 0, Some(&[])),
        (Write(1), 0, Some(&[])),
        (Declare(1), 0, Some(&[1])),
        (Write(2), 0, Some(&[1])),
        (Declare(2), 0, Some(&[1, 2])),
        (Commit, 2, None),
        (Clear, 2, None),
        (Clear, 2, None),
        (Open, 2, None),
        (Begin, 2, Some(&[])),
        (Write(3), 2, Some(&[])),
        (Declare(1), 2, Some(&[3])),
        (Commit, 3, None),
    ];
    for steps in 1..=table.len() {
        explore(move || {
            let ring = ring_segment();
            let mut writer = Writer::new(ring.clone());
            let mut consumer = Consumer::new(ring.clone(), RING);
            for index in 0..3 {
                let pushed = writer.producer.push(Header::default(), &[index]);
                assert!(pushed.is_some() && take(&mut consumer).is_some());
            }
            writer.producer.release(consumer.position());
            for (step, ..) in &table[..steps] {
                if matches!(step, Open) {
                    while take(&mut consumer).is_some() {}
                }
                writer.step(*step);
            }
            let (_, framed, found) = table[steps - 1];
            drop(writer);
            let mut bytes = 0;
            while let Some((_, payload)) = take(&mut consumer) {
                bytes += payload.len();
            }
            // The frames of the first part may have been taken before the second was opened.
            assert!(bytes <= framed * ITEM, "after step {steps}");
            assert_eq!(items_found(&consumer, &ring).as_deref(), found, "after step {steps}");
        });
    }
}

/// Rows: "part of the frame's bytes", "the skip frame's tail", "the frame's tail, before it rang".
#[test]
fn frames_are_whole_and_in_order_whenever_the_producer_vanishes() {
    explore_ends(|fate| {
        let ring = ring_segment();
        let (mut producer, fate) = (Producer::new(ring.clone(), RING), fate.clone());
        let mut consumer = Consumer::new(ring.clone(), RING);
        // Three slots were used before, so that the second frame needs a skip frame.
        for _ in 0..2 {
            let pushed = producer.push(Header::default(), &[9]);
            assert!(pushed.is_some() && take(&mut consumer).is_some());
        }
        producer.release(consumer.position());
        let sender = loom::thread::spawn(move || {
            let part = || {
                for index in [0, 1] {
                    let header = Header { sequence: index as u64, ..Header::default() };
                    assert!(producer.push(header, &payload(index)).is_some());
                }
            };
            fate.live(part, || ()).is_some()
        });
        let mut taken = 0;
        let mut look = |consumer: &mut Consumer| {
            while let Some((sequence, bytes)) = take(consumer) {
                assert_eq!((sequence, bytes), (taken, payload(taken as usize)));
                taken += 1;
            }
        };
        look(&mut consumer);
        let has_lived = sender.join().unwrap();
        look(&mut consumer);
        assert!(taken == 2 || !has_lived, "all that was sent is there");
    });
}

/// "If the consumer dies, the producer's ring fills and stays full."
#[test]
fn a_ring_is_full_and_no_fuller_whenever_the_consumer_vanishes() {
    explore_ends(|fate| {
        let (ring, other) = (ring_segment(), Arc::new(Segment::model(&[8], &[], 16, 0)));
        let (mut producer, heads, fate) =
            (Producer::new(ring.clone(), RING), other.clone(), fate.clone());
        let mut consumer = Consumer::new(ring, RING);
        assert!(producer.push(Header::default(), &[1]).is_some());
        assert!(producer.push(Header::default(), &[2]).is_some());
        let taking = loom::thread::spawn(move || {
            let part = || {
                for _ in 0..2 {
                    take(&mut consumer);
                    HEAD.show(&other, consumer.position());
                }
            };
            let _ = fate.live(part, || ());
            HEAD.shown(&other)
        });
        let mut sent = 2;
        let mut fill = |sent: &mut u32| {
            producer.release(HEAD.shown(&heads));
            while producer.push(Header::default(), &[3]).is_some() {
                *sent += 1;
            }
        };
        fill(&mut sent);
        let freed = taking.join().unwrap();
        fill(&mut sent);
        assert_eq!(sent, RING.slots + freed, "all slots but those that were not given back");
    });
}
