//! Workers that are played step by step, and do nothing that a worker does not.

use super::super::worker::{mix, numbers_of};
use super::ledger::{Answer, Ledger, NO_PROCESS};
use crate::error::{Error, Result, WorkerId};
use crate::message::{PanicReport, Record, request, response, status};
use crate::rest;
use crate::start::{Arrival, Body, OnExit, WorkerProcess, WorkerSource, WorkerSpec};
use parking_lot::Mutex;
use procession_ipc::doorbell::SleepFlag;
use procession_ipc::frame::Header;
use procession_ipc::lane::{ParentLane, WorkerLane};
use procession_ipc::layout::{a, b};
use procession_ipc::primitive::Ordering as Order;
use procession_ipc::ring::{Frame, Part};
use procession_ipc::segment::Segment;
use procession_os::control::Control;
use procession_os::memory::Access;
use procession_os::process::Exit;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by a play and where its processes come from.
pub(super) type Troupe = Arc<Mutex<Processes>>;

/// The processes, by place.
#[derive(Debug, Default)]
pub(super) struct Processes {
    pub(super) places: Vec<Option<Process>>,
    /// So many times there is none to be had.
    pub(super) refusals: usize,
}

/// A process, played.
pub(super) struct Process {
    lanes: Vec<Lane>,
    /// Its end tells the pool something, too.
    _control: Control,
    orders: Arc<Orders>,
    on_exit: OnExit,
    /// It begins nothing more.
    is_unfit: bool,
    /// It was told to stop.
    is_stopped: bool,
    /// How many tasks it may begin yet.
    tasks_left: u64,
}

/// One thread of it.
struct Lane {
    lane: WorkerLane,
    /// Both segments once more, for the flag of a worker that sleeps.
    segments: [Segment; 2],
    is_dozing: bool,
    said_hello: bool,
    is_ready: bool,
    has_retired: bool,
    running: Option<Running>,
}

/// What a lane runs.
struct Running {
    frame: Frame,
    numbers: Vec<u64>,
    at: usize,
    /// Of a chunk: what it writes, and how many results are in it.
    part: Option<(Part, u32)>,
}

/// What the pool has done to a process.
#[derive(Debug, Default)]
struct Orders {
    is_asked: AtomicBool,
    is_killed: AtomicBool,
}

#[derive(Debug)]
struct Handle(Arc<Orders>);

impl Body for Handle {
    fn terminate(&self) {
        self.0.is_asked.store(true, Ordering::Relaxed);
    }

    fn kill(&self) {
        self.0.is_killed.store(true, Ordering::Relaxed);
    }

    fn memory_bytes(&self) -> Option<u64> {
        None
    }
}

/// Where they come from.
#[derive(Debug)]
pub(super) struct Source(pub(super) Troupe);

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("orders", &self.orders).finish_non_exhaustive()
    }
}

impl WorkerSource for Source {
    fn order(&self, spec: WorkerSpec, on_exit: OnExit) -> Result<Arrival> {
        let mut troupe = self.0.lock();
        if let Some(left) = troupe.refusals.checked_sub(1) {
            troupe.refusals = left;
            return Err(Error::usage(NO_PROCESS));
        }
        let (mut parents, mut lanes) = (Vec::new(), Vec::new());
        for _ in 0..spec.threads {
            let (parent, [a, b]) = ParentLane::create().expect("shared memory");
            let lane = WorkerLane::attach(&a, &b).expect("a lane of this build");
            let segment = |access, memory: &procession_os::memory::Memory| {
                Segment::new(memory.map(access).expect("a mapping"))
            };
            lanes.push(Lane {
                lane,
                segments: [segment(Access::Read, &a), segment(Access::ReadWrite, &b)],
                is_dozing: false,
                said_hello: false,
                is_ready: false,
                has_retired: false,
                running: None,
            });
            parents.push(parent);
        }
        let (control, childs_end) = Control::pair().expect("a channel");
        let orders = Arc::<Orders>::default();
        let process = Process {
            lanes,
            _control: childs_end,
            orders: orders.clone(),
            on_exit,
            is_unfit: false,
            is_stopped: false,
            tasks_left: spec.retirement.tasks_max.unwrap_or(u64::MAX),
        };
        let before = troupe.places[spec.index as usize].replace(process);
        assert!(before.is_none(), "a place that is not empty");
        let id = WorkerId {
            name: spec.name,
            pid: spec.generation,
            index: spec.index,
            generation: spec.generation,
            memory_limit_bytes: None,
        };
        Ok(Box::new(move || {
            let count = parents.len();
            Ok((WorkerProcess::new(id, Box::new(Handle(orders)), control, count), parents))
        }))
    }
}

impl Process {
    /// Whether the pool has killed it.
    pub(super) fn is_killed(&self) -> bool {
        self.orders.is_killed.load(Ordering::Relaxed)
    }

    /// Whether it has to end: it was killed, asked to, or told to stop.
    pub(super) fn is_to_end(&self) -> bool {
        self.is_killed() || self.is_stopped || self.orders.is_asked.load(Ordering::Relaxed)
    }

    /// Whether it is ready, and nothing has happened to it.
    pub(super) fn is_well(&self) -> bool {
        !self.is_unfit && !self.is_to_end() && self.lanes.iter().all(|lane| lane.is_ready)
    }

    /// The number that a lane runs.
    pub(super) fn runs(&self, thread: usize) -> Option<u64> {
        self.lanes[thread].running.as_ref().map(|running| running.numbers[running.at])
    }

    /// Whether it runs this one, or will without anybody's doing.
    pub(super) fn has_claimed(&self, number: u64) -> bool {
        let running = self.lanes.iter().filter_map(|lane| lane.running.as_ref());
        running.flat_map(|running| &running.numbers[running.at..]).any(|one| *one == number)
    }

    /// It begins nothing more, for one of the reasons that only it sees.
    pub(super) fn become_unfit(&mut self) {
        self.is_unfit = true;
    }

    /// A lane does what comes next, short of ending what it runs; `false` if there is nothing.
    pub(super) fn step(&mut self, thread: usize, ledger: &mut Ledger) -> bool {
        let may_greet = thread == 0 || self.lanes[0].is_ready;
        let lane = &mut self.lanes[thread];
        if self.is_stopped || !may_greet || lane.running.is_some() {
            return false;
        }
        if !lane.said_hello {
            lane.said_hello = true;
            let hello = Header { kind: response::HELLO, ..Header::default() };
            lane.lane.respond(hello, procession_os::image::identity().as_bytes());
            lane.lane.wake_parent();
            return true;
        }
        if self.is_unfit && lane.is_ready && !lane.has_retired {
            lane.retire(0);
            return true;
        }
        if !lane.lane.has_request() {
            lane.doze();
            return false;
        }
        lane.wake_up();
        let frame = lane.lane.next_request().expect("the parent is sane");
        let Header { kind, sequence, extra, .. } = frame.header;
        if kind == request::STOP {
            self.is_stopped = true;
        } else if kind == request::BEGIN {
            lane.is_ready = true;
            lane.lane.respond(Header { kind: response::READY, ..Header::default() }, &[]);
            lane.lane.pass(&frame);
        } else if self.is_unfit || !lane.lane.begin(sequence) {
            lane.lane.pass(&frame);
        } else {
            let mut payload = Vec::new();
            lane.lane.copy_payload(&frame, &mut payload);
            let (items, attempts_before) = request::split_extra(extra);
            let is_chunk = kind == request::CHUNK;
            let numbers = numbers_of(&payload, if is_chunk { items } else { 0 });
            assert!(!is_chunk || numbers.len() as u64 == items, "items of a chunk");
            let part = is_chunk.then(|| (lane.lane.open_part(numbers.len() * 32), 0));
            ledger.claim(&numbers);
            self.tasks_left = tasks_left(self.tasks_left);
            ledger.begin(numbers[0], rest::now(), attempts_before);
            lane.running = Some(Running { frame, numbers, at: 0, part });
        }
        true
    }

    /// A lane ends the call that it runs, if it runs one.
    pub(super) fn finish(&mut self, thread: usize, answer: Answer, ns: u64, ledger: &mut Ledger) {
        let lane = &mut self.lanes[thread];
        let Some(mut running) = lane.running.take() else { return };
        let Header { sequence, extra, .. } = running.frame.header;
        let number = running.numbers[running.at];
        ledger.answer(number, answer, rest::now());
        let value = mix(number).to_le_bytes();
        let report = postcard::to_allocvec(&PanicReport::default()).expect("plain data");
        let (word, bytes) = match answer {
            Answer::Value => (status::VALUE, &value[..]),
            Answer::Panic => (status::PANIC, &report[..]),
        };
        let Some((part, count)) = &mut running.part else {
            let (kind, extra) = (response::DONE, ns);
            lane.lane
                .respond(Header { kind, flags: 0, payload_bytes: 0, sequence, word, extra }, bytes);
            return lane.lane.pass(&running.frame);
        };
        *count += 1;
        lane.lane.append(part, [&Record::head(word, bytes.len()), bytes], *count);
        running.at += 1;
        if running.at == running.numbers.len() {
            lane.publish(&mut running, response::FLAG_LAST, ns);
            return lane.lane.pass(&running.frame);
        }
        if self.is_unfit {
            lane.publish(&mut running, 0, ns);
            lane.retire(sequence);
            return lane.lane.pass(&running.frame);
        }
        if lane.lane.is_to_end(sequence) {
            lane.publish(&mut running, 0, ns);
            let ended = Header { kind: response::ENDED, sequence, ..Header::default() };
            lane.lane.respond(ended, &[]);
            return lane.lane.pass(&running.frame);
        }
        let (_, attempts_before) = request::split_extra(extra);
        self.tasks_left = tasks_left(self.tasks_left);
        ledger.begin(running.numbers[running.at], rest::now(), attempts_before);
        lane.running = Some(running);
    }

    /// A lane publishes what it has finished of a chunk.
    pub(super) fn publish(&mut self, thread: usize, ns: u64) {
        let lane = &mut self.lanes[thread];
        if let Some(mut running) = lane.running.take() {
            if lane.publish(&mut running, 0, ns) {
                let room = running.numbers.len() * 32;
                running.part = Some((lane.lane.open_part(room), 0));
            }
            lane.running = Some(running);
        }
    }

    /// It ends, however; the pool learns of it.
    pub(super) fn end(self, exit: Exit, ledger: &mut Ledger) {
        for running in self.lanes.iter().filter_map(|lane| lane.running.as_ref()) {
            ledger.lose(running.numbers[running.at], rest::now());
        }
        let Self { lanes, _control, on_exit, .. } = self;
        drop((lanes, _control));
        on_exit(exit);
    }
}

impl Lane {
    /// Publishes the results that a part has; `false` if it has none.
    fn publish(&mut self, running: &mut Running, flags: u16, ns: u64) -> bool {
        let Some((part, count)) = running.part.take() else { return false };
        if count == 0 {
            running.part = Some((part, count));
            return false;
        }
        let sequence = running.frame.header.sequence;
        let (kind, word, extra) = (response::PART, count.into(), ns * u64::from(count));
        let header = Header { kind, flags, payload_bytes: 0, sequence, word, extra };
        self.lane.commit_part(part, header);
        self.lane.wake_parent();
        true
    }

    fn retire(&mut self, sequence: u64) {
        self.has_retired = true;
        self.lane.respond(Header { kind: response::RETIRE, sequence, ..Header::default() }, &[]);
        self.lane.wake_parent();
        self.lane.call_supervisor();
    }

    fn doze(&mut self) {
        if !self.is_dozing {
            self.is_dozing = true;
            let seen = self.segments[0].word32(a::REQUEST_TAIL).load(Order::Relaxed);
            SleepFlag::new(b::WORKER_ASLEEP).raise(&self.segments[1], seen);
        }
    }

    fn wake_up(&mut self) {
        if std::mem::take(&mut self.is_dozing) {
            SleepFlag::new(b::WORKER_ASLEEP).lower(&self.segments[1]);
        }
    }
}

/// How many tasks a process may begin after one more.
fn tasks_left(before: u64) -> u64 {
    before.checked_sub(1).expect("a process begins no more tasks than it may")
}
