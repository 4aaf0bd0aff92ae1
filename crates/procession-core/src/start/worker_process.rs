//! A launched worker: its process, its control channel, its lane.

use super::fork::{Snapshot, fork_child};
use super::launcher::{self, Awaited, Failure, OnExit, Way};
use super::link::Link;
use super::{StartMethod, preload};
use crate::attachment::Attachments;
use crate::error::{Error, Fault, Result, WorkerId};
use crate::message::{Boot, Parcel, Role};
use crate::payload::{Loan, Loans, Receipt};
use parking_lot::Mutex;
use procession_ipc::bulk::{Bulk, Reference};
use procession_ipc::lane::{LaneWatch, ParentLane};
use procession_os::control::Control;
use procession_os::leash::{Hold, Leash};
use procession_os::process::{Child, Exit};
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
}

/// A launched worker, as the parent holds it.
#[derive(Debug)]
pub(crate) struct WorkerProcess {
    id: WorkerId,
    child: Arc<Child>,
    _hold: Hold,
    link: Arc<Link>,
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

    /// Waits until there is a process; hands over its lanes, one for each of its threads.
    pub(crate) fn finish(self) -> Result<(WorkerProcess, Vec<ParentLane>)> {
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
            Way::Here => Making::Made(fork_child(childs_end, on_exit)?),
            _ => Making::Ordered(launcher::launch(way, childs_end, on_exit)?),
        };
        Ok(Self { lanes, control, hold, child })
    }

    fn finish(
        self,
        spec: &WorkerSpec,
    ) -> Result<std::result::Result<(WorkerProcess, Vec<ParentLane>), Failure>> {
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
        };
        let link = Arc::new(Link::new(self.control, spec.threads));
        let worker = WorkerProcess { id, child, _hold: self.hold, link };
        Ok(Ok((worker, self.lanes)))
    }
}

impl WorkerProcess {
    /// Who it is, for errors.
    pub(crate) fn id(&self) -> &WorkerId {
        &self.id
    }

    /// The process, to signal it.
    pub(crate) fn child(&self) -> &Arc<Child> {
        &self.child
    }

    /// Makes sure that the worker has a bulk segment of ours; `false` when its channel is full or
    /// closed.
    pub(crate) fn share_bulk(&self, bulk: &Bulk) -> bool {
        self.link.share_bulk(bulk)
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
            if matches!(exit, Exit::Code(_)) {
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
        Failure::Lost { .. } => true,
        Failure::Refused(_) => first != second && first != Way::Template,
        Failure::System(_) => first != second,
    }
}

#[cold]
fn error_of(failure: Failure, patience: Duration) -> Error {
    let broken = |why, exit| Error::new(Fault::Broken { why, worker: None, exit, cause: None });
    match failure {
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
