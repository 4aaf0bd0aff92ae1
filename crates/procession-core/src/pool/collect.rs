//! Taking responses off the lanes.
//!
//! Whoever has the lock may collect: the thread that waits for a result, a submitter that found all
//! windows full, the supervisor.

use super::inner::Inner;
use super::shared::Shared;
use super::slot::{Phase, Slot, Target};
use crate::attachment::Attachments;
use crate::error::{Error, WorkerId};
use crate::message::{PanicReport, Record, response, status};
use crate::payload::{BulkSource, Bytes, SMALL_BYTES, Value};
use crate::task::{Batch, Delivery};
use procession_ipc::bulk::Reference;
use procession_ipc::frame::{FLAG_BULK, Header};
use procession_ipc::lane::ParentLane;
use procession_ipc::layout::CROWDED_SLOTS;
use procession_ipc::ring::Frame;
use std::sync::Arc;

/// What a worker sent makes no sense.
pub(super) struct Nonsense(&'static str);

type Checked<T> = Result<T, Nonsense>;

impl Shared {
    /// Takes every response that is there, then sends what waits.
    pub(super) fn collect(&self, inner: &mut Inner) {
        loop {
            for index in 0..inner.slots.len() {
                self.collect_from(inner, index);
            }
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
        loop {
            let slot = &mut inner.slots[index];
            let Some(live) = &mut slot.live else { return };
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
            if let Err(Nonsense(what)) = take(inner, index, &frame.header, payload) {
                accuse(&mut inner.slots[index], what);
                break;
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
fn accuse(slot: &mut Slot, what: &str) {
    if slot.protocol_error.is_none() {
        slot.protocol_error = Some(what.to_owned());
        slot.kill();
    }
}

fn take(inner: &mut Inner, index: usize, header: &Header, payload: Bytes) -> Checked<()> {
    let has_ended = inner.state.has_ended();
    match header.kind {
        // Everything has its outcome; what is answered while the worker ends is nobody's.
        response::DONE | response::PART | response::ITEM if has_ended => Ok(()),
        response::HELLO => hello(&mut inner.slots[index], &payload),
        response::READY => ready(inner, index),
        response::INITIALIZER_FAILED => {
            initializer_failed(&mut inner.slots[index], header, &payload)
        }
        response::DONE => done(inner, index, header, payload),
        response::PART | response::ITEM => part(inner, index, header, payload),
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
        slot.phase = Phase::Ready;
    }
    inner.start_failures = 0;
    Ok(())
}

fn initializer_failed(slot: &mut Slot, header: &Header, payload: &[u8]) -> Checked<()> {
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

/// The value in the bulk segment that a frame refers to.
fn bulk_value(slot: &mut Slot, payload: &[u8]) -> Checked<Value> {
    let reference = Reference::from_bytes(payload).ok_or(Nonsense("a broken bulk reference"))?;
    let live = slot.live.as_mut().ok_or(Nonsense("a frame of no worker"))?;
    let receipt = live
        .process
        .receipt(reference, live.lane.watch(), &live.loans)
        .ok_or(Nonsense("a bulk segment that was never sent"))?;
    if live.loans.are_enough() {
        return Ok(Value::Private(Bytes::from_vec(receipt.to_vec())));
    }
    Ok(Value::Bulk(Box::new(receipt)))
}

fn done(inner: &mut Inner, index: usize, header: &Header, payload: Bytes) -> Checked<()> {
    let slot = &mut inner.slots[index];
    let flight = slot.flight(header.sequence).ok_or(Nonsense("an outcome of no request"))?;
    if !matches!(flight.target, Some(Target::Task(_))) {
        return Err(Nonsense("an outcome of a request that has none to come"));
    }
    let Some(Target::Task(cell)) = flight.target.take() else { unreachable!("matched above") };
    let attachments = std::mem::take(&mut flight.attachments);
    slot.unfinished -= 1;
    let outcome = if header.word == status::VALUE {
        value(slot, header, payload)
    } else {
        let worker = slot.live.as_ref().map(|live| live.process.id().clone());
        match failure(worker, header.word, &payload) {
            Ok(error) => {
                inner.settle(&cell, Err(error));
                return Ok(());
            }
            Err(nonsense) => Err(nonsense),
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
    let (from, left) = (span.first + span.delivered, span.count - span.delivered);
    if header.word == 0 || header.word > left {
        return Err(Nonsense("a part with more items than its chunk"));
    }
    let last = header.flags & response::FLAG_LAST != 0;
    if last != (header.word == left) {
        return Err(Nonsense("a chunk that ends too early or too late"));
    }
    let deliveries = if header.kind == response::ITEM {
        let value = bulk_value(slot, &payload)?.with(kept);
        Deliveries::One(Delivery::Item { index: from, value })
    } else {
        split_records(worker.as_ref(), from, header.word, payload, &kept)?
    };
    batch.measure(header.word, header.extra);
    let flight = slot.flight(header.sequence).expect("found above");
    if last {
        flight.target = None;
        flight.attachments = Attachments::default();
        slot.unfinished -= 1;
    } else if let Some(Target::Chunk(span)) = &mut flight.target {
        span.delivered += header.word;
    }
    deliveries.hand_over(inner, &batch);
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

/// Checks a part's records and turns them into deliveries: runs of values, and failures.
fn split_records(
    worker: Option<&WorkerId>,
    first: u64,
    count: u64,
    payload: Bytes,
    kept: &Attachments,
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
    if all_values {
        let kept = kept.clone();
        return Ok(Deliveries::One(Delivery::Part { first, count, records: payload, kept }));
    }
    split_failures(worker, first, count, &payload, kept).map(Deliveries::Many)
}

/// The deliveries of a part, known to be whole, that has failures in it.
fn split_failures(
    worker: Option<&WorkerId>,
    first: u64,
    count: u64,
    payload: &[u8],
    kept: &Attachments,
) -> Checked<Vec<Delivery>> {
    let mut deliveries = Vec::new();
    let mut rest = payload;
    let (mut run, mut run_first) = (rest, first);
    for index in first..first + count {
        let before = rest;
        let record = Record::split_first(&mut rest).ok_or(Nonsense("a part with too few items"))?;
        if record.status != status::VALUE {
            let records = &run[..run.len() - before.len()];
            push_run(&mut deliveries, run_first, index, records, kept);
            let error = failure(worker.cloned(), record.status, record.bytes)?;
            deliveries.push(Delivery::Failed { first: index, count: 1, error });
            (run, run_first) = (rest, index + 1);
        }
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
    batch: &Arc<Batch>,
    worker: &WorkerId,
    first: u64,
    (items, payload, kept): (u64, &[u8], &Attachments),
) -> u64 {
    match split_records(Some(worker), first, items, Bytes::from_slice(payload), kept) {
        Ok(deliveries) => {
            deliveries.hand_over(inner, batch);
            items
        }
        Err(_) => 0,
    }
}
