//! Copies of this process: how a template makes children that are its parent's.
//!
//! A *template* is a process that is forked whenever a child is wanted. A child that it forks here
//! is a sibling of it, not a child: it belongs to the process that launched the template, which
//! watches it, reaps it and takes it with it exactly as one that it launched itself.

use std::io;

use crate::process::Child;
use crate::sys;

/// Which of the two a process is after [`fork_sibling`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Copied {
    /// The one that called; the copy has this process id.
    Original(u32),
    /// The copy, in which the call returned as well.
    Copy,
}

/// Counts the threads of this process, the calling one included.
///
/// A thread that was joined a moment ago may still be counted: the system says that it is gone
/// before it has taken it off the list.
///
/// # Errors
///
/// Fails when the system does not tell, as without `/proc`.
pub fn thread_count() -> io::Result<usize> {
    sys::copy::thread_count()
}

/// Makes this process fit to be copied: opens what is closed of the standard streams, so that no
/// descriptor that it receives takes a stream's place.
///
/// # Errors
///
/// Fails when this process has other threads, which would not exist in a copy while what they hold
/// would, and when the system cannot copy a process in such a way that the C library knows its own
/// thread there.
pub fn prepare() -> io::Result<()> {
    sys::copy::prepare()
}

/// Copies this process. The copy is a child of this process's parent, for which it must be
/// [adopted](adopt) there; it continues on the calling thread, with copies of all memory and
/// descriptors. Functions that were registered to run at a fork (`pthread_atfork`) do not run.
///
/// # Errors
///
/// Fails when this process has other threads, and when the system is out of processes or memory or
/// cannot do this.
pub fn fork_sibling() -> io::Result<Copied> {
    sys::copy::fork_sibling()
}

/// Takes charge of a child of this process that something else made for it, by its process id.
///
/// # Errors
///
/// Fails when no child of this process has that id, and when the system is out of descriptors.
pub fn adopt(pid: u32) -> io::Result<Child> {
    sys::copy::adopt(pid).map(Child::new)
}

/// Takes charge of those children of the calling thread that `is_known` does not know by their
/// process id. Where the system does not tell, there are none.
pub fn adopt_strays(is_known: impl Fn(u32) -> bool) -> Vec<Child> {
    let pids = sys::copy::children_of_this_thread();
    pids.into_iter().filter(|pid| !is_known(*pid)).filter_map(|pid| adopt(pid).ok()).collect()
}
