//! A single child that runs one target and exits.

use crate::attachment::Attachments;
use crate::error::{Error, Fault, Result};
use crate::face::Code;
use crate::message::{Role, request, response, status};
use crate::payload::{BulkSource, Bytes, Finished, Loans, Output, Value};
use crate::start::{Ordered, StartMethod, WorkerProcess, WorkerSpec};
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
pub fn next_name() -> String {
    format!("Process-{}", STARTED.fetch_add(1, Ordering::Relaxed) + 1)
}

/// A child that was started.
#[derive(Debug)]
pub struct Process {
    worker: WorkerProcess,
    lane: ParentLane,
    started: Instant,
    said_hello: bool,
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
    /// Launches a child of this name that calls `code` with the arguments that `encode` writes, by
    /// the given start method or else the program's.
    ///
    /// # Errors
    /// What `encode` returns, turned by `refused`; or that a process cannot be made.
    pub fn start<E>(
        name: String,
        method: Option<StartMethod>,
        code: Code,
        encode: impl FnOnce(&mut Output<'_>) -> std::result::Result<(), E>,
        refused: impl FnOnce(E) -> Error,
    ) -> Result<Self> {
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
            method,
            snapshot: None,
            company: 1,
            patience: START_TIMEOUT,
        };
        // Who waits learns of the end from the system.
        let (worker, lanes) = Ordered::new(spec, |_| {})?.finish()?;
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
            lane,
            started: Instant::now(),
            said_hello: false,
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
        self.worker.child()
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
            if self.child().wait(left).is_err() {
                // Out of memory for a moment.
                std::thread::sleep(Duration::from_millis(1));
            }
            if self.exit().is_some() {
                self.read();
                return true;
            }
            self.read();
            if !self.said_hello && Instant::now() >= hello_by {
                self.outcome.get_or_insert_with(|| {
                    Err(Error::timed_out("the child did not say hello within its time: its start"))
                });
                // If it is dead already the next look says so.
                let _ = self.worker.child().kill();
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
            return Err(Error::new(Fault::WorkerLost { worker, exit }));
        }
        Err(self.worker.start_failure(exit, false).0)
    }

    /// Takes what the child has published so far.
    fn read(&mut self) {
        while let Ok(Some(frame)) = self.lane.peek() {
            let payload = crate::pool::payload_of(&self.lane, &frame);
            self.lane.advance(&frame);
            match frame.header.kind {
                response::HELLO => {
                    self.said_hello = &payload[..] == procession_os::image::identity().as_bytes();
                }
                response::DONE if self.outcome.is_none() => {
                    self.outcome = Some(self.outcome_of(&frame.header, payload));
                }
                _ => {}
            }
        }
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
        receipt
            .map(Box::new)
            .map(Value::Bulk)
            .ok_or_else(|| nonsense("a bulk segment that was never sent"))
    }
}
