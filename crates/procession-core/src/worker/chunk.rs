//! Running the calls of a chunk.

use super::bulk::OwnBulk;
use super::current::{self, Running};
use super::fitness::Fitness;
use super::panic_hook;
use super::respond::{Failure, respond_bulk};
use super::run::LANE_BROKEN;
use crate::face::{self, CallError, Calls, Code};
use crate::message::{Record, request, response, status};
use crate::payload::Output;
use procession_ipc::frame::Header;
use procession_ipc::lane::WorkerLane;
use procession_ipc::ring::Part;
use procession_os::process::exit_now;
use std::time::Instant;

/// Room for records in one part of a chunk's results.
const PART_BYTES: usize = 8 * 1024;

/// How a chunk has come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// All calls were made.
    Whole,
    /// This worker is to be replaced, and makes no more of them.
    Early,
    /// Nobody wants the rest.
    Unwanted,
}

/// A chunk that is being run.
pub(super) struct Chunk<'w> {
    lane: &'w mut WorkerLane,
    own: &'w OwnBulk,
    fitness: &'w mut Fitness,
    output: Output<'w>,
    items: &'w [u8],
    left: u64,
    count: u64,
    attempts_before: u32,
    results: Results,
    stop: Stop,
}

impl<'w> Chunk<'w> {
    /// The chunk that a request's header speaks of, with these items.
    pub(super) fn new(
        lane: &'w mut WorkerLane,
        own: &'w OwnBulk,
        fitness: &'w mut Fitness,
        scratch: Vec<u8>,
        header: &Header,
        items: &'w [u8],
    ) -> Self {
        let results =
            Results { sequence: header.sequence, part: None, count: 0, since: Instant::now() };
        let output = Output::new(scratch, Some(own));
        let (count, attempts_before) = request::split_extra(header.extra);
        let (left, stop) = (count, Stop::Whole);
        Self { lane, own, fitness, output, items, left, count, attempts_before, results, stop }
    }

    /// Makes all calls, unless this worker is to be replaced before the last, or nobody wants the rest;
    /// gives the scratch memory back.
    pub(super) fn run(mut self, code: Code) -> (Vec<u8>, Stop) {
        while self.left > 0 {
            let before = self.left;
            let failure = match panic_hook::catch(|| face::installed().call_each(code, &mut self)) {
                Ok(Ok(())) => break,
                Ok(Err(CallError { message })) => Failure::Codec(message),
                Err(report) => {
                    self.fitness.note_panic();
                    Failure::Panic(report)
                }
            };
            // A face that fails without having taken a call has failed for the next one.
            if self.left == before && self.next().is_none() {
                break;
            }
            self.output.restart();
            let (word, bytes) = failure.encode();
            let last = self.last_flag();
            self.results.add(self.lane, word, &bytes, last);
        }
        current::set(None);
        if self.stop != Stop::Whole {
            self.results.commit(self.lane, 0);
        }
        (self.output.finish().1, self.stop)
    }

    fn last_flag(&self) -> u16 {
        if self.left == 0 { response::FLAG_LAST } else { 0 }
    }
}

impl<'w> Calls<'w> for Chunk<'w> {
    fn next(&mut self) -> Option<&[u8]> {
        if self.left > 0 && self.fitness.is_over() {
            self.stop = Stop::Early;
            return None;
        }
        if self.left > 0 && self.lane.is_to_end(self.results.sequence) {
            self.stop = Stop::Unwanted;
            return None;
        }
        self.fitness.begin();
        self.lane.note_turn();
        let index = self.count - self.left;
        self.left = self.left.checked_sub(1)?;
        let (sequence, attempts_before) = (self.results.sequence, self.attempts_before);
        current::set(Some(Running { sequence, index, attempts_before }));
        // Opened before the item runs: what is finished is counted if it dies.
        self.results.open(self.lane);
        match split_item(&mut self.items) {
            Some(item) => Some(item),
            None => exit_now(LANE_BROKEN),
        }
    }

    fn output(&mut self) -> &mut Output<'w> {
        &mut self.output
    }

    fn finish(&mut self) {
        let last = self.last_flag();
        if let Some(bytes) = self.output.private()
            && bytes.len() + 4 <= PART_BYTES
        {
            self.results.add(self.lane, status::VALUE, bytes, last);
            self.output.restart();
            return;
        }
        self.results.commit(self.lane, 0);
        self.own.collect(self.lane);
        let header = self.results.header(response::ITEM, 1, last);
        let output = std::mem::replace(&mut self.output, Output::new(Vec::new(), Some(self.own)));
        respond_bulk(self.lane, self.own, header, output.finish().0);
        self.lane.wake_parent();
    }
}

/// Takes the first item off a chunk's payload.
fn split_item<'a>(items: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = items.split_first_chunk::<4>()?;
    let (item, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *items = rest;
    Some(item)
}

/// The results of a chunk on their way into the ring.
struct Results {
    sequence: u64,
    part: Option<Part>,
    count: u32,
    since: Instant,
}

impl Results {
    /// Makes sure that a part is open.
    fn open(&mut self, lane: &mut WorkerLane) {
        if self.part.is_none() {
            self.part = Some(lane.open_part(PART_BYTES));
        }
    }

    /// The header of the next frame; the time since the last one is told with it.
    fn header(&mut self, kind: u16, count: u32, flags: u16) -> Header {
        let extra = self.since.elapsed().as_nanos() as u64;
        self.since = Instant::now();
        Header { kind, flags, sequence: self.sequence, word: count.into(), extra, payload_bytes: 0 }
    }

    /// Adds one item's result, in a new part if it does not fit into this one.
    fn add(&mut self, lane: &mut WorkerLane, word: u64, bytes: &[u8], last: u16) {
        if self.part.as_ref().is_some_and(|part| part.room() < bytes.len() + 4) {
            self.commit(lane, 0);
        }
        self.open(lane);
        self.count += 1;
        if let Some(part) = &mut self.part {
            lane.append(part, [&Record::head(word, bytes.len()), bytes], self.count);
        }
        if last != 0 {
            self.commit(lane, last);
        }
    }

    /// Publishes what was added so far. An open part without items is left as it is: the ring's
    /// tail has not moved.
    fn commit(&mut self, lane: &mut WorkerLane, last: u16) {
        let Some(part) = self.part.take() else { return };
        if self.count > 0 {
            let header = self.header(response::PART, self.count, last);
            self.count = 0;
            lane.commit_part(part, header);
            lane.wake_parent();
        }
    }
}
