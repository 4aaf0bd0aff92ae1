//! The loop that runs tasks.

use super::bulk::OwnBulk;
use super::control::{self, Views};
use super::panic_hook;
use crate::face::{self, CallError, Code};
use crate::message::{Boot, PanicReport, Parcel, Record, Role, request, response, status};
use crate::payload::{BulkSource, Finished, Input, Output, Receipt};
use procession_ipc::bulk::{Bulk, Reference};
use procession_ipc::frame::{FLAG_BULK, Header};
use procession_ipc::lane::WorkerLane;
use procession_ipc::layout::INLINE_BYTES_MAX;
use procession_ipc::ring::{Frame, Part};
use procession_os::control::Control;
use procession_os::process::exit_now;
use std::sync::Arc;
use std::time::Instant;

/// Exit code of a `Process` whose target panicked, as in Python.
const PANICKED: i32 = 1;
/// Exit code of a worker that cannot read its lane.
const LANE_BROKEN: i32 = 115;
/// Room for records in one part of a chunk's results.
const PART_BYTES: usize = 8 * 1024;

struct Worker {
    lane: WorkerLane,
    views: Arc<Views>,
    bulk: OwnBulk,
    scratch: Vec<u8>,
    role: Role,
}

/// How one call ended: what was encoded, a panic, or a codec failure.
enum Ended {
    Value(Finished),
    Panic(PanicReport),
    Codec(String),
}

impl Ended {
    /// The status and the bytes of an end without a value.
    fn failure(&self) -> (u64, Vec<u8>) {
        match self {
            Self::Panic(report) => {
                let bytes = postcard::to_allocvec(report).expect("a report is plain text");
                (status::PANIC, bytes)
            }
            Self::Codec(message) => {
                let mut message = message.clone();
                shorten(&mut message, 4096);
                (status::CODEC, message.into_bytes())
            }
            Self::Value(_) => unreachable!("a value is no failure"),
        }
    }
}

fn shorten(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
}

/// A failure's text is cut so that it always fits into a ring.
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

/// Works until told to stop, then exits the process.
pub(crate) fn run(boot: Boot, lane: WorkerLane, control: Control) -> ! {
    panic_hook::install(boot.role == Role::Process);
    let control = Arc::new(control);
    let Ok(views) = control::start(control.clone()) else {
        let why = "a worker cannot start its control thread".to_owned();
        // If this cannot be sent either, the exit code is all the parent gets.
        let _ = control.send(&Parcel::Refusal(why).to_bytes(), &[]);
        exit_now(crate::start::bootstrap::REFUSED)
    };
    let mut worker = Worker {
        lane,
        views,
        bulk: OwnBulk::new(control),
        scratch: Vec::new(),
        role: boot.role,
    };
    let hello = Header { kind: response::HELLO, ..Header::default() };
    worker.lane.respond(hello, procession_os::image::identity().as_bytes());
    worker.lane.wake_parent();
    worker.work()
}

impl Worker {
    fn work(&mut self) -> ! {
        let mut payload = Vec::new();
        loop {
            let Ok(frame) = self.lane.next() else { exit_now(LANE_BROKEN) };
            let header = frame.header;
            match header.kind {
                request::STOP => std::process::exit(0),
                request::BEGIN => self.ready(&frame),
                _ if !self.lane.begin(header.sequence) => self.lane.pass(&frame),
                kind => {
                    self.lane.copy_payload(&frame, &mut payload);
                    match kind {
                        request::TASK => self.run_task(&frame, &payload),
                        request::CHUNK => self.run_chunk(&frame, &payload),
                        request::INITIALIZE => self.initialize(&frame, &payload),
                        _ => exit_now(LANE_BROKEN),
                    }
                }
            }
        }
    }

    fn ready(&mut self, frame: &Frame) {
        let header = Header { kind: response::READY, ..Header::default() };
        self.lane.respond(header, &[]);
        self.lane.pass(frame);
    }

    /// Reads the payload of a request that came in a bulk segment.
    fn receipt(&self, payload: &[u8]) -> Option<Receipt> {
        let reference = Reference::from_bytes(payload)?;
        Receipt::new(self.views.get(reference.id), reference.bytes, None)
    }

    fn call(&mut self, frame: &Frame, payload: &[u8]) -> Ended {
        if frame.header.flags & FLAG_BULK == 0 {
            return self.call_with(frame.header.word, &mut Input::Slice(payload));
        }
        match self.receipt(payload) {
            Some(receipt) => self.call_with(frame.header.word, &mut Input::Bulk(&receipt, 0)),
            None => exit_now(LANE_BROKEN),
        }
    }

    fn call_with(&mut self, code: Code, input: &mut Input<'_>) -> Ended {
        let mut output = Output::new(std::mem::take(&mut self.scratch), Some(&self.bulk));
        match panic_hook::catch(|| face::installed().call(code, input, &mut output)) {
            Ok(Ok(())) => {
                let (finished, scratch) = output.finish();
                self.scratch = scratch;
                Ended::Value(finished)
            }
            Ok(Err(CallError { message })) => Ended::Codec(message),
            Err(report) => Ended::Panic(cut(report)),
        }
    }

    fn run_task(&mut self, frame: &Frame, payload: &[u8]) {
        self.bulk.collect(&self.lane);
        let start = Instant::now();
        let ended = self.call(frame, payload);
        let header = Header {
            kind: response::DONE,
            sequence: frame.header.sequence,
            extra: start.elapsed().as_nanos() as u64,
            ..Header::default()
        };
        let panicked = matches!(ended, Ended::Panic(_));
        match ended {
            Ended::Value(Finished::Private(bytes)) if bytes.len() <= INLINE_BYTES_MAX => {
                self.lane.respond(header, &bytes);
                self.scratch = bytes;
            }
            Ended::Value(finished) => self.respond_bulk(header, finished),
            failure => {
                let (word, bytes) = failure.failure();
                self.lane.respond(Header { word, ..header }, &bytes);
            }
        }
        self.lane.pass(frame);
        if self.role == Role::Process {
            std::process::exit(if panicked { PANICKED } else { 0 });
        }
    }

    fn initialize(&mut self, frame: &Frame, payload: &[u8]) {
        let (header, bytes) = match self.call(frame, payload) {
            Ended::Value(finished) => {
                if let Finished::Bulk(bulk) = finished {
                    self.bulk.put_bulk(bulk); // Nobody reads what an initializer returns.
                }
                (Header { kind: response::READY, ..Header::default() }, Vec::new())
            }
            failure => {
                let (word, bytes) = failure.failure();
                (Header { kind: response::INITIALIZER_FAILED, word, ..Header::default() }, bytes)
            }
        };
        self.lane.respond(header, &bytes);
        self.lane.pass(frame);
    }

    /// Waits for a bulk segment: there is one as soon as the parent has read one.
    fn to_bulk(&mut self, finished: Finished) -> Result<Bulk, String> {
        let bytes = match finished {
            Finished::Bulk(bulk) => return Ok(bulk),
            Finished::Private(bytes) => bytes,
        };
        let deadline = Instant::now() + std::time::Duration::from_secs(10);
        loop {
            self.bulk.collect(&self.lane);
            if let Some(mut bulk) = self.bulk.take_bulk(bytes.len()) {
                let fits = bulk.append(&bytes);
                assert!(fits, "the segment was made for these bytes");
                return Ok(bulk);
            }
            if Instant::now() >= deadline {
                return Err(format!("no shared memory for a result of {} bytes", bytes.len()));
            }
            self.lane.wait_for_room();
        }
    }

    fn respond_bulk(&mut self, header: Header, finished: Finished) {
        match self.to_bulk(finished).and_then(|bulk| self.introduce(bulk)) {
            Ok(bulk) => {
                let reference = bulk.reference().to_bytes();
                let flags = header.flags | FLAG_BULK;
                // Lent before it is named, so that it is counted when it comes back.
                self.bulk.lend(bulk);
                self.lane.respond(Header { flags, ..header }, &reference);
            }
            Err(message) => self.respond_codec(header, &message),
        }
    }

    fn introduce(&mut self, bulk: Bulk) -> Result<Bulk, String> {
        match self.bulk.introduce(&bulk) {
            Ok(()) => Ok(bulk),
            Err(error) => Err(format!("cannot send a segment of shared memory: {error}")),
        }
    }

    /// Answers with a codec failure in the place of a large result.
    fn respond_codec(&mut self, header: Header, message: &str) {
        if header.kind == response::DONE {
            self.lane.respond(Header { word: status::CODEC, ..header }, message.as_bytes());
        } else {
            let mut record = Record::head(status::CODEC, message.len()).to_vec();
            record.extend_from_slice(message.as_bytes());
            let header = Header { kind: response::PART, word: 1, ..header };
            self.lane.respond(header, &record);
        }
    }

    fn run_chunk(&mut self, frame: &Frame, payload: &[u8]) {
        if frame.header.flags & FLAG_BULK != 0 {
            let Some(receipt) = self.receipt(payload) else { exit_now(LANE_BROKEN) };
            let items = receipt.to_vec();
            self.run_items(frame, &items);
        } else {
            self.run_items(frame, payload);
        }
        self.lane.pass(frame);
    }

    fn run_items(&mut self, frame: &Frame, mut items: &[u8]) {
        let count = frame.header.extra;
        let header = Header {
            kind: response::PART,
            sequence: frame.header.sequence,
            ..Header::default()
        };
        let mut start = Instant::now();
        let mut part: Option<Part> = None;
        let mut in_part = 0;
        for index in 0..count {
            let Some((length, rest)) = items.split_first_chunk::<4>() else { exit_now(LANE_BROKEN) };
            let Some((item, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)
            else {
                exit_now(LANE_BROKEN)
            };
            items = rest;
            // Opened before the item runs, so that its predecessors are counted if it dies.
            let mut open = match part.take() {
                Some(open) => open,
                None => self.lane.open_part(PART_BYTES),
            };
            let ended = self.call_with(frame.header.word, &mut Input::Slice(item));
            let last = if index + 1 == count { response::FLAG_LAST } else { 0 };
            let (word, bytes, large) = match ended {
                Ended::Value(Finished::Private(bytes)) if bytes.len() + 4 <= PART_BYTES => {
                    (status::VALUE, bytes, None)
                }
                Ended::Value(finished) => (status::VALUE, Vec::new(), Some(finished)),
                failure => {
                    let (word, bytes) = failure.failure();
                    (word, bytes, None)
                }
            };
            let full = large.is_some() || open.room() < bytes.len() + 4;
            if full && in_part > 0 {
                self.commit(open, Header { word: u64::from(in_part), ..header }, &mut start);
                in_part = 0;
                open = self.lane.open_part(PART_BYTES);
            }
            if let Some(finished) = large {
                // The part stays empty; the ring's tail has not moved, so it is simply left.
                drop(open);
                self.bulk.collect(&self.lane);
                let extra = start.elapsed().as_nanos() as u64;
                start = Instant::now();
                let item = Header { kind: response::ITEM, word: 1, flags: last, extra, ..header };
                self.respond_bulk(item, finished);
                self.lane.wake_parent();
                continue;
            }
            in_part += 1;
            self.lane.append(&mut open, [&Record::head(word, bytes.len()), &bytes], in_part);
            self.scratch = bytes;
            if last != 0 {
                self.commit(open, Header { word: u64::from(in_part), flags: last, ..header }, &mut start);
            } else {
                part = Some(open);
            }
        }
    }

    fn commit(&mut self, part: Part, header: Header, start: &mut Instant) {
        let extra = start.elapsed().as_nanos() as u64;
        *start = Instant::now();
        self.lane.commit_part(part, Header { extra, ..header });
        self.lane.wake_parent();
    }
}
