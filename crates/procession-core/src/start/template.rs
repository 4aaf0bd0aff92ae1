//! A template as the program holds it: the process that is forked for each child.
//!
//! Orders are sent as they come and answered in order; the launcher's thread never waits for an
//! answer, so a template that does not answer holds up nothing but its own orders. When it ends, it
//! fails them.

use super::bootstrap;
use super::launcher::{Answer, Failure, OnExit, Way};
use super::{VARIABLE, launcher};
use crate::face::Code;
use crate::message::{OrderHead, Parcel};
use procession_os::control::{Control, MESSAGE_BYTES_MAX, Received};
use procession_os::handle::BorrowedHandle;
use procession_os::leash::{Hold, Leash};
use procession_os::process::{Child, Exit};
use procession_os::surroundings::{Changes, Streams, Surroundings};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// The name of a template's process. Its copies have it, too, until the program knows of them and sends
/// them something: so those that it did not live to tell of can be found. The system keeps 15 bytes of a name.
pub(super) fn name_of(pid: u32) -> String {
    format!("template{pid}")
}

/// What a template is a process of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The program, started again.
    Program {
        /// Its executable; `None` for the program's own.
        executable: Option<PathBuf>,
        /// What it has called before it is forked.
        preload: Option<Code>,
    },
    /// The program as it was at one moment: the copy of this number.
    Copy(u64),
}

/// A child that was ordered.
pub(super) struct Pending {
    pub(super) on_exit: OnExit,
    pub(super) reply: Sender<Answer>,
}

/// What a template had to say.
pub(super) enum Said {
    /// The process id of the child that was ordered first.
    Forked(u32, Pending),
    /// Why that child is not to be had.
    NotForked(String, Pending),
    /// Nothing more now.
    Nothing,
    /// Nothing more ever.
    Closed,
}

/// A template that was started.
pub(super) struct Template {
    pub(super) origin: Origin,
    pub(super) child: Arc<Child>,
    pub(super) control: Control,
    _hold: Hold,
    /// Children are ordered, and have not been heard of.
    pub(super) waiting: VecDeque<Pending>,
    /// It has said that it can be forked.
    pub(super) is_ready: bool,
    /// It takes no more orders: it is ended, or about to be.
    pub(super) is_retired: bool,
    /// Nobody will order from it again, nor ask how it ended.
    pub(super) is_dismissed: bool,
    /// Why it cannot be forked.
    pub(super) refusal: Option<String>,
    baseline: Surroundings,
}

impl Template {
    /// Launches a template.
    pub(super) fn start(executable: Option<PathBuf>, preload: Option<Code>) -> io::Result<Self> {
        let (control, childs_end) = Control::pair()?;
        let (hold, leash) = Leash::pair()?;
        control.send(&Parcel::Template(preload).to_bytes(), &[leash.handle()])?;
        let value = OsString::from(bootstrap::call_for(&childs_end));
        // Before the launch: what changes meanwhile is told twice rather than not at all.
        let baseline = Surroundings::now();
        let variables = [(OsString::from(VARIABLE), Some(value))];
        let child = launcher::run_executable(executable.as_deref(), &variables, &childs_end)?;
        Ok(Self::new(Origin::Program { executable, preload }, child, control, hold, baseline))
    }

    /// A template that runs, and what was around the program when it was made.
    pub(super) fn new(
        origin: Origin,
        child: Child,
        control: Control,
        hold: Hold,
        baseline: Surroundings,
    ) -> Self {
        Self {
            origin,
            child: Arc::new(child),
            control,
            _hold: hold,
            waiting: VecDeque::new(),
            is_ready: false,
            is_retired: false,
            is_dismissed: false,
            refusal: None,
            baseline,
        }
    }

    /// What is different around the program since the template was started; `None` when that is too
    /// much for an order, or when the program is somebody else's by now: its children must not have the
    /// rights that it has given up. A copy of the program is what that was, its owner included.
    pub(super) fn changes(&self) -> Option<Changes> {
        if matches!(self.origin, Origin::Program { .. }) && !self.baseline.is_same_owner() {
            return None;
        }
        // Half for what else is in a message.
        let changes = self.baseline.changes().ok()?;
        (changes.to_bytes().len() <= MESSAGE_BYTES_MAX / 2).then_some(changes)
    }

    /// Orders a child that gets this end of its control channel and is on this leash. The caller then has
    /// it [wait](Self::waiting).
    pub(super) fn order(
        &self,
        childs_end: &Control,
        leash: &Leash,
        changes: &Changes,
    ) -> io::Result<()> {
        let streams = Streams::own();
        let mut handles: Vec<BorrowedHandle<'_>> = vec![childs_end.handle(), leash.handle()];
        handles.extend(changes.handle());
        handles.extend_from_slice(streams.handles());
        let head = OrderHead { streams: streams.open() };
        self.control.send(&Parcel::Order(head, changes.to_bytes()).to_bytes(), &handles)
    }

    /// Reads the next message.
    pub(super) fn hear(&mut self) -> Said {
        let (mut bytes, mut handles) = (Vec::new(), Vec::new());
        loop {
            match self.control.recv(&mut bytes, &mut handles, false) {
                Ok(Received::Message) => {}
                Ok(Received::Empty) => return Said::Nothing,
                Ok(Received::Closed) | Err(_) => return Said::Closed,
            }
            let parcel = Parcel::from_bytes(&bytes).and_then(|received| received.parcel);
            match parcel {
                Some(Parcel::Ready) => self.is_ready = true,
                Some(Parcel::Refusal(why)) => self.refusal = Some(why),
                Some(Parcel::Forked(pid)) => {
                    if let Some(pending) = self.waiting.pop_front() {
                        return Said::Forked(pid, pending);
                    }
                }
                Some(Parcel::NotForked(why)) => {
                    if let Some(pending) = self.waiting.pop_front() {
                        return Said::NotForked(why, pending);
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether orders for children that are made in this way are orders for it.
    pub(super) fn is_forked_by(&self, way: Way) -> bool {
        match (&self.origin, way) {
            (Origin::Copy(number), Way::Copy(wanted)) => *number == wanted,
            (Origin::Program { .. }, Way::Template | Way::Preferred | Way::Fastest) => true,
            _ => false,
        }
    }

    /// Takes no more orders, and ends; those that wait fail when it has.
    pub(super) fn retire(&mut self) {
        self.is_retired = true;
        // One that still has rights which the program has given up cannot be signalled. It ends at
        // any message that is no order; if it is dead already the exit watch knows.
        if self.child.kill().is_err() {
            let _ = self.control.send(&Parcel::Ready.to_bytes(), &[]);
        }
    }

    /// What orders that it has not answered fail with.
    pub(super) fn failure(&self, exit: Exit) -> Failure {
        match &self.refusal {
            Some(why) => Failure::Refused(why.clone()),
            None => Failure::Lost { exit, was_ready: self.is_ready },
        }
    }
}
