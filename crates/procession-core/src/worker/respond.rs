//! How a call's end gets to the parent.

use super::bulk::OwnBulk;
use crate::message::{PanicReport, Record, response, status};
use crate::payload::Finished;
use procession_ipc::bulk::Bulk;
use procession_ipc::frame::{FLAG_BULK, Header};
use procession_ipc::lane::WorkerLane;
use std::time::{Duration, Instant};

/// Longest wait for a bulk segment that the parent gives back.
const BULK_PATIENCE: Duration = Duration::from_secs(10);

/// How one call failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// It panicked.
    Panic(PanicReport),
    /// Its arguments or its result could not be decoded or encoded.
    Codec(String),
}

impl Failure {
    /// The status and the bytes of an end without a value; cut so that they always fit into a ring.
    pub(super) fn encode(self) -> (u64, Vec<u8>) {
        match self {
            Self::Panic(report) => {
                let bytes = postcard::to_allocvec(&cut(report)).expect("a report is plain text");
                (status::PANIC, bytes)
            }
            Self::Codec(mut message) => {
                shorten(&mut message, 4096);
                (status::CODEC, message.into_bytes())
            }
        }
    }
}

fn shorten(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
}

fn cut(mut report: PanicReport) -> PanicReport {
    shorten(&mut report.message, 4096);
    if let Some(location) = &mut report.location {
        shorten(location, 1024);
    }
    if let Some(backtrace) = &mut report.backtrace {
        shorten(backtrace, 2048);
    }
    report
}

/// Sends a result in a bulk segment, or why it could not be.
pub(super) fn respond_bulk(
    lane: &mut WorkerLane,
    own: &OwnBulk,
    header: Header,
    finished: Finished,
) {
    match move_to_bulk(lane, own, finished).and_then(|bulk| introduce(own, bulk)) {
        Ok(bulk) => {
            let reference = bulk.reference().to_bytes();
            let flags = header.flags | FLAG_BULK;
            // Lent before it is named, so that it is counted when it comes back.
            own.lend(bulk);
            lane.respond(Header { flags, ..header }, &reference);
        }
        Err(message) => respond_codec(lane, header, &message),
    }
}

/// Waits for a bulk segment: there is one as soon as the parent has read one.
fn move_to_bulk(lane: &mut WorkerLane, own: &OwnBulk, finished: Finished) -> Result<Bulk, String> {
    let bytes = match finished {
        Finished::Bulk(bulk) => return Ok(bulk),
        Finished::Private(bytes) => bytes,
    };
    let deadline = Instant::now() + BULK_PATIENCE;
    loop {
        own.collect(lane);
        match own.fill(&bytes) {
            Ok(Some(bulk)) => return Ok(bulk),
            Ok(None) => {}
            // None will be given back in whose place another could be made.
            Err(error) if !own.has_any_away() => return Err(cannot_send(bytes.len(), &error)),
            Err(_) => {}
        }
        if Instant::now() >= deadline {
            return Err(cannot_send(bytes.len(), &"the parent gives none back"));
        }
        lane.wait_for_room();
    }
}

fn cannot_send(bytes: usize, why: &dyn std::fmt::Display) -> String {
    format!("no shared memory for a result of {bytes} bytes: {why}")
}

fn introduce(own: &OwnBulk, bulk: Bulk) -> Result<Bulk, String> {
    match own.introduce(&bulk) {
        Ok(()) => Ok(bulk),
        Err(error) => Err(format!("cannot send a segment of shared memory: {error}")),
    }
}

/// Answers with a codec failure in the place of a large result.
fn respond_codec(lane: &mut WorkerLane, header: Header, message: &str) {
    if header.kind == response::DONE {
        lane.respond(Header { word: status::CODEC, ..header }, message.as_bytes());
    } else {
        let mut record = Record::head(status::CODEC, message.len()).to_vec();
        record.extend_from_slice(message.as_bytes());
        let header = Header { kind: response::PART, word: 1, ..header };
        lane.respond(header, &record);
    }
}
