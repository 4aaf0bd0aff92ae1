//! A lane as the process sees it that has lost its mind: what to spoil in it, and how.

use super::memory::Region;
use crate::Random;
use procession_ipc::frame::{FLAG_BULK, HEADER_BYTES, Header, KIND_SKIP};
use procession_ipc::layout::{
    A_BYTES, B_BYTES, REQUEST_SLOTS, RESPONSE_SLOTS, SLOT_BYTES, WINDOW_MAX, a, b,
};

/// The two segments of a lane of this process.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    a: Region,
    b: Region,
    /// Sequence of the request that is answered here when this was found.
    sequence: u64,
    /// That request has no outcome yet.
    is_answering: bool,
}

/// Bytes of a page, to which mappings are rounded.
const PAGE: usize = 4096;

impl Lane {
    /// All lanes of this process. Which of several segments belong together cannot be seen; it does not
    /// matter to a mad process.
    pub(super) fn all(regions: &[Region]) -> Vec<Self> {
        let of = |name: &'static str, bytes: usize| {
            let is_one = move |region: &&Region| {
                region.is_called(name) && region.bytes() == bytes.next_multiple_of(PAGE)
            };
            regions.iter().filter(is_one).cloned().collect::<Vec<_>>()
        };
        let requests = of("procession-lane-a", A_BYTES);
        let responses = of("procession-lane-b", B_BYTES);
        let pairs = requests.into_iter().zip(responses);
        pairs
            .filter(|(_, b)| b.is_writable())
            .map(|(a, b)| {
                let sequence = Self::sequence_of(&a, &b);
                Self { a, b, sequence, is_answering: true }
            })
            .collect()
    }

    /// The sequence of the first request that was not passed.
    fn sequence_of(a: &Region, b: &Region) -> u64 {
        let mut position = b.word32(b::REQUEST_HEAD);
        for _ in 0..2 {
            let slot = (position % REQUEST_SLOTS) as usize;
            let header = Header::from_bytes(&a.read::<HEADER_BYTES>(a::DATA + slot * SLOT_BYTES));
            if header.kind != KIND_SKIP {
                return header.sequence;
            }
            position = position.wrapping_add(header.slots());
        }
        0
    }

    /// Whether the parent has read all that this side has published.
    pub(super) fn is_drained(&self) -> bool {
        self.a.word32(a::RESPONSE_HEAD) == self.b.word32(b::RESPONSE_TAIL)
    }

    /// Notes that the request may be answered from now on.
    pub(super) fn answer(&mut self) {
        self.is_answering = false;
    }

    /// Spoils something.
    pub(super) fn spoil(&mut self, random: &mut Random) {
        match random.below(14) {
            0 => self.scribble(0, self.b.bytes(), random),
            1 => self.scribble(0, b::DATA, random),
            2 => self.scribble(b::DATA, self.b.bytes() - b::DATA, random),
            3 => {
                for _ in 0..random.below(200) {
                    let count = 1 + random.below(64) as usize;
                    let at = random.below((self.b.bytes() - count) as u64) as usize;
                    self.scribble(at, count, random);
                }
            }
            4 => self.move_word(b::RESPONSE_TAIL, random),
            5 => self.move_word(b::REQUEST_HEAD, random),
            6 => {
                let words = [b::URGENT, b::WORKER_ASLEEP, b::SPACE_WANTED, b::WORKER_ASLEEP + 4];
                self.move_word(words[random.below(4) as usize], random);
            }
            7 => self.claim(random),
            8 if self.is_answering => self.boast(random),
            9 => self.fill_with_headers(random),
            _ => self.forge(1 + random.below(40), random),
        }
        if random.below(2) == 0 {
            self.b.wake(if random.below(4) == 0 { b::URGENT } else { b::RESPONSE_TAIL });
        }
    }

    fn scribble(&self, from: usize, count: usize, random: &mut Random) {
        let mut bytes = vec![0; count];
        random.fill(&mut bytes);
        self.b.write(from, &bytes);
    }

    /// Sets a word to something near what it is, or far from it.
    fn move_word(&self, at: usize, random: &mut Random) {
        let now = self.b.word32(at);
        let word = match random.below(6) {
            0 => now.wrapping_add(1),
            1 => now.wrapping_sub(1),
            2 => now.wrapping_add(random.below(u64::from(RESPONSE_SLOTS) + 2) as u32),
            3 => now.wrapping_sub(random.below(u64::from(RESPONSE_SLOTS) + 2) as u32),
            4 => random.below(3) as u32,
            _ => random.number() as u32,
        };
        self.b.set_word32(at, word);
    }

    /// Claims requests that it has, had or will have, for itself, for the parent or for nobody.
    fn claim(&self, random: &mut Random) {
        for _ in 0..1 + random.below(WINDOW_MAX as u64) {
            let sequence = self.sequence.wrapping_add(random.below(8)).wrapping_sub(2);
            let word = sequence << 2 | random.below(4);
            self.b.write(b::CLAIMS + (sequence as usize % WINDOW_MAX) * 8, &word.to_ne_bytes());
        }
    }

    /// Says how far a part has come that is not there. Only as long as the mad task has no outcome: later
    /// the next request may be an honest one, and what its worker says of it is believed.
    fn boast(&self, random: &mut Random) {
        let tail = self.b.word32(b::RESPONSE_TAIL);
        let items = random.below(300);
        let bytes = if random.below(2) == 0 { random.below(70_000) } else { random.number() };
        self.b.set_word32(b::PROGRESS_AT, tail);
        self.b.write(b::PROGRESS, &(items << 32 | bytes & u64::from(u32::MAX)).to_ne_bytes());
    }

    /// Writes headers into every slot, and a tail that makes them count.
    fn fill_with_headers(&mut self, random: &mut Random) {
        self.answer();
        for slot in 0..RESPONSE_SLOTS as usize {
            let header = self.header(random);
            self.b.write(b::DATA + slot * SLOT_BYTES, &header.to_bytes());
        }
        self.move_word(b::RESPONSE_TAIL, random);
    }

    /// Publishes frames as the worker would, with the worker's own request in mind.
    fn forge(&mut self, count: u64, random: &mut Random) {
        // One of them may be an outcome.
        self.answer();
        let mut tail = self.b.word32(b::RESPONSE_TAIL);
        for _ in 0..count {
            let mut header = self.header(random);
            let at = b::DATA + (tail % RESPONSE_SLOTS) as usize * SLOT_BYTES;
            let room = self.b.bytes() - at - HEADER_BYTES;
            if random.below(8) > 0 {
                header.payload_bytes = header.payload_bytes.min(random.below(200) as u32);
            }
            let mut payload = vec![0; (header.payload_bytes as usize).min(room)];
            random.fill(&mut payload);
            if header.flags & FLAG_BULK != 0 && payload.len() >= 16 {
                // A segment that there may be, and a length that it may have.
                payload[..8].copy_from_slice(&random.below(3).to_le_bytes());
                payload[8..16]
                    .copy_from_slice(&(random.number() >> random.below(64)).to_le_bytes());
            }
            self.b.write(at, &header.to_bytes());
            self.b.write(at + HEADER_BYTES, &payload);
            tail = tail.wrapping_add(header.slots());
            self.b.set_word32(b::RESPONSE_TAIL, tail);
        }
    }

    /// A header that may mean something. It never speaks of a request behind its own: what it would say
    /// of one that is honest would be believed, and rightly so.
    fn header(&self, random: &mut Random) -> Header {
        let far = 1 << 40;
        Header {
            kind: if random.below(10) == 0 { KIND_SKIP } else { random.below(8) as u16 },
            flags: random.below(4) as u16,
            payload_bytes: match random.below(3) {
                0 => random.below(100) as u32,
                1 => random.below(20_000) as u32,
                _ => random.number() as u32,
            },
            sequence: match random.below(6) {
                0 => self.sequence.wrapping_sub(random.below(300)),
                1 => far + random.below(10),
                2 => u64::MAX - random.below(3),
                _ => self.sequence,
            },
            word: if random.below(4) == 0 { random.number() } else { random.below(6) },
            extra: random.number() >> random.below(64),
        }
    }
}
