//! A pipe that nobody writes to, whose end is signalled to its reader by SIGKILL.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::retry_on_intr;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::time::Timespec;

use super::descriptor::above_streams;
use super::inherited::End;

/// The end that is held; a copy of this process must not.
pub(crate) type Hold = End;

/// What this process wears, until it ends; negative if it wears none.
static WORN: AtomicI32 = AtomicI32::new(NONE);

const NONE: RawFd = -1;

pub(crate) fn pair() -> io::Result<(Hold, OwnedFd)> {
    let (leash, hold) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok((End::new(above_streams(hold)?), above_streams(leash)?))
}

pub(crate) fn lend(handle: &OwnedFd) -> BorrowedFd<'_> {
    handle.as_fd()
}

pub(crate) fn wear(leash: OwnedFd) -> io::Result<bool> {
    // Until this process ends, and if it cannot be worn as well: something else in this process may have
    // closed what is not its own, and have the number by now.
    let worn = ManuallyDrop::new(leash);
    let own = std::process::id().cast_signed();
    // SAFETY: the call takes a descriptor, which it checks, and a process id: that of this process.
    result_of(unsafe { libc::fcntl(worn.as_raw_fd(), libc::F_SETOWN, own) })?;
    // SAFETY: the call takes a descriptor, which it checks, and a signal's number. Nobody writes to the
    // pipe, so the one event that there is to signal is its end.
    result_of(unsafe { libc::fcntl(worn.as_raw_fd(), F_SETSIG, libc::SIGKILL) })?;
    fcntl_setfl(&*worn, fcntl_getfl(&*worn)?.union(OFlags::from_bits_retain(ASYNC)))?;
    // An end that came before is not signalled.
    let mut polled = [PollFd::new(&*worn, PollFlags::IN)];
    let has_ended = retry_on_intr(|| poll(&mut polled, Some(&Timespec::default())))? > 0;
    let before = WORN.swap(worn.as_raw_fd(), Ordering::Relaxed);
    debug_assert_eq!(before, NONE, "one leash is enough");
    Ok(!has_ended)
}

pub(crate) fn is_worn() -> bool {
    WORN.load(Ordering::Relaxed) != NONE
}

/// A copy is not on the leash of the process that it is a copy of: that one alone is signalled.
pub(super) fn begin_anew() {
    let worn = WORN.swap(NONE, Ordering::Relaxed);
    if worn != NONE {
        // SAFETY: the descriptor belongs to nobody else since it is worn, and is open unless something
        // in this process has closed what is not its own.
        drop(unsafe { OwnedFd::from_raw_fd(worn) });
    }
}

/// Chooses the signal; the same number on every processor that Rust runs on.
const F_SETSIG: i32 = 10;

const ASYNC: u32 = libc::O_ASYNC.cast_unsigned();

fn result_of(result: i32) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
