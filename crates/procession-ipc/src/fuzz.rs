//! For fuzzers: the parent's side of a lane, whose worker writes whatever a script says.
//!
//! A script is any bytes. It has a worker write honest frames, frames that are not, single words and bytes
//! anywhere in its segment; and the parent do all that it does with a lane. Nothing may panic or go on for
//! ever, what the parent sent is intact, a frame is no longer than what was published, and after the first
//! nonsense nothing is believed. As long as the worker is honest its frames come as they were sent.

mod corpus;
#[cfg(test)]
mod tests;

pub use corpus::{mutations, scripts};

use crate::frame::{HEADER_BYTES, Header, slots_for};
use crate::lane::ParentLane;
use crate::layout::{B_BYTES, RESPONSE_SLOTS, SLOT_BYTES, b};
use crate::primitive::Ordering;
use crate::ring::Pushed;
use crate::segment::Segment;
use procession_os::memory::Access;
use std::collections::{BTreeSet, VecDeque};

/// Most acts of a script.
const ACTS_MAX: usize = 400;
/// Most requests that are in flight.
const SENT_MAX: usize = 64;

/// Words of segment B that mean something.
pub const WORDS: [usize; 8] = [
    b::RESPONSE_TAIL,
    b::REQUEST_HEAD,
    b::PROGRESS_AT,
    b::PROGRESS,
    b::PROGRESS + 4,
    b::URGENT,
    b::WORKER_ASLEEP,
    b::SPACE_WANTED,
];

/// What a script has led to: names of ways that the parent went.
pub type Seen = BTreeSet<String>;

/// Reads a script; behind its end are zeros.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// A number that is small more often than not.
    fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..0xf0 => small.into(),
            0xf0..0xf8 => u64::from(self.byte()) << 8 | u64::from(self.byte()),
            0xf8..0xfc => u64::MAX - u64::from(self.byte()),
            0xfc..0xfe => 1 << (self.byte() % 64),
            _ => self.bytes(8).iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
        }
    }
}

/// A lane, and what is known of it.
struct Stage {
    parent: ParentLane,
    /// What the worker writes.
    segment: Segment,
    /// Frames that an honest worker has sent, and that were not taken.
    honest: VecDeque<(Header, Vec<u8>)>,
    is_honest: bool,
    /// What was said of the first nonsense.
    corrupt: Option<String>,
    sent: VecDeque<(Pushed, Vec<u8>)>,
    sequence: u64,
    seen: Seen,
}

/// Plays a script, whatever its bytes.
///
/// # Panics
/// When the parent does not stand it.
pub fn play(script: &[u8]) {
    let _ = watch(script);
}

/// Plays a script, and tells what it has led to.
///
/// # Panics
/// As [`play`].
pub fn watch(script: &[u8]) -> Seen {
    let (parent, memories) = ParentLane::create().expect("shared memory");
    let segment = Segment::new(memories[1].map(Access::ReadWrite).expect("a mapping"));
    let mut stage = Stage {
        parent,
        segment,
        honest: VecDeque::new(),
        is_honest: true,
        corrupt: None,
        sent: VecDeque::new(),
        sequence: 1,
        seen: Seen::new(),
    };
    let mut reader = Reader(script);
    for _ in 0..ACTS_MAX {
        if reader.0.is_empty() {
            break;
        }
        stage.act(&mut reader);
    }
    stage.take_all();
    stage.bury();
    stage.seen
}

impl Stage {
    fn act(&mut self, reader: &mut Reader<'_>) {
        match reader.byte() % 14 {
            0..=2 => self.send_honestly(reader),
            3 => self.send(reader),
            4 | 5 => self.take_all(),
            6 => self.claim(reader.number()),
            7 => self.release(),
            8 => self.bury(),
            9 => {
                let at = WORDS[usize::from(reader.byte()) % WORDS.len()];
                self.scribble(at, &(reader.number() as u32).to_le_bytes());
            }
            10 => {
                let tail = self.tail().wrapping_add(reader.number() as u32);
                self.scribble(b::RESPONSE_TAIL, &tail.to_le_bytes());
            }
            11 => {
                let (at, count) = (reader.number() as usize, usize::from(reader.byte()));
                self.scribble(at % B_BYTES, reader.bytes(count));
            }
            12 => {
                let word = reader.number() << 2 | u64::from(reader.byte() & 3);
                let place = usize::from(reader.byte());
                self.scribble(b::CLAIMS + place * 8, &word.to_le_bytes());
            }
            _ => self.forge(reader),
        }
    }

    fn see(&mut self, what: &str) {
        if !self.seen.contains(what) {
            self.seen.insert(what.to_owned());
        }
    }

    fn tail(&self) -> u32 {
        self.segment.word32(b::RESPONSE_TAIL).load(Ordering::Relaxed)
    }

    /// Writes bytes where they do not belong; what does not fit is left out.
    fn scribble(&mut self, at: usize, bytes: &[u8]) {
        self.is_honest = false;
        self.write(at, bytes);
    }

    fn write(&self, at: usize, bytes: &[u8]) {
        let fit = bytes.len().min(B_BYTES - at.min(B_BYTES));
        self.segment.copy_in(at.min(B_BYTES), &bytes[..fit]);
    }

    /// Sends a frame as a worker does, a skip frame before it if that must be; if there is room.
    fn send_honestly(&mut self, reader: &mut Reader<'_>) {
        let count = reader.number() as usize % 3000;
        let payload: Vec<u8> = reader.bytes(8).iter().copied().cycle().take(count).collect();
        let kind = u16::from(reader.byte());
        let payload_bytes = payload.len() as u32;
        let (sequence, word) = (reader.number(), reader.number());
        let header = Header { kind, payload_bytes, sequence, word, ..Header::default() };
        let tail = self.tail();
        let to_end = RESPONSE_SLOTS - tail % RESPONSE_SLOTS;
        let skip = if header.slots() > to_end { to_end } else { 0 };
        let filled = tail.wrapping_sub(self.parent.watch().response_head());
        if filled.saturating_add(skip + header.slots()) > RESPONSE_SLOTS {
            return self.see("full");
        }
        if skip > 0 {
            let bytes = (skip as usize * SLOT_BYTES - HEADER_BYTES) as u32;
            let kind = crate::frame::KIND_SKIP;
            self.publish(Header { kind, payload_bytes: bytes, ..Header::default() }, &[]);
            self.see("skip");
        }
        self.publish(header, &payload);
        if self.is_honest {
            self.honest.push_back((header, payload));
        }
    }

    /// Writes a frame at the tail that this side shows, and moves it.
    fn publish(&self, header: Header, payload: &[u8]) {
        let tail = self.tail();
        let at = b::DATA + (tail % RESPONSE_SLOTS) as usize * SLOT_BYTES;
        self.write(at, &header.to_bytes());
        self.write(at + HEADER_BYTES, payload);
        let word = self.segment.word32(b::RESPONSE_TAIL);
        word.store(tail.wrapping_add(header.slots()), Ordering::Release);
    }

    /// Any header at all, and a tail behind it that may be another than its frame's.
    fn forge(&mut self, reader: &mut Reader<'_>) {
        self.is_honest = false;
        let mut bytes = [0; HEADER_BYTES];
        let some = reader.bytes(HEADER_BYTES);
        bytes[..some.len()].copy_from_slice(some);
        let header = Header::from_bytes(&bytes);
        assert_eq!(header.to_bytes(), bytes, "a header is its bytes");
        let tail = self.tail();
        self.write(b::DATA + (tail % RESPONSE_SLOTS) as usize * SLOT_BYTES, &bytes);
        let slots = match reader.byte() {
            0xff => header.slots(),
            few => u32::from(few),
        };
        let word = self.segment.word32(b::RESPONSE_TAIL);
        word.store(tail.wrapping_add(slots), Ordering::Release);
    }

    /// The parent takes every frame that is there.
    fn take_all(&mut self) {
        let mut slots = 0;
        loop {
            match self.parent.peek() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    assert!(self.corrupt.is_none(), "a frame after nonsense");
                    let mut payload = vec![0; frame.header.payload_bytes as usize];
                    self.parent.copy_payload_exact(&frame, &mut payload);
                    slots += slots_for(payload.len());
                    assert!(slots <= RESPONSE_SLOTS, "more slots than the ring has");
                    self.parent.advance(&frame);
                    self.see("frame");
                    if let Some(sent) = self.honest.pop_front() {
                        let is_it = !self.is_honest || sent == (frame.header, payload);
                        assert!(is_it, "an honest frame came otherwise: {:?}", frame.header);
                    } else {
                        assert!(!self.is_honest, "a frame that nobody sent");
                    }
                }
                Err(corrupt) => {
                    assert!(!self.is_honest, "an honest worker is accused: {corrupt}");
                    self.see(&corrupt.to_string());
                    self.corrupt.get_or_insert_with(|| corrupt.to_string());
                    break;
                }
            }
        }
        assert!(!self.is_honest || self.honest.is_empty(), "an honest frame did not come");
        self.parent.wake_for_space();
    }

    /// The parent sends a request.
    fn send(&mut self, reader: &mut Reader<'_>) {
        let count = reader.number() as usize % 2000;
        let payload: Vec<u8> = reader.bytes(4).iter().copied().cycle().take(count).collect();
        let header = Header { kind: 1, sequence: self.sequence, ..Header::default() };
        if self.sent.len() < SENT_MAX
            && let Some(pushed) = self.parent.send(header, &payload)
        {
            self.sequence += 1;
            self.sent.push_back((pushed, payload));
            self.parent.wake_worker();
        }
    }

    /// The parent looks whether a request was begun, and takes it back if not.
    fn claim(&mut self, sequence: u64) {
        let was_begun = self.parent.is_begun(sequence);
        let is_taken = self.parent.take_back(sequence);
        assert!(!(was_begun && is_taken), "a request that was begun is taken back");
        self.see(if is_taken { "taken back" } else { "not taken back" });
    }

    /// The parent forgets the first request; those behind it are as they were sent.
    fn release(&mut self) {
        let _ = self.parent.request_head();
        if let Some((pushed, payload)) = self.sent.pop_front() {
            assert_eq!(self.parent.read_back(&pushed), payload, "what was sent is intact");
            self.parent.release_requests(pushed.end);
        }
        for (pushed, payload) in &self.sent {
            assert_eq!(&self.parent.read_back(pushed), payload, "what was sent is intact");
        }
    }

    /// What is looked at when a worker has died, and before.
    fn bury(&mut self) {
        let _ = self.parent.finished_items();
        let watch = self.parent.watch().clone();
        let _ = watch.has_responses() | watch.worker_is_asleep();
        watch.raise_leader();
        watch.lower_leader();
        if let Some(progress) = self.parent.unfinished_part() {
            assert!(self.corrupt.is_none(), "a part after nonsense");
            assert!(progress.bytes.len() <= RESPONSE_SLOTS as usize * SLOT_BYTES - HEADER_BYTES);
            self.see("part");
        }
    }
}
