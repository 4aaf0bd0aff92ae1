//! A worker that is a puppet: its end of a lane and of a control channel, and strings to it.

use crate::error::{Result, WorkerId};
use crate::message::{Parcel, Record, request, response, status};
use crate::start::{Arrival, Body, OnExit, WorkerProcess, WorkerSource, WorkerSpec};
use parking_lot::Mutex;
use procession_ipc::bulk::Bulk;
use procession_ipc::frame::{FLAG_BULK, HEADER_BYTES, Header};
use procession_ipc::lane::{ParentLane, WorkerLane};
use procession_ipc::layout::{RESPONSE_SLOTS, SLOT_BYTES, b};
use procession_ipc::primitive::Ordering as Order;
use procession_ipc::segment::Segment;
use procession_os::control::Control;
use procession_os::handle::BorrowedHandle;
use procession_os::memory::{Access, Memory};
use procession_os::process::Exit;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A puppet.
pub(super) struct Puppet {
    lane: WorkerLane,
    /// Segment B once more, to write what no worker writes.
    raw: Segment,
    control: Control,
    is_killed: Arc<AtomicBool>,
    on_exit: Option<OnExit>,
    bulk: Option<Bulk>,
}

/// Where puppets come from: each stands in its place from its order on.
#[derive(Debug)]
pub(super) struct Strings {
    places: Places,
    launched: AtomicU32,
}

/// The puppets, by place.
pub(super) type Places = Arc<Mutex<Vec<Option<Puppet>>>>;

impl fmt::Debug for Puppet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Puppet").field("lane", &self.lane).finish_non_exhaustive()
    }
}

/// What the pool holds of a puppet.
#[derive(Debug)]
struct Dangling(Arc<AtomicBool>);

impl Body for Dangling {
    fn terminate(&self) {
        self.kill();
    }

    fn memory_bytes(&self) -> Option<u64> {
        None
    }

    fn kill(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Strings {
    pub(super) fn new(places: Places) -> Self {
        Self { places, launched: AtomicU32::new(0) }
    }
}

impl WorkerSource for Strings {
    fn order(&self, spec: WorkerSpec, on_exit: OnExit) -> Result<Arrival> {
        let (lane, memories) = ParentLane::create().expect("shared memory");
        let (control, childs_end) = Control::pair().expect("a channel");
        let is_killed = Arc::new(AtomicBool::new(false));
        let puppet = Puppet {
            lane: WorkerLane::attach(&memories[0], &memories[1]).expect("a lane of this build"),
            raw: Segment::new(memories[1].map(Access::ReadWrite).expect("a mapping")),
            control: childs_end,
            is_killed: is_killed.clone(),
            on_exit: Some(on_exit),
            bulk: None,
        };
        self.places.lock()[spec.index as usize] = Some(puppet);
        let id = WorkerId {
            name: spec.name,
            pid: self.launched.fetch_add(1, Ordering::Relaxed) + 1,
            index: spec.index,
            generation: spec.generation,
            memory_limit_bytes: None,
        };
        Ok(Box::new(move || {
            let worker = WorkerProcess::new(id, Box::new(Dangling(is_killed)), control, 1);
            Ok((worker, vec![lane]))
        }))
    }
}

/// What an honest worker makes of a number: bits that nobody guesses.
pub(super) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 31)).wrapping_mul(0x7fb5_d329_728e_a185);
    let x = (x ^ (x >> 27)).wrapping_mul(0x81da_def4_bc2d_d44d);
    x ^ (x >> 33)
}

impl Puppet {
    /// Whether the pool has killed it: it does nothing any more.
    pub(super) fn is_killed(&self) -> bool {
        self.is_killed.load(Ordering::Relaxed)
    }

    /// Ends; the pool learns of it.
    pub(super) fn end(&mut self, exit: Exit) {
        if let Some(on_exit) = self.on_exit.take() {
            on_exit(exit);
        }
    }

    /// Says hello as a worker does.
    pub(super) fn greet(&mut self) {
        let hello = Header { kind: response::HELLO, ..Header::default() };
        self.lane.respond(hello, procession_os::image::identity().as_bytes());
    }

    /// Answers the next request as a worker does, items of a chunk in so many parts; gives the numbers
    /// that it answered.
    pub(super) fn answer(&mut self, parts: usize) -> Vec<u64> {
        if !self.lane.has_request() {
            return Vec::new();
        }
        let Ok(frame) = self.lane.next_request() else { return Vec::new() };
        let header = frame.header;
        if header.kind == request::BEGIN {
            self.lane.respond(Header { kind: response::READY, ..Header::default() }, &[]);
            self.lane.pass(&frame);
            return Vec::new();
        }
        if !self.lane.begin(header.sequence) {
            self.lane.pass(&frame);
            return Vec::new();
        }
        let mut payload = Vec::new();
        self.lane.copy_payload(&frame, &mut payload);
        let (items, _) = request::split_extra(header.extra);
        let numbers = numbers_of(&payload, if header.kind == request::CHUNK { items } else { 0 });
        if header.kind == request::CHUNK {
            self.answer_chunk(header.sequence, &numbers, parts.max(1));
        } else {
            let header = Header { kind: response::DONE, sequence: header.sequence, ..header };
            let value = mix(numbers[0]).to_le_bytes();
            self.lane.respond(Header { flags: 0, word: 0, extra: 1, ..header }, &value);
        }
        self.lane.pass(&frame);
        numbers
    }

    fn answer_chunk(&mut self, sequence: u64, numbers: &[u64], parts: usize) {
        let mut left = numbers.len();
        for some in numbers.chunks(numbers.len().div_ceil(parts)) {
            left -= some.len();
            let mut part = self.lane.open_part(some.len() * 12);
            for (number, count) in some.iter().zip(1..) {
                let value = mix(*number).to_le_bytes();
                self.lane.append(&mut part, [&Record::head(0, value.len()), &value], count);
            }
            let flags = if left == 0 { response::FLAG_LAST } else { 0 };
            let (kind, word) = (response::PART, some.len() as u64);
            let header = Header { kind, flags, sequence, word, extra: 1000, payload_bytes: 0 };
            self.lane.commit_part(part, header);
        }
    }

    /// Begins the next request, of which the pool learns no more.
    pub(super) fn begin(&mut self, items: u32) {
        if !self.lane.has_request() {
            return;
        }
        let Ok(frame) = self.lane.next_request() else { return };
        if frame.header.kind == request::TASK || frame.header.kind == request::CHUNK {
            let _ = self.lane.begin(frame.header.sequence);
            let mut part = self.lane.open_part(1024);
            for count in 1..=items.min(8) {
                let value = [0; 8];
                self.lane.append(&mut part, [&Record::head(0, value.len()), &value], count);
            }
        }
    }

    /// The pool's word for how far the response ring is filled, as this side says.
    pub(super) fn tail(&self) -> u32 {
        self.raw.word32(b::RESPONSE_TAIL).load(Order::Relaxed)
    }

    /// Writes bytes where none of them belong; what does not fit is left out.
    pub(super) fn scribble(&self, at: usize, bytes: &[u8]) {
        let at = at.min(self.raw.bytes());
        let fit = bytes.len().min(self.raw.bytes() - at);
        self.raw.copy_in(at, &bytes[..fit]);
    }

    /// Writes a frame at the tail that this side shows, and a tail behind it.
    pub(super) fn forge(&self, header: Header, payload: &[u8]) {
        let tail = self.tail();
        let at = b::DATA + (tail % RESPONSE_SLOTS) as usize * SLOT_BYTES;
        self.scribble(at, &header.to_bytes());
        self.scribble(at + HEADER_BYTES, payload);
        let tail = tail.wrapping_add(header.slots());
        self.raw.word32(b::RESPONSE_TAIL).store(tail, Order::Release);
    }

    /// Writes a part of so many results, of which every fourth is none, of a chunk that may be none.
    pub(super) fn forge_part(&self, sequence: u64, flags: u16, items: u64) {
        let record = |item: u64| {
            let status = if item % 4 == 3 { status::CODEC } else { status::VALUE };
            [&Record::head(status, 8), &item.to_le_bytes()[..]].concat()
        };
        let payload: Vec<u8> = (0..items).flat_map(record).collect();
        let (kind, payload_bytes) = (response::PART, payload.len() as u32);
        self.forge(
            Header { kind, flags, payload_bytes, sequence, word: items, extra: 1 },
            &payload,
        );
    }

    /// Sends a message; none if there is no room for it.
    pub(super) fn say(&self, bytes: &[u8], handles: &[BorrowedHandle<'_>]) {
        // A full channel is the sender's affair.
        let _ = self.control.send(bytes, handles);
    }

    /// Hands over a segment under an id.
    pub(super) fn introduce(&mut self, id: u64, bytes: usize) {
        let mut bulk = Bulk::create(id, bytes).expect("shared memory");
        let filled = bulk.append(&vec![1; bytes]);
        assert!(filled, "it was made for them");
        self.say(&Parcel::Bulk(id).to_bytes(), &[bulk.memory().handle()]);
        self.bulk = Some(bulk);
    }

    /// Memory that is no segment: it has another size than it says, or none.
    pub(super) fn introduce_nonsense(&self, id: u64, kind: u8) {
        let message = Parcel::Bulk(id).to_bytes();
        let memory = match kind % 3 {
            0 => Memory::create_shared("procession-hole", 1 << 41),
            1 => Memory::create_owned("procession-small", 1),
            _ => return self.say(&message, &[self.control.handle()]),
        };
        let (memory, _mapping) = memory.expect("shared memory");
        self.say(&message, &[memory.handle(), memory.handle()]);
    }

    /// A large answer, that names so many bytes of a segment.
    pub(super) fn answer_large(&self, kind: u16, sequence: u64, word: u64, id: u64, bytes: u64) {
        let reference = procession_ipc::bulk::Reference { id, bytes }.to_bytes();
        let flags = FLAG_BULK | if word == 1 { response::FLAG_LAST } else { 0 };
        let payload_bytes = reference.len() as u32;
        let header = Header { kind, flags, payload_bytes, sequence, word, extra: 1 };
        self.forge(header, &reference);
    }
}

/// The numbers that a request is about: one, or those of its items.
pub(super) fn numbers_of(payload: &[u8], items: u64) -> Vec<u64> {
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
    if items == 0 {
        return vec![number(payload)];
    }
    payload.chunks(12).map(|item| number(&item[4..])).collect()
}
