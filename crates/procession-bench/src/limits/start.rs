//! Starts of processes without a library.

#![allow(unsafe_code)]

use super::fork;
use crate::harness::Outcome;
use crate::pace::Pace;
use crate::roles::Role;
use rustix::process::{Pid, WaitOptions, waitpid};
use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::ptr;

/// A fork that exits, and the wait for it.
pub(crate) fn fork_and_exit(pace: Pace) -> Outcome<Vec<f64>> {
    // SAFETY: the child does nothing.
    pace.time(|| Ok(unsafe { fork::run(|| {}) }?.join()?))
}

/// This very executable, which exits as the first thing in `main`.
pub(crate) fn exec_of_self(pace: Pace) -> Outcome<Vec<f64>> {
    let path = CString::new(std::env::current_exe()?.as_os_str().as_bytes())?;
    let role = CString::new(Role::Exit.argument())?;
    let arguments = [path.as_ptr().cast_mut(), role.as_ptr().cast_mut(), ptr::null_mut()];
    let environment = [ptr::null_mut()];
    pace.time(|| {
        let mut pid = 0;
        // SAFETY: the path is a string that ends in NUL; attributes and actions may be null; both
        // lists are of such strings and end in null, and none is written to. All outlives the call.
        let error = unsafe {
            libc::posix_spawn(
                &raw mut pid,
                path.as_ptr(),
                ptr::null(),
                ptr::null(),
                arguments.as_ptr(),
                environment.as_ptr(),
            )
        };
        let pid = Pid::from_raw(pid).filter(|_| error == 0);
        let pid = pid.ok_or_else(|| io::Error::from_raw_os_error(error))?;
        waitpid(Some(pid), WaitOptions::empty())?;
        Ok(())
    })
}

/// The smallest program that there is.
pub(crate) fn true_program(pace: Pace) -> Outcome<Vec<f64>> {
    pace.time(|| {
        Command::new("/bin/true").status()?;
        Ok(())
    })
}
