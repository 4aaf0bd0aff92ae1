//! A launched worker: its process, its control channel, its lane.

use super::bootstrap::REFUSED;
use super::fork::{Snapshot, fork_child};
use super::launcher::{self, Awaited, Failure, OnExit, Way};
use super::link::Link;
use super::source::Body;
use super::{StartMethod, children, preload};
use crate::attachment::Attachments;
use crate::authkey;
use crate::error::{Error, Fault, Result, WorkerId};
use crate::info::current_process;
use crate::limits::WorkerLimits;
use crate::message::{Boot, Parcel, Retirement, Role};
use crate::payload::{Loan, Loans, Receipt};
use parking_lot::Mutex;
use procession_ipc::bulk::{Bulk, Reference};
use procession_ipc::lane::{LaneWatch, ParentLane};
use procession_os::control::Control;
use procession_os::leash::{Hold, Leash};
use procession_os::process::{Child, Exit};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What a worker is to be.
#[derive(Debug, Clone)]
pub(crate) struct WorkerSpec {
    pub(crate) role: Role,
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) generation: u32,
    /// How many threads run tasks, each on a lane of its own; at least 1.
    pub(crate) threads: usize,
    /// How it is made; `None` leaves that to the program.
    pub(crate) method: Option<StartMethod>,
    /// The copy of the program that it is forked from, if it is to be one.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    /// How many are launched together with it, itself included.
    pub(crate) company: usize,
    /// Longest time to wait for a template.
    pub(crate) patience: Duration,
    /// What it may use of the machine.
    pub(crate) limits: WorkerLimits,
    /// When it is to be replaced.
    pub(crate) retirement: Retirement,
}

/// A launched worker, as the parent holds it.
#[derive(Debug)]
pub(crate) struct WorkerProcess {
    id: WorkerId,
    body: Box<dyn Body>,
    link: Arc<Link>,
}

/// A process, with what its life is tied to.
#[derive(Debug)]
struct Process {
    child: Arc<Child>,
    _hold: Hold,
}

impl Body for Process {
    fn terminate(&self) {
        // If it is dead already the exit watch knows.
        let _ = self.child.terminate();
    }

    fn kill(&self) {
        // If it is dead already the exit watch knows.
        let _ = self.child.kill();
    }

    fn memory_bytes(&self) -> Option<u64> {
        procession_os::limits::private_bytes_of(&self.child).ok().flatten()
    }
}

/// A worker that is there.
pub(crate) struct Launched {
    pub(crate) worker: WorkerProcess,
    /// One for each of its threads.
    pub(crate) lanes: Vec<ParentLane>,
    /// The process, to wait for it and to signal it.
    pub(crate) child: Arc<Child>,
}

/// So many workers are there as soon by starting a template first as by spawning each, and sooner from
/// then on.
const COMPANY: usize = 2;

/// A worker that was ordered. If it is dropped the worker ends.
pub(crate) struct Ordered {
    spec: WorkerSpec,
    exits: Exits,
    first: Way,
    second: Way,
    attempt: Attempt,
}

impl Ordered {
    /// Orders a worker, with a lane for each of its threads. `on_exit` runs on the launcher's thread.
    pub(crate) fn new(
        spec: WorkerSpec,
        on_exit: impl FnOnce(Exit) + Send + 'static,
    ) -> Result<Self> {
        super::bootstrap::require_parent()?;
        // A template may be lost by no fault of its own, and another be had.
        let [first, second] = match (&spec.snapshot, StartMethod::chosen(spec.method)) {
            (Some(snapshot), _) => [Way::Copy(snapshot.number()); 2],
            (None, Some(StartMethod::Spawn)) => [Way::Spawn; 2],
            (None, Some(StartMethod::ForkServer)) => [Way::Template; 2],
            (None, Some(StartMethod::Fork)) => [Way::Here; 2],
            // Who has something preloaded counts on it: a template that refuses is the answer.
            (None, None) if preload::code().is_some() => [Way::Template, Way::Spawn],
            (None, None) if spec.company >= COMPANY => [Way::Preferred, Way::Spawn],
            (None, None) => [Way::Fastest, Way::Spawn],
        };
        let exits = Exits::new(on_exit);
        let attempt = Attempt::new(&spec, first, exits.listen())?;
        Ok(Self { spec, exits, first, second, attempt })
    }

    /// Waits until there is a process.
    pub(crate) fn finish(self) -> Result<Launched> {
        let Self { spec, exits, first, second, attempt } = self;
        match attempt.finish(&spec)? {
            Err(failure) if is_worth_another(&failure, first, second) => {
                Attempt::new(&spec, second, exits.listen())?.finish(&spec)?
            }
            answer => answer,
        }
        .map_err(|failure| error_of(failure, spec.patience))
    }
}

/// One attempt to make a worker, with lanes and a channel of its own.
struct Attempt {
    lanes: Vec<ParentLane>,
    control: Control,
    hold: Hold,
    child: Making,
}

/// A process that is being made, or was made at once.
enum Making {
    Ordered(Awaited),
    Made(Arc<Child>),
}

impl Attempt {
    fn new(spec: &WorkerSpec, way: Way, on_exit: OnExit) -> Result<Self> {
        let memory = |source| Error::system("cannot make the shared memory of a lane", source);
        let channel = |source| Error::system("cannot make a control channel", source);
        let (control, childs_end) = Control::pair().map_err(channel)?;
        let (hold, leash) = Leash::pair().map_err(channel)?;
        let boot = Boot {
            role: spec.role,
            name: spec.name.clone(),
            index: spec.index,
            generation: spec.generation,
            threads: spec.threads as u32,
            limits: spec.limits.clone(),
            retirement: spec.retirement,
            authkey: authkey::authkey()?,
            parent: current_process().name().to_owned(),
        };
        let mut lanes = Vec::with_capacity(spec.threads);
        for thread in 0..spec.threads {
            let (lane, [memory_a, memory_b]) = ParentLane::create().map_err(memory)?;
            let sent = if thread == 0 {
                let handles = [memory_a.handle(), memory_b.handle(), leash.handle()];
                control.send(&Parcel::Boot(boot.clone()).to_bytes(), &handles)
            } else {
                let handles = [memory_a.handle(), memory_b.handle()];
                control.send(&Parcel::Lane.to_bytes(), &handles)
            };
            sent.map_err(channel)?;
            lanes.push(lane);
        }
        let child = match way {
            Way::Here => Making::Made(fork_child(childs_end, &hold, leash, on_exit)?),
            _ => Making::Ordered(launcher::launch(way, childs_end, leash, on_exit)?),
        };
        Ok(Self { lanes, control, hold, child })
    }

    fn finish(self, spec: &WorkerSpec) -> Result<std::result::Result<Launched, Failure>> {
        let child = match self.child {
            Making::Made(child) => child,
            Making::Ordered(awaited) => match awaited.get(spec.patience)? {
                Ok(child) => child,
                Err(failure) => return Ok(Err(failure)),
            },
        };
        let id = WorkerId {
            name: spec.name.clone(),
            pid: child.pid(),
            index: spec.index,
            generation: spec.generation,
            memory_limit_bytes: spec.limits.memory_bytes,
        };
        children::note(&id, &child);
        let body = Box::new(Process { child: child.clone(), _hold: self.hold });
        let worker = WorkerProcess::new(id, body, self.control, spec.threads);
        Ok(Ok(Launched { worker, lanes: self.lanes, child }))
    }
}

impl WorkerProcess {
    /// A worker of so many threads, with the parent's end of its control channel.
    pub(crate) fn new(id: WorkerId, body: Box<dyn Body>, control: Control, threads: usize) -> Self {
        Self { id, body, link: Arc::new(Link::new(control, threads)) }
    }

    /// Who it is, for errors.
    pub(crate) fn id(&self) -> &WorkerId {
        &self.id
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        self.body.terminate();
    }

    /// Ends it without asking; its end is dealt with like any other.
    pub(crate) fn kill(&self) {
        self.body.kill();
    }

    /// Its private memory at this moment, if the system tells.
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        self.body.memory_bytes()
    }

    /// Makes sure that the worker has a bulk segment of ours; `false` when its channel is full or
    /// closed.
    pub(crate) fn share_bulk(&self, bulk: &Bulk) -> bool {
        self.link.share_bulk(bulk)
    }

    /// Whether the worker's end of the channel was found closed: it has ended, or will be of no use.
    pub(crate) fn has_hung_up(&self) -> bool {
        self.link.has_hung_up()
    }

    /// Tells the worker that a bulk segment of ours will not be used any more.
    pub(crate) fn forget_bulk(&self, id: u64) {
        self.link.forget_bulk(id);
    }

    /// Makes sure that the worker has what a payload mentions, before the frame is sent; gives how much
    /// of it went now. `None` when its channel is full or closed.
    pub(crate) fn share(&self, attachments: &Attachments) -> Option<usize> {
        Link::share(&self.link, attachments)
    }

    /// Whether the next frame shall have the worker read its channel.
    pub(crate) fn has_unread(&self) -> bool {
        self.link.has_unread()
    }

    /// Notes that a frame was sent that has the worker read its channel.
    pub(crate) fn told_to_read(&self) {
        self.link.told_to_read();
    }

    /// The payload in a bulk segment of the worker's that a frame refers to.
    pub(crate) fn receipt(
        &self,
        reference: Reference,
        watch: &Arc<LaneWatch>,
        loans: &Loans,
    ) -> Option<Receipt> {
        let view = self.link.view(reference.id)?;
        Receipt::new(view, reference.bytes, Some(Loan::new(watch.clone(), reference.id, loans)))
    }

    /// Whether a segment of the worker's was lost because this process has no descriptor or no memory
    /// left for it.
    pub(crate) fn is_short(&self) -> bool {
        self.link.is_short()
    }

    /// What the worker said when it refused to work.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.link.refusal()
    }

    /// The error of a worker that ended before it was ready, and whether the next one can only end
    /// the same way.
    pub(crate) fn start_failure(&self, exit: Exit, said_hello: bool) -> (Error, bool) {
        let refusal = self.refusal();
        let hopeless = refusal.is_some();
        let why = refusal.unwrap_or_else(|| {
            if said_hello {
                return "a worker ended in its initializer".to_owned();
            }
            let mut why = "a child ended before it said hello".to_owned();
            if exit == Exit::Code(REFUSED) {
                why.push_str(
                    ", for it had no control channel: what runs in the program before it calls \
                     procession must not close what it has not opened",
                );
            } else if matches!(exit, Exit::Code(_)) {
                why.push_str(
                    "; if this program's `main` lacks `#[procession::main]` \
                     (or a call of `procession::init()` as its first statement), add it",
                );
            }
            why
        });
        let exit = (!hopeless).then_some(exit);
        let broken = Fault::Broken { why, worker: Some(self.id.clone()), exit, cause: None };
        (Error::new(broken), hopeless)
    }
}

/// Who is told of the end, whichever attempt it is of that made the worker.
struct Exits(Arc<Mutex<Option<OnExit>>>);

impl Exits {
    fn new(on_exit: impl FnOnce(Exit) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(on_exit)))))
    }

    fn listen(&self) -> OnExit {
        let told = self.0.clone();
        Box::new(move |exit| {
            let on_exit = told.lock().take();
            if let Some(on_exit) = on_exit {
                on_exit(exit);
            }
        })
    }
}

/// Whether the second way may lead to a child where the first did not.
fn is_worth_another(failure: &Failure, first: Way, second: Way) -> bool {
    match failure {
        // A copy is as it was at one moment, and there is no other like it.
        Failure::Lost { .. } => !matches!(first, Way::Copy(_)),
        Failure::NotForked(_) => first == Way::Template || first != second,
        Failure::Refused(_) => first != second && first != Way::Template,
        Failure::System(_) => first != second,
    }
}

#[cold]
fn error_of(failure: Failure, patience: Duration) -> Error {
    let broken = |why, exit| Error::new(Fault::Broken { why, worker: None, exit, cause: None });
    match failure {
        Failure::NotForked(why) => Error::system(
            "cannot fork the template that children are forked from",
            io::Error::other(why),
        ),
        Failure::System(source) => {
            let what = match launcher::executable() {
                Some(path) => format!("cannot launch a child process from {}", path.display()),
                None => "cannot launch a child process".to_owned(),
            };
            Error::system(what, source)
        }
        Failure::Refused(why) => broken(why, None),
        Failure::Lost { exit, was_ready } => {
            let when = if was_ready { "had forked the child" } else { "could be forked" };
            let why = format!(
                "the template that children are forked from ended before it {when} (with {exit}; \
                 it is killed when it takes longer than {patience:?})"
            );
            broken(why, Some(exit))
        }
    }
}
