//! Counts the instructions that a child executes between its marks.

#![allow(unsafe_code)]

use crate::harness::Outcome;
use libc::{c_int, c_long};
use std::io;
use std::process::Command;
use std::ptr;

/// Why a traced child has stopped.
enum Stop {
    Exited(c_int),
    Killed(c_int),
    Signal(c_int),
}

/// Runs this executable with these arguments, and counts the instructions of each marked stretch.
///
/// The child is traced by the thread that starts it, which must be the one that calls this.
pub(super) fn count(arguments: &[&str]) -> Outcome<Vec<u64>> {
    let child = Command::new(std::env::current_exe()?).args(arguments).spawn()?;
    let pid = c_int::try_from(child.id())?;
    let _one = super::OneProcessor::choose()?;
    let mut counts = Vec::new();
    let mut stepping = None;
    loop {
        match wait(pid)? {
            Stop::Exited(0) => return Ok(counts),
            Stop::Exited(code) => return Err(format!("it failed with code {code}").into()),
            Stop::Killed(signal) => return Err(format!("signal {signal} ended it").into()),
            Stop::Signal(libc::SIGSTOP) => {
                match stepping.take() {
                    Some(count) => counts.push(count),
                    None => stepping = Some(0),
                }
                resume(pid, stepping.is_some(), 0)?;
            }
            Stop::Signal(libc::SIGTRAP) => {
                if let Some(count) = &mut stepping {
                    *count += 1;
                }
                resume(pid, stepping.is_some(), 0)?;
            }
            // Its own affair: it gets the signal.
            Stop::Signal(other) => resume(pid, stepping.is_some(), other)?,
        }
    }
}

fn wait(pid: c_int) -> io::Result<Stop> {
    let mut status = 0;
    loop {
        // SAFETY: the status is a place for one.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) };
        if waited == pid {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(if libc::WIFEXITED(status) {
        Stop::Exited(libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        Stop::Killed(libc::WTERMSIG(status))
    } else {
        Stop::Signal(libc::WSTOPSIG(status))
    })
}

/// Has the child go on, for one instruction or until it stops by itself, with a signal or none.
fn resume(pid: c_int, step: bool, signal: c_int) -> io::Result<()> {
    let request = if step { libc::PTRACE_SINGLESTEP } else { libc::PTRACE_CONT };
    let nothing = ptr::null_mut::<libc::c_void>();
    // SAFETY: the requests take a signal and no memory; the child is stopped, and this thread's.
    let done = unsafe { libc::ptrace(request, pid, nothing, c_long::from(signal)) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
