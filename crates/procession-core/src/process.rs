//! A single child that runs one target and exits.

mod detached;

pub use detached::{detach, join_detached};

use crate::attachment::Attachments;
use crate::error::{Error, Fault, Result};
use crate::face::Code;
use crate::info::check_name;
use crate::limits::WorkerLimits;
use crate::message::{Retirement, Role, request, response, status};
use crate::payload::{BulkSource, Bytes, Finished, Loans, Output, Value};
use crate::start::{Launched, Ordered, StartMethod, WorkerProcess, WorkerSpec};
use parking_lot::Mutex;
use procession_ipc::bulk::{Bulk, BulkStore, Reference};
use procession_ipc::frame::{FLAG_BULK, Header};
use procession_ipc::lane::ParentLane;
use procession_ipc::layout::INLINE_BYTES_MAX;
use procession_os::process::{Child, Exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts the processes of this program, for their names.
static STARTED: AtomicU64 = AtomicU64::new(0);

/// Longest time from the launch of a child until it says hello.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The name that the next process gets if it has none of its own.
fn next_name() -> String {
    format!("Process-{}", STARTED.fetch_add(1, Ordering::Relaxed) + 1)
}

/// What a process is made of, beside what it calls.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its name.
    pub name: String,
    /// How it is made; `None` leaves that to the program.
    pub start_method: Option<StartMethod>,
    /// What it may use of the machine.
    pub limits: WorkerLimits,
    /// Nobody waits for its end when the program ends.
    pub is_daemon: bool,
}

impl Default for Config {
    /// A process that is named by its number.
    fn default() -> Self {
        Self {
            name: next_name(),
            start_method: None,
            limits: WorkerLimits::default(),
            is_daemon: false,
        }
    }
}

/// A child that was started.
#[derive(Debug)]
pub struct Process {
    worker: WorkerProcess,
    child: Arc<Child>,
    lane: ParentLane,
    /// Nobody waits for its end when the program ends.
    is_daemon: bool,
    started: Instant,
    said_hello: bool,
    /// It sent what no child of this build sends.
    speaks_nonsense: bool,
    outcome: Option<Result<Value>>,
    _arguments: Option<Bulk>,
    /// What the arguments mention; the result may, too.
    attachments: Attachments,
}

/// The large arguments of one process.
#[derive(Debug)]
struct OneBulk(Mutex<BulkStore>);

impl BulkSource for OneBulk {
    fn take_bulk(&self, bytes: usize) -> Option<Bulk> {
        Some(self.0.lock().take(bytes).ok().flatten()?.0)
    }

    fn put_bulk(&self, bulk: Bulk) {
        // The child knows of none yet.
        let _ = self.0.lock().put_back(bulk);
    }
}

impl Process {
    /// Launches a child that calls `code` with the arguments that `encode` writes.
    ///
    /// # Errors
    /// What `encode` returns, turned by `refused`; or that a process cannot be made, or not with these
    /// limits.
    pub fn start<E>(
        config: Config,
        code: Code,
        encode: impl FnOnce(&mut Output<'_>) -> std::result::Result<(), E>,
        refused: impl FnOnce(E) -> Error,
    ) -> Result<Self> {
        let Config { name, start_method, mut limits, is_daemon } = config;
        check_name(&name)?;
        limits.check()?;
        let source = OneBulk(Mutex::new(BulkStore::new(4)));
        let mut output = Output::new(Vec::new(), Some(&source));
        encode(&mut output).map_err(refused)?;
        let attachments = Attachments::new(output.attachments());
        let (finished, _) = output.finish();
        let spec = WorkerSpec {
            role: Role::Process,
            name,
            index: 0,
            generation: 1,
            threads: 1,
            method: start_method,
            snapshot: None,
            company: 1,
            patience: START_TIMEOUT,
            limits: limits.of_worker(0, 1),
            retirement: Retirement::default(),
        };
        // Who waits learns of the end from the system.
        let sent = attachments.clone();
        let on_exit = move |_| {
            // What has not arrived never will.
            sent.release_guards();
            detached::forget_ended();
        };
        let Launched { worker, lanes, child } = Ordered::new(spec, on_exit)?.finish()?;
        let [mut lane] = lanes.try_into().expect("a lane for its one thread");
        let mut header =
            Header { kind: request::TASK, word: code, sequence: 1, ..Header::default() };
        let no_room = || Error::usage("no shared memory for the arguments");
        if !attachments.is_empty() {
            worker.share(&attachments).ok_or_else(no_room)?;
            header.flags |= request::FLAG_PARCEL;
        }
        let (payload, bulk) = match finished {
            Finished::Private(bytes) if bytes.len() <= INLINE_BYTES_MAX => (bytes, None),
            Finished::Private(_) => return Err(no_room()),
            Finished::Bulk(bulk) => {
                header.flags |= FLAG_BULK;
                if !worker.share_bulk(&bulk) {
                    return Err(no_room());
                }
                (bulk.reference().to_bytes().to_vec(), Some(bulk))
            }
        };
        lane.send(header, &payload).ok_or_else(no_room)?;
        lane.wake_worker();
        Ok(Self {
            worker,
            child,
            lane,
            is_daemon,
            started: Instant::now(),
            said_hello: false,
            speaks_nonsense: false,
            outcome: None,
            _arguments: bulk,
            attachments,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.worker.id().pid
    }

    /// The process, to signal it.
    pub fn child(&self) -> &Arc<Child> {
        &self.child
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        // A status that cannot be had is one that nobody will ever have.
        self.child().try_reap().unwrap_or(Some(Exit::Unknown))
    }

    /// Waits until it has ended, or the deadline has passed (`false`). Woken by its end.
    pub fn wait(&mut self, deadline: Option<Instant>) -> bool {
        // One that never says hello is not waited for without end.
        let hello_by = self.started + START_TIMEOUT;
        loop {
            let until = match (self.said_hello, deadline) {
                (true, deadline) => deadline,
                (false, None) => Some(hello_by),
                (false, Some(deadline)) => Some(deadline.min(hello_by)),
            };
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let ended = self.child().wait(left);
            if self.exit().is_some() {
                self.read();
                return true;
            }
            if !matches!(ended, Ok(false)) {
                // Out of memory for a moment; or it has ended, and a tracer has its status first, which
                // is not waited for without end.
                std::thread::sleep(Duration::from_millis(1));
            }
            self.read();
            if !self.said_hello && Instant::now() >= hello_by {
                self.outcome.get_or_insert_with(|| {
                    Err(Error::timed_out("the child did not say hello within its time: its start"))
                });
                // If it is dead already the next look says so.
                self.worker.kill();
                self.said_hello = true;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return self.exit().is_some();
            }
        }
    }

    /// What became of the target; call once it has ended.
    ///
    /// # Errors
    /// The target's panic, the child's death, or why it could not start.
    pub fn take_outcome(&mut self) -> Result<Value> {
        let attachments = std::mem::take(&mut self.attachments);
        if let Some(outcome) = self.outcome.take() {
            return outcome.map(|value| value.with(attachments));
        }
        let exit = self.exit().unwrap_or(Exit::Unknown);
        if self.said_hello {
            let worker = self.worker.id().clone();
            return Err(Error::new(Fault::WorkerLost { worker, exit, why: None }));
        }
        Err(self.worker.start_failure(exit, false).0)
    }

    /// Takes what the child has published so far. A child has two things to say, each once; one that says
    /// anything else is killed, and not listened to any more.
    fn read(&mut self) {
        while !self.speaks_nonsense {
            let frame = match self.lane.peek() {
                Ok(Some(frame)) => frame,
                Ok(None) => return,
                Err(corrupt) => return self.accuse(&corrupt.to_string()),
            };
            let payload = crate::pool::payload_of(&self.lane, &frame);
            self.lane.advance(&frame);
            match frame.header.kind {
                response::HELLO
                    if !self.said_hello
                        && &payload[..] == procession_os::image::identity().as_bytes() =>
                {
                    self.said_hello = true;
                }
                response::DONE if self.outcome.is_none() => {
                    self.outcome = Some(self.outcome_of(&frame.header, payload));
                }
                _ => self.accuse("a frame that none expects"),
            }
        }
    }

    /// Kills a child that sent nonsense. What it had sent before stands.
    fn accuse(&mut self, what: &str) {
        self.speaks_nonsense = true;
        let worker = self.worker.id().clone();
        let error = Error::new(Fault::Protocol { worker, what: what.to_owned() });
        self.outcome.get_or_insert(Err(error));
        self.worker.kill();
    }

    fn outcome_of(&mut self, header: &Header, payload: Bytes) -> Result<Value> {
        let worker = self.worker.id().clone();
        let nonsense = |what: &str| {
            Error::new(Fault::Protocol { worker: worker.clone(), what: what.to_owned() })
        };
        if header.word != status::VALUE {
            let failure = crate::pool::failure_of(Some(worker.clone()), header.word, &payload);
            return Err(failure.unwrap_or_else(|| nonsense("an outcome of no known status")));
        }
        if header.flags & FLAG_BULK == 0 {
            return Ok(Value::Private(payload));
        }
        let receipt = Reference::from_bytes(&payload).and_then(|reference| {
            self.worker.receipt(reference, self.lane.watch(), &Loans::default())
        });
        receipt.map(Box::new).map(Value::Bulk).ok_or_else(|| {
            if self.worker.is_short() {
                return crate::pool::no_room();
            }
            nonsense("a bulk segment that was never sent")
        })
    }
}
