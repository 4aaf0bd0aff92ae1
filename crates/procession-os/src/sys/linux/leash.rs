//! A pipe that nobody writes to, whose end is signalled to its reader by SIGKILL.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::retry_on_intr;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::time::Timespec;

use super::descriptor::above_streams;
use super::inherited::End;

/// The end that is held; a copy of this process must not.
pub(crate) type Hold = End;

pub(crate) fn pair() -> io::Result<(Hold, OwnedFd)> {
    let (leash, hold) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok((End::new(above_streams(hold)?), above_streams(leash)?))
}

pub(crate) fn lend(handle: &OwnedFd) -> BorrowedFd<'_> {
    handle.as_fd()
}

pub(crate) fn wear(leash: OwnedFd) -> io::Result<bool> {
    let own = std::process::id().cast_signed();
    // SAFETY: the descriptor is open, and the call takes a process id: that of this process.
    result_of(unsafe { libc::fcntl(leash.as_raw_fd(), libc::F_SETOWN, own) })?;
    // SAFETY: the descriptor is open, and the call takes a signal's number. Nobody writes to the
    // pipe, so the one event that there is to signal is its end.
    result_of(unsafe { libc::fcntl(leash.as_raw_fd(), F_SETSIG, libc::SIGKILL) })?;
    fcntl_setfl(&leash, fcntl_getfl(&leash)?.union(OFlags::from_bits_retain(ASYNC)))?;
    // An end that came before is not signalled.
    let mut polled = [PollFd::new(&leash, PollFlags::IN)];
    let has_ended = retry_on_intr(|| poll(&mut polled, Some(&Timespec::default())))? > 0;
    // It is worn until this process ends.
    let _worn = leash.into_raw_fd();
    Ok(!has_ended)
}

/// Chooses the signal; the same number on every processor that Rust runs on.
const F_SETSIG: i32 = 10;

const ASYNC: u32 = libc::O_ASYNC.cast_unsigned();

fn result_of(result: i32) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
