//! A worker that writes random bytes over the whole of its segment.

use super::{header, payload_of};
use crate::lane::ParentLane;
use crate::layout::{B_BYTES, RESPONSE_SLOTS, SLOT_BYTES, b};
use crate::primitive::Ordering;
use crate::segment::Segment;
use crate::test_random::Random;
use procession_os::memory::Access;

/// Everything that the parent does with a lane. It must end, and without a panic.
fn use_everything(parent: &mut ParentLane, random: &mut Random) {
    let mut frames = 0;
    while let Ok(Some(frame)) = parent.peek() {
        assert_eq!(payload_of(parent, &frame).len(), frame.header.payload_bytes as usize);
        parent.advance(&frame);
        frames += 1;
        assert!(frames <= RESPONSE_SLOTS, "more frames than slots");
    }
    parent.wake_for_space();
    if let Some(progress) = parent.unfinished_part() {
        assert!(progress.bytes.len() <= RESPONSE_SLOTS as usize * SLOT_BYTES);
    }
    let sequence = random.next() >> random.below(64);
    // Either may have won; a word that lies changes only whom the parent blames.
    let _ = parent.take_back(sequence);
    let _ = parent.is_begun(sequence);
    let head = parent.request_head();
    parent.release_requests(head);
    let watch = parent.watch().clone();
    let _ = watch.has_responses() | watch.worker_is_asleep();
    watch.raise_leader();
    watch.lower_leader();
    // Nothing of its own is lost: what is sent reads back.
    if let Some(pushed) = parent.send(header(sequence), b"intact") {
        parent.wake_worker();
        assert_eq!(parent.read_back(&pushed), b"intact");
    }
}

/// Words and headers that pass the first checks, so that the later ones are met.
fn make_plausible(segment: &Segment, random: &mut Random) {
    let tail = random.below(u64::from(RESPONSE_SLOTS) + 2) as u32;
    segment.word32(b::RESPONSE_TAIL).store(tail, Ordering::Relaxed);
    for slot in 0..RESPONSE_SLOTS as usize {
        let kind = if random.below(8) == 0 { 0xffff } else { random.below(9) };
        let first = kind | random.below(400) << 32;
        segment.copy_in(b::DATA + slot * SLOT_BYTES, &first.to_le_bytes());
    }
}

#[test]
fn random_bytes_over_a_workers_segment_hurt_nobody() {
    let only = std::env::var("PROCESSION_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    for seed in only.map_or(0..600, |seed| seed..seed + 1) {
        // Shown when the test fails.
        eprintln!("PROCESSION_SEED={seed}");
        let mut random = Random(seed);
        let (mut parent, memories) = ParentLane::create().unwrap();
        let segment = Segment::new(memories[1].map(Access::ReadWrite).unwrap());
        for _ in 0..3 {
            segment.copy_in(0, &random.bytes(B_BYTES));
            if seed % 2 == 0 {
                make_plausible(&segment, &mut random);
            }
            use_everything(&mut parent, &mut random);
        }
    }
}

#[test]
fn a_progress_that_counts_more_than_there_is_room_for_is_none() {
    let (parent, memories) = ParentLane::create().unwrap();
    let segment = Segment::new(memories[1].map(Access::ReadWrite).unwrap());
    for progress in [u64::MAX, u64::from(u32::MAX), 1 << 32 | 65_505] {
        segment.word64(b::PROGRESS).store(progress, Ordering::Relaxed);
        assert_eq!(parent.unfinished_part(), None, "{progress:#x}");
    }
    segment.word64(b::PROGRESS).store(u64::from(u32::MAX) << 32 | 65_504, Ordering::Relaxed);
    let progress = parent.unfinished_part().expect("as many bytes as the lap has");
    assert_eq!(progress.items, u32::MAX, "a claim that the engine checks against the chunk");
}

/// The parent and a worker that writes at the same time, everywhere and always.
#[test]
fn a_segment_that_changes_under_the_parent_hurts_nobody() {
    let (mut parent, memories) = ParentLane::create().unwrap();
    let segment = Segment::new(memories[1].map(Access::ReadWrite).unwrap());
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            let mut random = Random(11);
            for _ in 0..60 {
                segment.copy_in(b::DATA, &random.bytes(B_BYTES - b::DATA));
                make_plausible(&segment, &mut random);
            }
        });
        let mut random = Random(12);
        while !writer.is_finished() {
            // Bounded by what the writer publishes, which ends.
            while let Ok(Some(frame)) = parent.peek() {
                payload_of(&parent, &frame);
                parent.advance(&frame);
            }
            let _ = parent.unfinished_part();
            let _ = parent.is_begun(random.next());
        }
    });
}
