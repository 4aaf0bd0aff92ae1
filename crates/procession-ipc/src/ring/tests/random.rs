//! Rings against a queue, and against bytes that nobody would write.

use crate::frame::Header;
use crate::layout::SLOT_BYTES;
use crate::primitive::Ordering;
use crate::ring::{Consumer, Geometry, Producer};
use crate::segment::Segment;
use crate::test_random::Random;
use procession_os::memory::Memory;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;

const SLOTS: u32 = 16;
const RING: Geometry = Geometry { tail_at: 0, data_at: 64, slots: SLOTS };
/// Most payload of a frame: half the ring.
const PAYLOAD_MAX: usize = SLOTS as usize * SLOT_BYTES / 2 - 32;

fn segment() -> Arc<Segment> {
    let (_, mapping) =
        Memory::create_shared("procession-test", 64 + SLOTS as usize * SLOT_BYTES).unwrap();
    Arc::new(Segment::new(mapping))
}

#[derive(Debug, Clone)]
enum Op {
    Push(Vec<u8>),
    Part(Vec<Vec<u8>>),
    Pop,
    Release,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..=PAYLOAD_MAX).prop_map(Op::Push),
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8)
            .prop_map(Op::Part),
        Just(Op::Pop),
        Just(Op::Pop),
        Just(Op::Release),
    ]
}

proptest! {
    #[test]
    fn a_ring_is_a_queue(ops in proptest::collection::vec(op(), 1..200)) {
        let segment = segment();
        let mut producer = Producer::new(segment.clone(), RING);
        let mut consumer = Consumer::new(segment, RING);
        let mut queue: VecDeque<(u64, Vec<u8>)> = VecDeque::new();
        let mut sequence = 0;
        for op in ops {
            match op {
                Op::Push(payload) => {
                    let header = Header { sequence, ..Header::default() };
                    match producer.push(header, &payload) {
                        Some(pushed) => {
                            prop_assert_eq!(producer.read_back(&pushed), payload.clone());
                            queue.push_back((sequence, payload));
                            sequence += 1;
                        }
                        None => prop_assert!(producer.released() != producer.tail()),
                    }
                }
                Op::Part(pieces) => {
                    if let Some(mut part) = producer.open(PAYLOAD_MAX) {
                        pieces.iter().for_each(|piece| producer.append(&mut part, piece));
                        producer.commit(part, Header { sequence, ..Header::default() });
                        queue.push_back((sequence, pieces.concat()));
                        sequence += 1;
                    }
                }
                Op::Pop => {
                    let frame = consumer.peek().unwrap();
                    let popped = frame.map(|frame| {
                        let mut payload = Vec::new();
                        consumer.copy_payload(&frame, &mut payload);
                        consumer.advance(&frame);
                        (frame.header.sequence, payload)
                    });
                    prop_assert_eq!(popped, queue.pop_front());
                }
                Op::Release => producer.release(consumer.position()),
            }
        }
    }
}

#[test]
fn a_position_that_cannot_be_is_not_released() {
    let mut producer = Producer::new(segment(), RING);
    assert!(producer.push(Header::default(), &[0; 100]).is_some());
    for nonsense in [4, u32::MAX, 1 << 31] {
        producer.release(nonsense);
        assert_eq!(producer.released(), 0, "{nonsense}");
    }
    producer.release(3);
    assert_eq!(producer.released(), 3);
    producer.release(2);
    assert_eq!(producer.released(), 3, "a head never goes back");
}

#[test]
fn random_bytes_are_corrupt_or_frames_and_never_a_panic() {
    for seed in 0..5_000 {
        let mut random = Random(seed);
        let segment = segment();
        segment.copy_in(0, &random.bytes(segment.bytes()));
        if seed % 2 == 0 {
            // A tail that can be, and lengths that may fit: deeper into the frames.
            segment.word32(0).store(random.below(u64::from(SLOTS) + 1) as u32, Ordering::Release);
            for slot in 0..SLOTS as usize {
                let kind = if random.below(4) == 0 { 0xffff } else { random.below(9) };
                let first = kind | random.below(300) << 32;
                segment.copy_in(64 + slot * SLOT_BYTES, &first.to_le_bytes());
            }
        }
        let mut consumer = Consumer::new(segment.clone(), RING);
        let mut frames = 0;
        let mut payload = Vec::new();
        let corrupt = loop {
            match consumer.peek() {
                Ok(Some(frame)) => {
                    consumer.copy_payload(&frame, &mut payload);
                    consumer.advance(&frame);
                    frames += 1;
                    assert!(frames <= SLOTS, "seed {seed}: more frames than slots");
                }
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        let count = random.below(2_000) as usize;
        let part = consumer.copy_unfinished_part(random.next() as u32, count);
        assert!(part.is_none_or(|bytes| bytes.len() == count), "seed {seed}");
        segment.word32(0).store(consumer.position(), Ordering::Release);
        assert_eq!(consumer.peek().is_err(), corrupt, "seed {seed}: once corrupt, always so");
    }
}

#[test]
fn skip_frames_without_end_are_corrupt() {
    let segment = segment();
    let skip = Header { kind: 0xffff, payload_bytes: 32, ..Header::default() };
    segment.copy_in(64, &skip.to_bytes());
    segment.word32(0).store(1, Ordering::Release);
    let mut consumer = Consumer::new(segment, RING);
    assert!(consumer.peek().is_err());
}
