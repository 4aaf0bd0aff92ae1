//! Launching workers, signalling them and collecting their status.
//!
//! A [`Child`] stands for one process for good: it does not confuse it with another that was given
//! the same pid later.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::control::Control;
use crate::signal;
use crate::sys;

/// What to launch.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The executable; `None` for the image of this very process, also when its file has been
    /// replaced or deleted since.
    pub executable: Option<&'a Path>,
    /// The arguments, without the program's name.
    pub arguments: &'a [OsString],
    /// Variables to set, or to remove where the value is `None`, over this process's environment.
    pub variables: &'a [(OsString, Option<OsString>)],
    /// The child's end of the control channel. The child inherits it and takes possession of it
    /// under the same [token](Control::inherit_token); the caller drops its copy after the launch,
    /// or it will not learn from the channel that the child is gone.
    pub control: &'a Control,
}

/// Launches a process.
///
/// The child starts with the calling thread's signal mask and SIGINT blocked, until it calls
/// [`signal::prepare_worker`]; so a Ctrl-C at that moment does not kill it half-made. Where life is
/// [bound to the parent](bind_life_to_parent), it is bound to the calling thread: call this from a
/// thread that stays.
///
/// # Errors
///
/// Fails when the executable cannot be executed, when an argument or variable contains a NUL byte
/// or a variable's name is not one, and when the system is out of processes, descriptors or memory.
/// No child is left behind then.
pub fn launch(launch: &Launch<'_>) -> io::Result<Child> {
    sys::process::launch(launch).map(Child::new)
}

/// A process launched by this one.
///
/// Dropping it neither ends the process nor collects its status.
#[derive(Debug)]
#[must_use]
pub struct Child {
    pub(crate) sys: sys::process::Child,
    ending: Mutex<Ending>,
}

/// What is known of a child's end.
#[derive(Debug, Default)]
struct Ending {
    /// The status, once collected: the system gives it out only once.
    exit: Option<Exit>,
    /// When it was found that the child has ended, and there was no status.
    withheld_since: Option<Instant>,
}

impl Child {
    pub(crate) fn new(sys: sys::process::Child) -> Child {
        Child { sys, ending: Mutex::default() }
    }

    /// The process id. It is for messages to people: after the end of the process, the system may
    /// give it to another.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.sys.pid()
    }

    /// Sends a signal; a process that has ended already takes no notice.
    ///
    /// # Errors
    ///
    /// Fails with [`io::ErrorKind::InvalidInput`] when there is no signal of this number, and with
    /// [`io::ErrorKind::PermissionDenied`] when the process has other credentials by now.
    pub fn signal(&self, number: i32) -> io::Result<()> {
        self.sys.signal(number)
    }

    /// Asks the process to end.
    ///
    /// # Errors
    ///
    /// As [`Child::signal`].
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(signal::TERMINATE)
    }

    /// Ends the process without asking.
    ///
    /// # Errors
    ///
    /// As [`Child::signal`].
    pub fn kill(&self) -> io::Result<()> {
        self.signal(signal::KILL)
    }

    /// Ends the process without asking and collects its status, for a child that nobody will watch. Waits
    /// for its end, but not for [longer](Child::WITHHELD_PATIENCE) than one takes that is killed.
    pub fn end(&self) {
        // If it has other credentials by now, all that can be done is to let it be.
        if self.kill().is_ok() && matches!(self.wait(Some(Self::WITHHELD_PATIENCE)), Ok(true)) {
            // One whose status cannot be had has left none.
            let _ = self.try_reap();
        }
    }

    /// Waits until the process has ended, for at most `timeout`; `false` when that has passed. A
    /// signal to this process may end the wait early, as if the time had passed.
    ///
    /// # Errors
    ///
    /// Fails when the system is out of memory.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<bool> {
        self.sys.wait(timeout)
    }

    /// How long a status that a tracer holds back is waited for, from the call that first found it so.
    pub const WITHHELD_PATIENCE: Duration = Duration::from_secs(1);

    /// Collects the status if the process has ended, and gives `None` if it runs. Never blocks.
    /// Once there is a status, every further call gives the same.
    ///
    /// A process that is traced by another, such as a debugger, may have ended while its status is the
    /// tracer's to have first. That counts as running for a [while](Child::WITHHELD_PATIENCE), which a
    /// tracer that follows along does not need, and then as [`Exit::Withheld`] until there is a status.
    ///
    /// # Errors
    ///
    /// Fails when the process is not a child of the calling one, as after a fork.
    pub fn try_reap(&self) -> io::Result<Option<Exit>> {
        let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        if ending.exit.is_none() {
            ending.exit = self.sys.try_reap()?;
        }
        if ending.exit.is_some() || !self.sys.wait(Some(Duration::ZERO))? {
            return Ok(ending.exit);
        }
        // It may have ended between the two looks.
        ending.exit = self.sys.try_reap()?;
        let since = *ending.withheld_since.get_or_insert_with(Instant::now);
        let is_withheld = since.elapsed() >= Self::WITHHELD_PATIENCE;
        Ok(ending.exit.or(is_withheld.then_some(Exit::Withheld)))
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It returned from `main` or called `exit`.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The number of the signal.
        number: i32,
        /// Whether the system wrote a core file.
        core_dumped: bool,
    },
    /// It has ended, but someone else collected its status: another part of this process waits for
    /// any child, or ignores SIGCHLD.
    Unknown,
    /// It has ended, but the process that traces it, such as a debugger, has not let go of its status.
    Withheld,
}

impl Exit {
    /// The exit code as Python's `multiprocessing` gives it: the number of a signal is negative.
    #[must_use]
    pub fn code_like_python(self) -> Option<i32> {
        match self {
            Exit::Code(code) => Some(code),
            Exit::Signal { number, .. } => Some(-number),
            Exit::Unknown | Exit::Withheld => None,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal { number, core_dumped } => {
                f.write_str(&signal::describe(number))?;
                f.write_str(if core_dumped { ", core dumped" } else { "" })
            }
            Exit::Unknown => f.write_str(
                "unknown exit status: the program ignores SIGCHLD, or something else in it collected \
                 the status",
            ),
            Exit::Withheld => f.write_str(
                "unknown exit status: the process that traces it, such as a debugger, holds it back",
            ),
        }
    }
}

/// Has the system kill this process as soon as the thread that launched it is gone, and tells
/// whether the parent `parent_pid` is still there to be bound to.
///
/// On false the parent had gone before, and the caller should end.
///
/// # Errors
///
/// Fails when the system cannot do this.
pub fn bind_life_to_parent(parent_pid: u32) -> io::Result<bool> {
    sys::process::bind_life_to_parent(parent_pid)
}

/// Names this process for those who list processes, as far as the system has room: 15 bytes on
/// Linux. A process that was forked, or run by a descriptor, has no name of its own otherwise.
pub fn set_name(name: &str) {
    sys::process::set_name(name);
}

/// The process id of the parent, or of whoever took its place; 0 if that is out of sight.
#[must_use]
pub fn parent_pid() -> u32 {
    sys::process::parent_pid()
}

/// Ends this process on the spot: no destructors, no exit handlers, no flushing.
pub fn exit_now(code: i32) -> ! {
    sys::process::exit_now(code)
}
