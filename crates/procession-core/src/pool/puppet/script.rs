//! Bytes as a script.

use super::stage::{MAD, Stage};
use crate::message::{response, status};
use crate::task::Terms;
use procession_ipc::frame::Header;
use procession_ipc::fuzz::WORDS;
use procession_ipc::layout::{WINDOW_MAX, b};
use std::time::Duration;

/// Most acts of a script.
const ACTS_MAX: usize = 200;
/// Most tasks and maps of a script.
const WORK_MAX: usize = 40;

/// Reads a script; behind its end are zeros.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A number that is small more often than not.
    fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..0xf8 => small.into(),
            0xf8..0xfc => u64::from(self.byte()) << 8 | u64::from(self.byte()),
            0xfc => u64::MAX - u64::from(self.byte()),
            0xfd => 1 << (self.byte() % 64),
            _ => self.bytes(8).iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
        }
    }
}

/// Performs a script.
pub(super) fn perform(script: &[u8], stage: &mut Stage) {
    let mut reader = Reader(script);
    let mut work = 0;
    for _ in 0..ACTS_MAX {
        if reader.0.is_empty() {
            break;
        }
        match reader.byte() % 20 {
            0 if work < WORK_MAX => {
                work += 1;
                stage.submit(&terms(reader.byte()));
            }
            1 if work < WORK_MAX => {
                work += 1;
                let (count, chunk) = (1 + reader.number() % 24, usize::from(reader.byte() % 9));
                let terms = terms(reader.byte());
                stage.submit_map(count, (chunk > 0).then_some(chunk), terms);
            }
            2 => stage.collect(),
            3 | 4 => {
                let act = reader.byte();
                stage.answer(usize::from(act & 1), usize::from(act >> 1 & 7));
            }
            5 => stage.end(usize::from(reader.byte() & 1)),
            6 => stage.reap(),
            7 => stage.look_at_clocks(),
            8 => {
                let act = reader.byte();
                stage.cancel(usize::from(act >> 1), act & 1 == 1);
            }
            9 => stage.take_deliveries(),
            _ => act_mad(&mut reader, stage),
        }
    }
}

/// Without limit, or with one that is over at once, or with an attempt more.
fn terms(byte: u8) -> Terms {
    match byte % 8 {
        5 => Terms { timeout: Some(Duration::ZERO), retries: 0 },
        6 => Terms { timeout: None, retries: 1 },
        7 => Terms { timeout: Some(Duration::ZERO), retries: 1 },
        _ => Terms::default(),
    }
}

/// Something that no worker does.
fn act_mad(reader: &mut Reader<'_>, stage: &mut Stage) {
    let sequence = stage.first_sequence();
    let act = reader.byte() % 11;
    stage.with(MAD, |puppet| match act {
        0 => {
            let at = WORDS[usize::from(reader.byte()) % WORDS.len()];
            puppet.scribble(at, &(reader.number() as u32).to_le_bytes());
        }
        1 => {
            let tail = puppet.tail().wrapping_add(reader.number() as u32);
            puppet.scribble(b::RESPONSE_TAIL, &tail.to_le_bytes());
        }
        2 => {
            let at = reader.number() as usize;
            let count = usize::from(reader.byte());
            puppet.scribble(at, reader.bytes(count));
        }
        3 => {
            let sequence = sequence.wrapping_add(reader.number());
            let word = sequence << 2 | u64::from(reader.byte() & 3);
            puppet.scribble(b::CLAIMS + (sequence as usize % WINDOW_MAX) * 8, &word.to_le_bytes());
        }
        4 => {
            let (tail, items, bytes) = (puppet.tail(), reader.number(), reader.number());
            puppet.scribble(b::PROGRESS_AT, &tail.to_le_bytes());
            puppet.scribble(b::PROGRESS, &(items << 32 | bytes & 0xffff_ffff).to_le_bytes());
        }
        5 => puppet.begin(u32::from(reader.byte())),
        6 => {
            let (id, bytes) = (reader.number() % 4, 1 + reader.number() as usize % 40_000);
            if reader.byte() & 1 == 0 {
                puppet.introduce(id, bytes);
            } else {
                puppet.introduce_nonsense(id, reader.byte());
            }
        }
        7 => {
            let kind = if reader.byte() & 1 == 0 { response::DONE } else { response::ITEM };
            let sequence = sequence.wrapping_add(reader.number() % 4);
            let (word, id, bytes) = (reader.number(), reader.number() % 4, reader.number());
            puppet.answer_large(kind, sequence, word, id, bytes);
        }
        8 => {
            let count = 1 + usize::from(reader.byte());
            let bytes = reader.bytes(count);
            puppet.say(if bytes.is_empty() { &[0] } else { bytes }, &[]);
        }
        9 => {
            let sequence = sequence.wrapping_add(reader.number() % 4);
            let (flags, items) = (u16::from(reader.byte() % 8), reader.number() % 26);
            puppet.forge_part(sequence, flags, items);
        }
        _ => {
            let (header, count) = header(reader, sequence);
            puppet.forge(header, reader.bytes(count));
        }
    });
}

/// A frame's header, and how many bytes of payload to take for it.
fn header(reader: &mut Reader<'_>, sequence: u64) -> (Header, usize) {
    let kind = u16::from(reader.byte());
    let count = usize::from(reader.byte());
    let header = Header {
        kind: if kind == 0xff { 0xffff } else { kind % 8 },
        flags: u16::from(reader.byte() % 4),
        payload_bytes: if count == 0xff { reader.number() as u32 } else { count as u32 },
        sequence: sequence.wrapping_add(reader.number()),
        word: if reader.byte() & 1 == 0 { status::VALUE } else { reader.number() },
        extra: reader.number(),
    };
    (header, count)
}
