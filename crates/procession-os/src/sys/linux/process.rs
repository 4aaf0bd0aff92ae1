//! Processes by pidfd.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{
    self, Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions,
};
use rustix::time::Timespec;

use super::descriptor::above_streams;
use super::leash::Tether;
use super::spawn::Spawn;
use crate::process::{Exit, Launch};

/// Leads to the image of the process that follows it, whatever became of the file's name.
const OWN_IMAGE: &str = "/proc/self/exe";

pub(crate) fn launch(launch: &Launch<'_>) -> io::Result<Child> {
    let spawn = Spawn::new(launch)?;
    let pid = match launch.executable {
        Some(executable) => spawn.run(executable)?,
        None => match spawn.run(Path::new(OWN_IMAGE)) {
            Err(error) if is_proc_missing(&error) => spawn.run(path_at_start())?,
            result => result?,
        },
    };
    keep(pid)
}

/// Takes charge of a child that nobody has waited for.
pub(super) fn keep(pid: Pid) -> io::Result<Child> {
    match process::pidfd_open(pid, PidfdFlags::empty()).and_then(above_streams) {
        Ok(pidfd) => {
            let child = Child { pid, pidfd, _tether: None };
            child.require_own()?;
            Ok(child)
        }
        Err(errno) => {
            end_unwatched(pid);
            Err(errno.into())
        }
    }
}

/// Whether this process has a child of that id, alive or not.
pub(super) fn is_own(pid: Pid) -> rustix::io::Result<bool> {
    is_own_by(WaitId::Pid(pid))
}

/// Whether a child that nobody has waited for has ended, or is none by now.
pub(super) fn has_ended(pid: u32) -> bool {
    let Some(pid) = Pid::from_raw(pid.cast_signed()) else { return true };
    let look = WaitIdOptions::EXITED.union(WaitIdOptions::NOHANG).union(WaitIdOptions::NOWAIT);
    !matches!(retry_on_intr(|| process::waitid(WaitId::Pid(pid), look)), Ok(None))
}

fn is_own_by(id: WaitId<'_>) -> rustix::io::Result<bool> {
    let look = WaitIdOptions::EXITED.union(WaitIdOptions::NOHANG).union(WaitIdOptions::NOWAIT);
    match retry_on_intr(|| process::waitid(id.clone(), look)) {
        Ok(_) => Ok(true),
        Err(Errno::CHILD) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn is_proc_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound && Path::new(OWN_IMAGE).symlink_metadata().is_err()
}

/// The path that this process was executed under: second best, for the file may be another by now.
fn path_at_start() -> &'static Path {
    let path: &'static CStr = rustix::param::linux_execfn();
    Path::new(OsStr::from_bytes(path.to_bytes()))
}

/// Ends a child that has just been launched and cannot be kept.
///
/// This is the one place that signals by pid. It is still the child's, unless something else in this
/// program has waited for it, or SIGCHLD is ignored: then there is no child of that id.
fn end_unwatched(pid: Pid) {
    if is_own(pid) != Ok(true) {
        return;
    }
    // Both fail only if the child has gone just now.
    let _gone = process::kill_process(pid, Signal::KILL);
    let _gone = retry_on_intr(|| process::waitpid(Some(pid), WaitOptions::empty()));
}

#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    /// For one that has not tied itself.
    _tether: Option<Tether>,
}

impl Child {
    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_pid().cast_unsigned()
    }

    /// Keeps it tethered.
    pub(super) fn with(self, tether: Option<Tether>) -> Child {
        Child { _tether: tether, ..self }
    }

    pub(super) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Refuses what the id led to if the child had ended, something else had collected its status, and
    /// the id was another's by then.
    fn require_own(&self) -> io::Result<()> {
        if is_own_by(WaitId::PidFd(self.pidfd()))? || self.has_ended()? {
            return Ok(());
        }
        Err(io::Error::other("the child has ended, and its process id is another's by now"))
    }

    pub(crate) fn signal(&self, number: i32) -> io::Result<()> {
        match process::pidfd_send_signal(&self.pidfd, signal_of(number)?) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    pub(crate) fn try_reap(&self) -> io::Result<Option<Exit>> {
        let options = WaitIdOptions::EXITED.union(WaitIdOptions::NOHANG);
        let status = retry_on_intr(|| process::waitid(WaitId::PidFd(self.pidfd.as_fd()), options));
        match status {
            Ok(status) => Ok(status.map(|status| exit_of(&status))),
            // Not a child, or no longer one: it counts only if it has ended.
            Err(Errno::CHILD) if self.has_ended()? => Ok(Some(Exit::Unknown)),
            Err(errno) => Err(errno.into()),
        }
    }

    fn has_ended(&self) -> io::Result<bool> {
        self.wait(Some(Duration::ZERO))
    }

    pub(crate) fn wait(&self, timeout: Option<Duration>) -> io::Result<bool> {
        // A time that has no representation is never over.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut polled = [PollFd::new(&self.pidfd, PollFlags::IN)];
        match poll(&mut polled, timeout.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn exit_of(status: &WaitIdStatus) -> Exit {
    if let Some(code) = status.exit_status() {
        Exit::Code(code)
    } else if let Some(number) = status.terminating_signal() {
        Exit::Signal { number, core_dumped: status.dumped() }
    } else {
        Exit::Unknown
    }
}

fn signal_of(number: i32) -> io::Result<Signal> {
    if let Some(signal) = Signal::from_named_raw(number) {
        return Ok(signal);
    }
    if (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&number) {
        // SAFETY: the number is that of a signal, and the C library says that it is not one of
        // those that it keeps for itself.
        return Ok(unsafe { Signal::from_raw_unchecked(number) });
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("there is no signal {number}")))
}

pub(crate) fn bind_life_to_parent(expected_parent_pid: u32) -> io::Result<bool> {
    process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // A parent that went before the call above is not noticed by it, but had left us to another by
    // then; one that goes later kills us.
    Ok(parent_pid() == expected_parent_pid)
}

pub(crate) fn set_name(name: &str) {
    let end = name.bytes().position(|byte| byte == 0).unwrap_or(name.len());
    if let Ok(name) = std::ffi::CString::new(&name[..end]) {
        // The kernel cuts what is too long. A name that it does not take is no loss.
        let _ = rustix::thread::set_name(&name);
    }
}

pub(crate) fn parent_pid() -> u32 {
    Pid::as_raw(process::getppid()).cast_unsigned()
}

pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: the call has no conditions; what it leaves undone is what it is for.
    unsafe { libc::_exit(code) }
}
