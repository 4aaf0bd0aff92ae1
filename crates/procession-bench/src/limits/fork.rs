//! A copy of this process, for what needs a second process and nothing else.

#![allow(unsafe_code)]

use rustix::process::{Pid, Signal, WaitOptions};
use std::io;

/// A forked child; killed and reaped when dropped.
#[derive(Debug)]
pub(crate) struct Forked {
    pid: Option<Pid>,
}

/// Runs `body` in a fork of this process, which then exits.
///
/// # Safety
/// The child has only the calling thread, and copies of all locks as the other threads held them:
/// `body` must take none, and so must not allocate, print or panic.
pub(crate) unsafe fn run(body: impl FnOnce()) -> io::Result<Forked> {
    // SAFETY: the child does only what is said below and in this function's contract.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // If that fails, the child lives as long as the bench lets it.
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
        body();
        // SAFETY: ends the process without running anything of it.
        unsafe { libc::_exit(0) };
    }
    match Pid::from_raw(pid) {
        Some(pid) if pid.as_raw_nonzero().get() > 0 => Ok(Forked { pid: Some(pid) }),
        _ => Err(io::Error::last_os_error()),
    }
}

impl Forked {
    /// Waits for the child's own end.
    pub(crate) fn join(mut self) -> io::Result<()> {
        if let Some(pid) = self.pid.take() {
            rustix::process::waitpid(Some(pid), WaitOptions::empty())?;
        }
        Ok(())
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        if let Some(pid) = self.pid.take() {
            // It is our child and not reaped: the id is still its own.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            let _ = rustix::process::waitpid(Some(pid), WaitOptions::empty());
        }
    }
}
