//! The loop that runs tasks.

use super::bulk::OwnBulk;
use super::control::{self, Views};
use super::pace::Pace;
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
/// Exit code of a worker whose initializer failed; how is in its last response.
const NOT_INITIALIZED: i32 = 116;
/// Room for records in one part of a chunk's results.
const PART_BYTES: usize = 8 * 1024;

struct Worker {
    lane: WorkerLane,
    views: Arc<Views>,
    bulk: OwnBulk,
    scratch: Vec<u8>,
    pace: Pace,
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
        pace: Pace::default(),
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
            if !self.lane.has_request() {
                self.pace.pause();
            }
            let Ok(frame) = self.lane.next_request() else { exit_now(LANE_BROKEN) };
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
        self.pace.begin();
        let ended = self.call(frame, payload);
        let header = Header {
            kind: response::DONE,
            sequence: frame.header.sequence,
            extra: self.pace.end(),
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
        match self.call(frame, payload) {
            Ended::Value(finished) => {
                if let Finished::Bulk(bulk) = finished {
                    self.bulk.put_bulk(bulk); // Nobody reads what an initializer returns.
                }
                self.ready(frame);
            }
            failure => {
                let (word, bytes) = failure.failure();
                let header =
                    Header { kind: response::INITIALIZER_FAILED, word, ..Header::default() };
                self.lane.respond(header, &bytes);
                self.lane.pass(frame);
                // The tasks that wait behind it must not run here.
                std::process::exit(NOT_INITIALIZED)
            }
        }
    }

    /// Waits for a bulk segment: there is one as soon as the parent has read one.
    fn move_to_bulk(&mut self, finished: Finished) -> Result<Bulk, String> {
        let bytes = match finished {
            Finished::Bulk(bulk) => return Ok(bulk),
            Finished::Private(bytes) => bytes,
        };
        let deadline = Instant::now() + std::time::Duration::from_secs(10);
        loop {
            self.bulk.collect(&self.lane);
            if let Some(bulk) = self.bulk.fill_bulk(&bytes) {
                return Ok(bulk);
            }
            if Instant::now() >= deadline {
                return Err(format!("no shared memory for a result of {} bytes", bytes.len()));
            }
            self.lane.wait_for_room();
        }
    }

    fn respond_bulk(&mut self, header: Header, finished: Finished) {
        match self.move_to_bulk(finished).and_then(|bulk| self.introduce(bulk)) {
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
        let sequence = frame.header.sequence;
        let mut results = Results { sequence, part: None, count: 0, since: Instant::now() };
        for left in (0..frame.header.extra).rev() {
            let Some(item) = split_item(&mut items) else { exit_now(LANE_BROKEN) };
            // Opened before the item runs: what is finished is counted if it dies.
            results.open(&mut self.lane);
            let ended = self.call_with(frame.header.word, &mut Input::Slice(item));
            let last = if left == 0 { response::FLAG_LAST } else { 0 };
            match ended {
                Ended::Value(Finished::Private(bytes)) if bytes.len() + 4 <= PART_BYTES => {
                    results.add(&mut self.lane, status::VALUE, &bytes, last);
                    self.scratch = bytes;
                }
                Ended::Value(large) => {
                    results.commit(&mut self.lane, 0);
                    self.bulk.collect(&self.lane);
                    let header = results.header(response::ITEM, 1, last);
                    self.respond_bulk(header, large);
                    self.lane.wake_parent();
                }
                failure => {
                    let (word, bytes) = failure.failure();
                    results.add(&mut self.lane, word, &bytes, last);
                }
            }
        }
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
