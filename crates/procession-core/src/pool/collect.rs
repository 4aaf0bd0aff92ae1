//! Taking responses off the lanes.
//!
//! Whoever has the lock may collect: the thread that waits for a result, a submitter that found all
//! windows full, the supervisor.

use super::cancel::cancelled;
use super::inner::Inner;
use super::shared::Shared;
use super::slot::{Phase, Slot, Span, Target};
use crate::attachment::Attachments;
use crate::error::{Error, WorkerId};
use crate::face::{self, Code};
use crate::message::{PanicReport, Record, response, status};
use crate::payload::{BulkSource, Bytes, SMALL_BYTES, Value};
use crate::rest;
use crate::task::{Batch, Delivery};
use procession_ipc::bulk::Reference;
use procession_ipc::frame::{FLAG_BULK, Header};
use procession_ipc::lane::ParentLane;
use procession_ipc::layout::{CROWDED_SLOTS, RESPONSE_SLOTS};
use procession_ipc::ring::Frame;
use std::sync::Arc;

/// Most frames of one worker that are taken in one look once nobody wants them any more. Before that each
/// of them ends something, or it is nonsense; afterwards a worker that sends without end could keep the
/// pool's lock for as long as it lives.
const UNWANTED_MAX: usize = 2 * RESPONSE_SLOTS as usize;

/// Why what a worker sent is not taken.
pub(super) enum Untaken {
    /// It makes no sense.
    Nonsense(&'static str),
    /// The program has no room for it.
    NoRoom,
}

use Untaken::{NoRoom, Nonsense};

type Checked<T> = Result<T, Untaken>;

/// What becomes of a worker whose segment was lost: it would use it again.
const SHORT: &str =
    "it was ended because the program had no descriptor or no memory left for a result";

impl Shared {
    /// Takes every response that is there, then sends what waits.
    pub(super) fn collect(&self, inner: &mut Inner) {
        loop {
            for index in 0..inner.slots.len() {
                self.collect_from(inner, index);
            }
            self.retire_due(inner);
            self.dispatch(inner);
            // A worker that was asked to ring may have answered just before it was asked.
            if !self.arrange_bells(inner) {
                break;
            }
        }
        inner.wake_drain_waiters();
    }

    /// Takes every response of one worker.
    pub(super) fn collect_from(&self, inner: &mut Inner, index: usize) {
        let mut any = false;
        let mut crowded = false;
        let mut frames_left = if inner.state.has_ended() { UNWANTED_MAX } else { usize::MAX };
        while frames_left > 0 {
            frames_left -= 1;
            let slot = &mut inner.slots[index];
            let Some(live) = &mut slot.live else { return };
            if slot.protocol_error.is_some() {
                // It is about to end; nothing that it says is believed.
                break;
            }
            let frame = match live.lane.peek() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(corrupt) => {
                    accuse(slot, &corrupt.to_string());
                    break;
                }
            };
            crowded |= live.lane.backlog() >= CROWDED_SLOTS;
            let payload = payload_of(&live.lane, &frame);
            live.lane.advance(&frame);
            any = true;
            match take(inner, index, &frame.header, payload) {
                Ok(()) => {}
                Err(Nonsense(what)) => {
                    accuse(&mut inner.slots[index], what);
                    break;
                }
                Err(NoRoom) => {
                    let process = inner.slots[index].process;
                    inner.kill_team(process, SHORT);
                }
            }
        }
        let slot = &mut inner.slots[index];
        if any {
            inner.clock += 1;
            slot.last_active = inner.clock;
            slot.stalled = false;
        }
        // Without an answer, too: to step over requests that were taken back says nothing.
        slot.forget_finished(|bulk| self.put_bulk(bulk));
        if crowded && let Some(live) = &mut slot.live {
            live.lane.wake_for_space();
        }
    }
}

/// A frame's payload, copied out.
pub(crate) fn payload_of(lane: &ParentLane, frame: &Frame) -> Bytes {
    let bytes = frame.header.payload_bytes as usize;
    let mut small = [0; SMALL_BYTES];
    match small.get_mut(..bytes) {
        Some(room) => {
            lane.copy_payload_exact(frame, room);
            Bytes::from_buf_and_len(small, bytes)
        }
        None => {
            let mut payload = Bytes::from_elem(0, bytes);
            lane.copy_payload_exact(frame, &mut payload);
            payload
        }
    }
}

/// Kills a worker that sent nonsense; its end is dealt with like any other.
pub(super) fn accuse(slot: &mut Slot, what: &str) {
    if slot.protocol_error.is_none() {
        slot.protocol_error = Some(what.to_owned());
        slot.kill();
    }
}

fn take(inner: &mut Inner, index: usize, header: &Header, payload: Bytes) -> Checked<()> {
    let has_ended = inner.state.has_ended();
    match header.kind {
        // Everything has its outcome; what is answered while the worker ends is nobody's.
        response::DONE | response::PART | response::ITEM | response::RETIRE | response::ENDED
            if has_ended =>
        {
            Ok(())
        }
        // One that was still starting has as little to answer for.
        response::READY | response::INITIALIZER_FAILED if has_ended => Ok(()),
        response::HELLO => hello(&mut inner.slots[index], &payload),
        response::READY => ready(inner, index),
        response::INITIALIZER_FAILED => {
            initializer_failed(&mut inner.slots[index], header, &payload)
        }
        response::DONE => done(inner, index, header, payload),
        response::PART | response::ITEM => part(inner, index, header, payload),
        response::ENDED => ended(inner, index, header.sequence),
        response::RETIRE if inner.retirement.is_possible() => {
            inner.slots[index].retires_at = Some(header.sequence);
            Ok(())
        }
        _ => Err(Nonsense("a frame of no known kind")),
    }
}

fn hello(slot: &mut Slot, payload: &[u8]) -> Checked<()> {
    if slot.said_hello {
        return Err(Nonsense("a second hello"));
    }
    if payload != procession_os::image::identity().as_bytes() {
        return Err(Nonsense("a hello of another build"));
    }
    slot.said_hello = true;
    Ok(())
}

fn ready(inner: &mut Inner, index: usize) -> Checked<()> {
    let slot = &mut inner.slots[index];
    match slot.flights.iter_mut().find(|f| matches!(f.target, Some(Target::Start))) {
        Some(start) if slot.said_hello => start.target = None,
        _ => return Err(Nonsense("ready without having been started")),
    }
    if matches!(slot.phase, Phase::Starting(_)) {
        slot.enter(Phase::Ready);
    }
    slot.ready_at = Some(rest::now());
    inner.failed_starts.reset();
    Ok(())
}

fn initializer_failed(slot: &mut Slot, header: &Header, payload: &[u8]) -> Checked<()> {
    if !slot.flights.iter().any(|flight| matches!(flight.target, Some(Target::Start))) {
        return Err(Nonsense("a failed initializer of a worker that was ready"));
    }
    let worker = slot.live.as_ref().map(|live| live.process.id().clone());
    slot.start_error = Some(failure(worker, header.word, payload)?);
    // It has nothing to do any more.
    slot.kill();
    Ok(())
}

/// The error of an outcome that is no value.
pub(crate) fn failure_of(worker: Option<WorkerId>, word: u64, payload: &[u8]) -> Option<Error> {
    match word {
        status::PANIC => {
            let report: PanicReport = postcard::from_bytes(payload).ok()?;
            Some(Error::panicked(worker, report))
        }
        status::CODEC => Some(Error::codec(String::from_utf8_lossy(payload).into_owned())),
        _ => None,
    }
}

fn failure(worker: Option<WorkerId>, word: u64, payload: &[u8]) -> Checked<Error> {
    failure_of(worker, word, payload).ok_or(Nonsense("an outcome of no known status"))
}

/// The value that a frame carries, in itself or in a bulk segment.
fn value(slot: &mut Slot, header: &Header, payload: Bytes) -> Checked<Value> {
    if header.flags & FLAG_BULK == 0 {
        return Ok(Value::Private(payload));
    }
    bulk_value(slot, &payload)
}

const NEVER_SENT: &str = "a bulk segment that was never sent";

/// The value in the bulk segment that a frame refers to.
fn bulk_value(slot: &mut Slot, payload: &[u8]) -> Checked<Value> {
    let reference = Reference::from_bytes(payload).ok_or(Nonsense("a broken bulk reference"))?;
    let live = slot.live.as_mut().ok_or(Nonsense("a frame of no worker"))?;
    let receipt = live
        .process
        .receipt(reference, live.lane.watch(), &live.loans)
        .ok_or_else(|| if live.process.is_short() { NoRoom } else { Nonsense(NEVER_SENT) })?;
    if live.loans.are_enough()
        && let Some(bytes) = receipt.to_vec()
    {
        return Ok(Value::Private(Bytes::from_vec(bytes)));
    }
    // Without memory for the copy the segment stays on loan, and whoever decodes it says so.
    Ok(Value::Bulk(Box::new(receipt)))
}

/// The error of a result that there is no room for.
#[cold]
pub(crate) fn no_room() -> Error {
    let source = std::io::Error::other("this program has no descriptor or no memory left for it");
    Error::system("cannot take a large result", source)
}

fn done(inner: &mut Inner, index: usize, header: &Header, payload: Bytes) -> Checked<()> {
    let slot = &mut inner.slots[index];
    let flight = slot.flight(header.sequence).ok_or(Nonsense("an outcome of no request"))?;
    if !matches!(flight.target, Some(Target::Task(_))) {
        return Err(Nonsense("an outcome of a request that has none to come"));
    }
    let Some(Target::Task(cell)) = flight.target.take() else { unreachable!("matched above") };
    let code = flight.code;
    let attachments = std::mem::take(&mut flight.attachments);
    slot.unfinished -= 1;
    slot.done += 1;
    let outcome = if header.word == status::VALUE {
        value(slot, header, payload)
    } else {
        let worker = slot.live.as_ref().map(|live| live.process.id().clone());
        match failure(worker, header.word, &payload) {
            Ok(error) => {
                inner.settle(&cell, Err(error.of_call(face::name_of(code), None)));
                return Ok(());
            }
            Err(untaken) => Err(untaken),
        }
    };
    match outcome {
        Ok(value) => {
            if header.extra > 0 {
                let sample = header.extra.min(1 << 40) as f64;
                inner.task_ns =
                    Some(inner.task_ns.map_or(sample, |known| (known * 7.0 + sample) / 8.0));
            }
            inner.settle(&cell, Ok(value.with(attachments)));
            Ok(())
        }
        Err(Nonsense(what)) => {
            let worker = slot.live.as_ref().map(|live| live.process.id().clone());
            let worker = worker.expect("a worker that sent a frame");
            let error = Error::new(crate::error::Fault::Protocol { worker, what: what.into() });
            inner.settle(&cell, Err(error));
            Err(Nonsense(what))
        }
        Err(NoRoom) => {
            inner.settle(&cell, Err(no_room()));
            Err(NoRoom)
        }
    }
}

fn part(inner: &mut Inner, index: usize, header: &Header, payload: Bytes) -> Checked<()> {
    let slot = &mut inner.slots[index];
    let worker = slot.live.as_ref().map(|live| live.process.id().clone());
    let flight = slot.flight(header.sequence).ok_or(Nonsense("a part of no request"))?;
    let Some(Target::Chunk(span)) = &flight.target else {
        return Err(Nonsense("a part of a request that is no chunk"));
    };
    let (batch, kept) = (span.batch.clone(), flight.attachments.clone());
    let (from, left, code) = (span.next(), span.count - span.delivered, flight.code);
    let overdue = span.overdue.clone();
    if header.word == 0 || header.word > left {
        return Err(Nonsense("a part with more items than its chunk"));
    }
    if header.kind == response::ITEM && header.word != 1 {
        return Err(Nonsense("a large result of more than one item"));
    }
    let last = header.flags & response::FLAG_LAST != 0;
    if last != (header.word == left) {
        return Err(Nonsense("a chunk that ends too early or too late"));
    }
    let deliveries = if header.kind == response::ITEM {
        let value = bulk_value(slot, &payload)?.with(kept);
        if overdue.contains(&from) {
            Deliveries::Many(Vec::new())
        } else {
            Deliveries::One(Delivery::Item { index: from, value })
        }
    } else {
        split_records((worker.as_ref(), code), (from, header.word), payload, &kept, &overdue)?
    };
    batch.measure(header.word, header.extra);
    slot.done += header.word;
    let flight = slot.flight(header.sequence).expect("found above");
    if last {
        flight.target = None;
        flight.attachments = Attachments::default();
        slot.unfinished -= 1;
        // Those that are overdue are no deliveries.
        inner.settled = true;
    } else if let Some(Target::Chunk(span)) = &mut flight.target {
        span.delivered += header.word;
    }
    deliveries.hand_over(inner, &batch);
    Ok(())
}

/// A worker has not begun the rest of a chunk that nobody wants any more.
fn ended(inner: &mut Inner, index: usize, sequence: u64) -> Checked<()> {
    let slot = &mut inner.slots[index];
    let flight = slot.flight(sequence).ok_or(Nonsense("the end of no request"))?;
    let is_to_end = |target: &mut Target| matches!(target, Target::Chunk(span) if span.is_to_end);
    let Some(target) = flight.target.take_if(is_to_end) else {
        return Err(Nonsense("the end of a request that was to go on"));
    };
    flight.attachments = Attachments::default();
    slot.unfinished -= 1;
    inner.settled = true;
    inner.fail(target, &cancelled());
    Ok(())
}

/// What a part brought: nearly always one run of values.
pub(super) enum Deliveries {
    One(Delivery),
    Many(Vec<Delivery>),
}

impl Deliveries {
    fn hand_over(self, inner: &mut Inner, batch: &Arc<Batch>) {
        match self {
            Self::One(delivery) => inner.deliver(batch, delivery),
            Self::Many(deliveries) => {
                for delivery in deliveries {
                    inner.deliver(batch, delivery);
                }
            }
        }
    }
}

/// Which worker has run something, and the function that it was.
type By<'a> = (Option<&'a WorkerId>, Code);

/// Checks a part's records (the first item's index, how many) and turns them into deliveries: runs of
/// values, and failures. Those that are overdue have their outcome.
fn split_records(
    by: By<'_>,
    (first, count): (u64, u64),
    payload: Bytes,
    kept: &Attachments,
    overdue: &[u64],
) -> Checked<Deliveries> {
    let mut rest = &payload[..];
    let mut all_values = true;
    for _ in 0..count {
        let record = Record::split_first(&mut rest).ok_or(Nonsense("a part with too few items"))?;
        all_values &= record.status == status::VALUE;
    }
    if !rest.is_empty() {
        return Err(Nonsense("a part with more bytes than items"));
    }
    if all_values && overdue.is_empty() {
        let kept = kept.clone();
        return Ok(Deliveries::One(Delivery::Part { first, count, records: payload, kept }));
    }
    split_failures(by, (first, count), &payload, kept, overdue).map(Deliveries::Many)
}

/// The deliveries of a part, known to be whole, in which not all is values to be delivered.
fn split_failures(
    (worker, code): By<'_>,
    (first, count): (u64, u64),
    payload: &[u8],
    kept: &Attachments,
    overdue: &[u64],
) -> Checked<Vec<Delivery>> {
    let mut deliveries = Vec::new();
    let mut rest = payload;
    let (mut run, mut run_first) = (rest, first);
    for index in first..first + count {
        let before = rest;
        let record = Record::split_first(&mut rest).ok_or(Nonsense("a part with too few items"))?;
        let is_overdue = overdue.contains(&index);
        if record.status == status::VALUE && !is_overdue {
            continue;
        }
        let records = &run[..run.len() - before.len()];
        push_run(&mut deliveries, run_first, index, records, kept);
        if !is_overdue {
            let error = failure(worker.cloned(), record.status, record.bytes)?;
            let error = error.of_call(face::name_of(code), Some(index));
            deliveries.push(Delivery::failed(index, 1, error));
        }
        (run, run_first) = (rest, index + 1);
    }
    push_run(&mut deliveries, run_first, first + count, run, kept);
    Ok(deliveries)
}

fn push_run(
    deliveries: &mut Vec<Delivery>,
    first: u64,
    end: u64,
    records: &[u8],
    kept: &Attachments,
) {
    if end > first {
        let (records, kept) = (Bytes::from_slice(records), kept.clone());
        deliveries.push(Delivery::Part { first, count: end - first, records, kept });
    }
}

/// Delivers what a dead worker had finished of a chunk: so many items, their records, and what they may
/// mention; gives how many items that were.
pub(super) fn deliver_unfinished(
    inner: &mut Inner,
    span: &Span,
    (worker, code): (&WorkerId, Code),
    (items, payload, kept): (u64, &[u8], &Attachments),
) -> u64 {
    let payload = Bytes::from_slice(payload);
    match split_records((Some(worker), code), (span.next(), items), payload, kept, &span.overdue) {
        Ok(deliveries) => {
            deliveries.hand_over(inner, &span.batch);
            items
        }
        Err(_) => 0,
    }
}
