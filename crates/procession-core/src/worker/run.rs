//! The loop that runs tasks.

use super::bulk::OwnBulk;
use super::chunk::{Chunk, Stop};
use super::control::{self, Views};
use super::current::{self, Running};
use super::fitness::Fitness;
use super::pace::Pace;
use super::panic_hook;
use super::respond::{Failure, respond_bulk};
use crate::face::{self, CallError, Code};
use crate::message::{Boot, Role, request, response};
use crate::payload::{BulkSource, Finished, Input, Output, Receipt};
use crate::start::bootstrap;
use procession_ipc::bulk::{Reference, out_of_memory};
use procession_ipc::frame::{FLAG_BULK, Header};
use procession_ipc::lane::WorkerLane;
use procession_ipc::layout::INLINE_BYTES_MAX;
use procession_ipc::ring::Frame;
use procession_os::control::Control;
use procession_os::process::exit_now;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Exit code of a `Process` whose target panicked, as in Python.
const PANICKED: i32 = 1;
/// Exit code of a worker that cannot read its lane.
pub(super) const LANE_BROKEN: i32 = 115;
/// Exit code of a worker whose initializer failed; how is in its last response.
const NOT_INITIALIZED: i32 = 116;

/// What is said of an initializer that leaves a worker without its channel.
const CUT_OFF: &str = "the initializer has closed the worker's control channel: it must not close what it has not opened";

/// Exit code of a worker whose further thread ended: that of a panic in Rust.
const BROKEN_THREAD: i32 = 101;

/// Freed blocks up to this size stay with a worker.
const KEPT_BYTES: usize = 256 << 20;

/// How one call ended.
type Ended = Result<Finished, Failure>;

struct Worker {
    lane: WorkerLane,
    views: Arc<Views>,
    bulk: OwnBulk,
    scratch: Vec<u8>,
    pace: Pace,
    fitness: Fitness,
    role: Role,
    /// The first thread's worker gives the process its name.
    name: Option<String>,
    /// The first thread's worker has those of the others until it is ready.
    others: Vec<Worker>,
}

/// Works on all lanes, each on a thread of its own, until told to stop; then exits the process.
pub(crate) fn run(boot: &Boot, lanes: Vec<WorkerLane>, control: Control) -> ! {
    panic_hook::install(boot.role == Role::Process);
    // Large arguments come again, and so does the memory for them.
    procession_os::heap::keep_freed_blocks(KEPT_BYTES);
    let control = Arc::new(control);
    let Ok(views) = control::start(control.clone()) else {
        bootstrap::refuse(&control, "a worker cannot start its control thread".to_owned())
    };
    let fitness = Fitness::new(boot.retirement).unwrap_or_else(|error| {
        bootstrap::refuse(&control, format!("a worker cannot see how much memory it has: {error}"))
    });
    let mut team = lanes.into_iter().zip(0..).map(|(lane, thread)| Worker {
        lane,
        views: views.clone(),
        bulk: OwnBulk::new(control.clone(), thread),
        scratch: Vec::new(),
        pace: Pace::default(),
        fitness: fitness.clone(),
        role: boot.role,
        name: None,
        others: Vec::new(),
    });
    let mut first = team.next().expect("a worker has a lane");
    first.others = team.collect();
    first.name = Some(boot.name.clone());
    first.work()
}

/// Has the other threads of this process work, once it is initialized.
fn start_others(others: Vec<Worker>) -> std::io::Result<()> {
    let name = crate::info::current_process().name().to_owned();
    for (mut worker, thread) in others.into_iter().zip(2..) {
        let builder = std::thread::Builder::new().name(format!("{name}.{thread}"));
        builder.spawn(move || {
            // It only ends by a defect of ours; a process with a lane that nobody serves must not be.
            let _ended = std::panic::catch_unwind(AssertUnwindSafe(|| -> () { worker.work() }));
            exit_now(BROKEN_THREAD)
        })?;
    }
    Ok(())
}

impl Worker {
    fn work(&mut self) -> ! {
        current::listen(self.lane.stop_request());
        let hello = Header { kind: response::HELLO, ..Header::default() };
        self.lane.respond(hello, procession_os::image::identity().as_bytes());
        self.lane.wake_parent();
        let mut payload = Vec::new();
        loop {
            if !self.lane.has_request() {
                self.pace.pause();
                self.lane.note_turn();
            }
            self.retire_if_unfit();
            let Ok(frame) = self.lane.next_request() else { exit_now(LANE_BROKEN) };
            let header = frame.header;
            if let Some(name) = self.name.take() {
                // Not before: the parent sends a request when it knows of this process. If a template died
                // before it had told, a process is found by the template's name, or by nobody.
                procession_os::process::set_name(&name);
            }
            if header.flags & request::FLAG_PARCEL != 0 {
                self.views.read_parcels();
            }
            if header.flags & FLAG_BULK != 0 {
                self.fetch(&frame, &mut payload);
            }
            match header.kind {
                request::STOP => bootstrap::exit(0),
                request::BEGIN => self.ready(&frame),
                _ if self.fitness.is_over() || !self.lane.begin(header.sequence) => {
                    self.lane.pass(&frame);
                }
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

    /// Begins nothing more if this process is to be replaced.
    fn retire_if_unfit(&mut self) {
        if self.fitness.is_over() && !self.fitness.is_told() {
            self.retire(0);
        }
    }

    /// Tells the parent that nothing more is begun on this lane: not what is left of the chunk of this
    /// sequence either.
    fn retire(&mut self, sequence: u64) {
        self.fitness.tell();
        let header = Header { kind: response::RETIRE, sequence, ..Header::default() };
        self.lane.respond(header, &[]);
        self.lane.wake_parent();
        // Nobody else comes to take back what waits here.
        self.lane.call_supervisor();
    }

    /// Has the segment here that a request's payload lies in. Before the request is begun: a worker that
    /// finds its channel gone takes nothing with it.
    fn fetch(&self, frame: &Frame, payload: &mut Vec<u8>) {
        self.lane.copy_payload(frame, payload);
        if let Some(reference) = Reference::from_bytes(payload) {
            self.views.fetch(reference.id);
        }
    }

    fn ready(&mut self, frame: &Frame) {
        if let Err(error) = start_others(std::mem::take(&mut self.others)) {
            self.views.refuse(format!("a worker cannot start its threads: {error}"));
        }
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
                Ok(finished)
            }
            Ok(Err(CallError { message })) => Err(Failure::Codec(message)),
            Err(report) => Err(Failure::Panic(report)),
        }
    }

    fn run_task(&mut self, frame: &Frame, payload: &[u8]) {
        self.bulk.collect(&self.lane);
        self.lane.note_turn();
        self.pace.begin();
        let Header { sequence, extra, .. } = frame.header;
        let (_, attempts_before) = request::split_extra(extra);
        current::set(Some(Running { sequence, index: 0, attempts_before }));
        self.fitness.begin();
        let ended = self.call(frame, payload);
        current::set(None);
        let header = Header {
            kind: response::DONE,
            sequence: frame.header.sequence,
            extra: self.pace.end(),
            ..Header::default()
        };
        let panicked = matches!(ended, Err(Failure::Panic(_)));
        match ended {
            Ok(Finished::Private(bytes)) if bytes.len() <= INLINE_BYTES_MAX => {
                self.lane.respond(header, &bytes);
                self.scratch = bytes;
            }
            Ok(finished) => respond_bulk(&mut self.lane, &self.bulk, header, finished),
            Err(failure) => {
                let (word, bytes) = failure.encode();
                self.lane.respond(Header { word, ..header }, &bytes);
            }
        }
        if panicked {
            self.fitness.note_panic();
        }
        self.lane.pass(frame);
        if self.role == Role::Process {
            bootstrap::exit(if panicked { PANICKED } else { 0 });
        }
    }

    fn initialize(&mut self, frame: &Frame, payload: &[u8]) {
        self.lane.note_turn();
        let ended = match self.call(frame, payload) {
            Ok(_) if !self.views.is_connected() => Err(Failure::Codec(CUT_OFF.to_owned())),
            ended => ended,
        };
        match ended {
            Ok(finished) => {
                if let Finished::Bulk(bulk) = finished {
                    self.bulk.put_bulk(bulk); // Nobody reads what an initializer returns.
                }
                self.ready(frame);
            }
            Err(failure) => {
                let (word, bytes) = failure.encode();
                let header =
                    Header { kind: response::INITIALIZER_FAILED, word, ..Header::default() };
                self.lane.respond(header, &bytes);
                self.lane.pass(frame);
                // The tasks that wait behind it must not run here.
                bootstrap::exit(NOT_INITIALIZED)
            }
        }
    }

    fn run_chunk(&mut self, frame: &Frame, payload: &[u8]) {
        let scratch = std::mem::take(&mut self.scratch);
        let copy;
        let items = if frame.header.flags & FLAG_BULK == 0 {
            payload
        } else {
            let Some(receipt) = self.receipt(payload) else { exit_now(LANE_BROKEN) };
            copy = receipt.to_vec().unwrap_or_else(|| out_of_memory(receipt.bytes()));
            &copy
        };
        let fitness = &mut self.fitness;
        let chunk = Chunk::new(&mut self.lane, &self.bulk, fitness, scratch, &frame.header, items);
        let (scratch, stop) = chunk.run(frame.header.word);
        self.scratch = scratch;
        match stop {
            Stop::Whole => {}
            Stop::Early => self.retire(frame.header.sequence),
            Stop::Unwanted => {
                let sequence = frame.header.sequence;
                let header = Header { kind: response::ENDED, sequence, ..Header::default() };
                self.lane.respond(header, &[]);
            }
        }
        self.lane.pass(frame);
    }
}
