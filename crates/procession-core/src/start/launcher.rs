//! The one thread that launches children and watches for their ends.
//!
//! A child asks the kernel to kill it when its parent dies, and for the kernel the parent is the
//! *thread* that launched it. So every launch is done by this thread, which lives as long as the
//! process. It is also the one place that reaps, so no exit status is collected twice.

use super::desk::Desk;
use super::template::Template;
use crate::error::{Error, Result};
use parking_lot::Mutex;
use procession_os::control::Control;
use procession_os::exit_watch::Watcher;
use procession_os::leash::Leash;
use procession_os::own_thread::{self, OwnThread};
use procession_os::process::{Child, Exit, Launch};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

static EXECUTABLE: Mutex<Option<PathBuf>> = Mutex::new(None);
static LAUNCHER: Mutex<Option<Arc<Launcher>>> = Mutex::new(None);

/// Starts children from another executable than this process's own; `None` goes back to that.
///
/// It must be the same build as this program: a child that is not refuses to work, and the pool
/// says so. (`multiprocessing.set_executable`.)
pub fn set_executable(path: Option<PathBuf>) {
    *EXECUTABLE.lock() = path;
}

/// The executable that children are started from; `None` for this process's own.
pub(super) fn executable() -> Option<PathBuf> {
    EXECUTABLE.lock().clone()
}

/// Runs on the launcher's thread when a child ends, and must be brief.
pub(crate) type OnExit = Box<dyn FnOnce(Exit) + Send>;

/// What became of a launch.
pub(super) type Answer = std::result::Result<Arc<Child>, Failure>;

/// Why there is no child.
#[derive(Debug)]
pub(super) enum Failure {
    /// The system refused.
    System(io::Error),
    /// The template cannot be forked, and another could not either.
    Refused(String),
    /// The system did not let the template fork itself; it may let another.
    NotForked(String),
    /// The template ended before it had answered. The child's end of the channel is used up.
    Lost { exit: Exit, was_ready: bool },
}

/// How one child is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By running the executable.
    Spawn,
    /// By forking the template, which is started if there is none.
    Template,
    /// By forking the template, which is started if there is none; by running the executable if one
    /// like it has refused.
    Preferred,
    /// By forking the template if there is one that is ready, else by running the executable.
    Fastest,
    /// By forking the copy of the program of this number.
    Copy(u64),
    /// By forking the program, on the thread that asks for it.
    Here,
}

/// A child to be made.
pub(super) struct Order {
    pub(super) way: Way,
    pub(super) control: Control,
    pub(super) leash: Leash,
    pub(super) on_exit: OnExit,
    pub(super) reply: Sender<Answer>,
}

/// What the launcher's thread is asked to do.
pub(super) enum Errand {
    Launch(Order),
    /// End the template that is forked in this way: it takes too long to answer.
    Retire(Way),
    /// Watch over a child that was made elsewhere.
    Keep {
        child: Arc<Child>,
        on_exit: OnExit,
        reply: Sender<io::Result<()>>,
    },
    /// Watch over a template that was made elsewhere.
    Adopt(Box<Template>),
    /// End the copy of the program of this number: nobody has any more use for it.
    Dismiss(u64),
}

struct Launcher {
    /// The process that the thread belongs to: a forked copy of it has no such thread.
    pid: u32,
    watcher: Arc<Watcher>,
    errands: Mutex<Sender<Errand>>,
}

impl Launcher {
    fn get() -> Result<Arc<Self>> {
        let mut launcher = LAUNCHER.lock();
        if let Some(known) = &*launcher
            && known.pid == std::process::id()
        {
            return Ok(known.clone());
        }
        let cannot = |source| Error::system("cannot start the launcher thread", source);
        let watcher = Arc::new(Watcher::new().map_err(cannot)?);
        let (errands, incoming) = channel();
        let seen = watcher.clone();
        let serve = move |own: &mut OwnThread| Desk::new(&seen).serve(own, &incoming);
        own_thread::spawn("procession-launcher", 256 * 1024, serve).map_err(cannot)?;
        let pid = std::process::id();
        let fresh = Arc::new(Self { pid, watcher, errands: Mutex::new(errands) });
        *launcher = Some(fresh.clone());
        Ok(fresh)
    }

    /// Has the launcher's thread do something; `false` when it is gone.
    fn send(&self, errand: Errand) -> bool {
        let sent = self.errands.lock().send(errand).is_ok();
        self.watcher.wake();
        sent
    }
}

/// Makes sure that there is a launcher's thread, before there is something that it must be told of.
pub(super) fn require() -> Result<()> {
    Launcher::get().map(drop)
}

/// Has the launcher's thread do something.
pub(super) fn send(errand: Errand) -> Result<()> {
    if Launcher::get()?.send(errand) { Ok(()) } else { Err(gone()) }
}

#[cold]
pub(super) fn gone() -> Error {
    Error::usage("the launcher thread is gone: the process is exiting")
}

/// A child that was ordered.
pub(super) struct Awaited {
    launcher: Arc<Launcher>,
    answer: Receiver<Answer>,
    way: Way,
}

/// Has a child made with this end of its control channel, and on this leash if it can be born on it.
/// `on_exit` runs on the launcher's thread when it ends, and must be brief.
pub(super) fn launch(way: Way, control: Control, leash: Leash, on_exit: OnExit) -> Result<Awaited> {
    let launcher = Launcher::get()?;
    let (reply, answer) = channel();
    if !launcher.send(Errand::Launch(Order { way, control, leash, on_exit, reply })) {
        return Err(gone());
    }
    Ok(Awaited { launcher, answer, way })
}

impl Awaited {
    /// Waits until there is a child, or none. A template that has not answered after `patience` is
    /// ended.
    pub(super) fn get(self, patience: Duration) -> Result<Answer> {
        if self.way != Way::Spawn {
            match self.answer.recv_timeout(patience) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
                // Its end, which nothing can put off, fails the order.
                Err(RecvTimeoutError::Timeout) => self.launcher.send(Errand::Retire(self.way)),
            };
        }
        self.answer.recv().map_err(|_| gone())
    }
}

/// Runs an executable as a child, or this process's own; called by the launcher's thread.
pub(super) fn run_executable(
    executable: Option<&Path>,
    variables: &[(OsString, Option<OsString>)],
    control: &Control,
) -> io::Result<Child> {
    procession_os::process::launch(&Launch {
        executable,
        arguments: &std::env::args_os().skip(1).collect::<Vec<_>>(),
        variables,
        control,
    })
}
