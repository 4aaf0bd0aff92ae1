//! A launched worker: its process, its control channel, its lane.

use super::fork::{Snapshot, fork_child};
use super::launcher::{self, Answer, Failure, OnExit, Way};
use super::{StartMethod, preload};
use crate::error::{Error, Fault, Result, WorkerId};
use crate::message::{Boot, Parcel, Role};
use crate::payload::{Loan, Loans, Receipt};
use parking_lot::Mutex;
use procession_ipc::bulk::{Bulk, BulkView, Reference};
use procession_ipc::lane::{LaneWatch, ParentLane};
use procession_ipc::layout::BULK_MAX;
use procession_os::control::{Control, Received};
use procession_os::handle::Handle;
use procession_os::leash::{Hold, Leash};
use procession_os::memory::Memory;
use procession_os::process::{Child, Exit};
use std::collections::{HashMap, HashSet};
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
    /// Longest time to wait for a template.
    pub(crate) patience: Duration,
}

/// A launched worker, as the parent holds it.
#[derive(Debug)]
pub(crate) struct WorkerProcess {
    id: WorkerId,
    child: Arc<Child>,
    _hold: Hold,
    threads: usize,
    channel: Mutex<Channel>,
}

/// The parent's end of the control channel, and what came and went over it.
#[derive(Debug)]
struct Channel {
    control: Control,
    views: HashMap<u64, Arc<BulkView>>,
    sent: HashSet<u64>,
    refusal: Option<String>,
}

impl WorkerProcess {
    /// Launches a worker and hands it its lanes, one for each of its threads. `on_exit` runs on the
    /// launcher's thread.
    pub(crate) fn launch(
        spec: WorkerSpec,
        on_exit: impl FnOnce(Exit) + Send + 'static,
    ) -> Result<(Self, Vec<ParentLane>)> {
        super::bootstrap::require_parent()?;
        let method = StartMethod::chosen(spec.method);
        // A template may be lost by no fault of its own, and another be had.
        let [first, second] = match (&spec.snapshot, method) {
            (Some(snapshot), _) => [Way::Copy(snapshot.number()); 2],
            (None, Some(StartMethod::Spawn)) => [Way::Spawn; 2],
            (None, Some(StartMethod::ForkServer)) => [Way::Template; 2],
            (None, Some(StartMethod::Fork)) => [Way::Here; 2],
            (None, None) if preload::code().is_some() => [Way::Template, Way::Spawn],
            (None, None) => [Way::Fastest, Way::Spawn],
        };
        let exits = Exits::new(on_exit);
        match Self::attempt(&spec, first, exits.listen())? {
            Err(failure) if is_worth_another(&failure, first, second) => {
                Self::attempt(&spec, second, exits.listen())?
            }
            answer => answer,
        }
        .map_err(|failure| error_of(failure, spec.patience))
    }

    /// Launches a worker in one way, with lanes and a channel of its own.
    fn attempt(
        spec: &WorkerSpec,
        way: Way,
        on_exit: OnExit,
    ) -> Result<std::result::Result<(Self, Vec<ParentLane>), Failure>> {
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
        let answer: Answer = match way {
            Way::Here => Ok(fork_child(childs_end, on_exit)?),
            _ => launcher::launch(way, childs_end, spec.patience, on_exit)?,
        };
        let made = |child: Arc<Child>| {
            let id = WorkerId {
                name: spec.name.clone(),
                pid: child.pid(),
                index: spec.index,
                generation: spec.generation,
            };
            let channel =
                Channel { control, views: HashMap::new(), sent: HashSet::new(), refusal: None };
            let channel = Mutex::new(channel);
            (Self { id, child, _hold: hold, threads: spec.threads, channel }, lanes)
        };
        Ok(answer.map(made))
    }

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
        let mut channel = self.channel.lock();
        if channel.sent.contains(&bulk.id()) {
            return true;
        }
        let message = Parcel::Bulk(bulk.id()).to_bytes();
        let sent = channel.control.send(&message, &[bulk.memory().handle()]).is_ok();
        if sent {
            channel.sent.insert(bulk.id());
        }
        sent
    }

    /// Tells the worker that a bulk segment of ours will not be used any more.
    pub(crate) fn forget_bulk(&self, id: u64) {
        let mut channel = self.channel.lock();
        if channel.sent.remove(&id) {
            // If the channel is full the worker keeps the mapping until it exits: no harm.
            let _ = channel.control.send(&Parcel::BulkGone(id).to_bytes(), &[]);
        }
    }

    /// The payload in a bulk segment of the worker's that a frame refers to.
    pub(crate) fn receipt(
        &self,
        reference: Reference,
        watch: &Arc<LaneWatch>,
        loans: &Loans,
    ) -> Option<Receipt> {
        let mut channel = self.channel.lock();
        if !channel.views.contains_key(&reference.id) {
            channel.read(self.threads);
        }
        let view = channel.views.get(&reference.id)?.clone();
        Receipt::new(view, reference.bytes, Some(Loan::new(watch.clone(), reference.id, loans)))
    }

    /// What the worker said when it refused to work.
    pub(crate) fn refusal(&self) -> Option<String> {
        let mut channel = self.channel.lock();
        channel.read(self.threads);
        channel.refusal.clone()
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

impl Channel {
    /// Reads what the worker has sent over the control channel so far.
    fn read(&mut self, threads: usize) {
        let mut bytes = Vec::new();
        loop {
            let mut handles = Vec::new();
            match self.control.recv(&mut bytes, &mut handles, false) {
                Ok(Received::Message) => self.take(&bytes, handles, threads),
                Ok(Received::Empty | Received::Closed) | Err(_) => return,
            }
        }
    }

    fn take(&mut self, bytes: &[u8], handles: Vec<Handle>, threads: usize) {
        let Some(received) = Parcel::from_bytes(bytes) else { return };
        match received.parcel {
            Some(Parcel::Refusal(why)) => self.refusal = Some(why),
            Some(Parcel::Bulk(id)) => {
                let memory = handles.into_iter().next().and_then(|h| Memory::accept(h).ok());
                let view = memory.and_then(|memory| BulkView::map(&memory).ok());
                // A worker has no more at a time; one that claims to is not believed.
                if let Some(view) = view
                    && self.views.len() < 2 * BULK_MAX * threads
                {
                    self.views.insert(id, view);
                }
            }
            Some(Parcel::BulkGone(id)) => {
                self.views.remove(&id);
            }
            Some(_) | None => {}
        }
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
        Failure::Refused(_) | Failure::System(_) => first != second,
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
