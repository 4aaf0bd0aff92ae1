//! Copies of this process: how a template makes children that are its parent's.
//!
//! A *template* is a process that is forked whenever a child is wanted. A child that it forks here
//! is a sibling of it, not a child: it belongs to the process that launched the template, which
//! watches it, reaps it and takes it with it exactly as one that it launched itself.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::control::Control;
use crate::leash::{Hold, Leash};
use crate::own_thread::Rest;
use crate::process::Child;
use crate::sys;

/// Which of the two a process is after [`fork_sibling`] or [`fork`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Copied {
    /// The one that called; the copy has this process id.
    Original(u32),
    /// The copy, in which the call returned as well.
    Copy,
}

/// What ends a copy together with the program, from the first thing that it does on, whatever becomes of
/// it before it does a second: it may be stopped.
#[derive(Debug, Default)]
pub struct Ties {
    /// Its parent, by process id: see [`bind_life_to_parent`](crate::process::bind_life_to_parent). If
    /// that is gone already the copy ends.
    pub parent: Option<u32>,
    /// What it wears. If nobody holds that any more the copy ends.
    pub leash: Option<Leash>,
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
/// descriptors. Functions that were registered to run at a fork (`pthread_atfork`) do not run. It is not
/// bound to anything that this process is bound to, but has its own ties.
///
/// # Errors
///
/// Fails when this process has other threads, and when the system is out of processes or memory or
/// cannot do this.
pub fn fork_sibling(ties: Ties) -> io::Result<Copied> {
    sys::copy::fork_sibling(ties)
}

/// Whether somebody vouched for other threads.
static ALLOWS_THREADS: AtomicBool = AtomicBool::new(false);

/// Has [`fork`] no longer refuse a process that has other threads, from now on.
///
/// # Safety
///
/// A copy has the calling thread alone, while what other threads held or were changing at that moment
/// stays so in it for ever: a lock stays locked, a value stays half-changed. POSIX allows such a copy
/// nothing but async-signal-safe functions, and this library's copies do more. The caller vouches that
/// whenever this process forks, its other threads hold and change nothing that the copy uses. The C
/// library sees to its own heap and streams.
pub unsafe fn allow_fork_with_threads() {
    ALLOWS_THREADS.store(true, Ordering::Relaxed);
}

/// Forks this process. The copy is its child, and is to be [adopted](adopt); it continues on the
/// calling thread, with copies of all memory and descriptors, except that it has let go of the
/// ends of control channels and leashes, all but `keep`, and that there are zeros where shared memory
/// was. It wears the given leash before it does anything else, and ends with whoever has `hold`: this
/// process. It is not bound to the calling thread, which may end before this process does.
///
/// # Errors
///
/// Fails when this process has threads that are not this library's [own](crate::own_thread), unless
/// somebody [vouched for them](allow_fork_with_threads); when called by one of those; and when the
/// system is out of processes or memory or cannot do this. In a copy that cannot let go of what is not
/// its own the process ends.
pub fn fork(keep: &Control, hold: &Hold, leash: Leash) -> io::Result<Copied> {
    let rest = Rest::of_all(PATIENCE)?;
    if !ALLOWS_THREADS.load(Ordering::Relaxed) {
        require_no_other_threads(rest.count())?;
    }
    flush();
    let own = std::process::id();
    let copied = sys::copy::fork(&keep.0, &hold.0, leash.0);
    if std::process::id() != own {
        rest.forget_all();
        if copied.is_err() {
            crate::process::exit_now(1);
        }
    }
    let (copied, leash) = copied?;
    if let (Copied::Original(pid), Some(leash)) = (copied, leash) {
        drop(rest);
        sys::leash::await_worn(&leash, pid);
    }
    Ok(copied)
}

/// Longest wait for threads that have ended or go to rest.
const PATIENCE: Duration = Duration::from_millis(500);

fn require_no_other_threads(own: usize) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // One that was joined a moment ago may still be counted.
        let others = thread_count()?.saturating_sub(1 + own);
        if others == 0 {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(io::Error::other(format!(
                "this process has {others} other thread{}, and a copy of it has only the one that \
                 forks: what the others hold would stay locked in it for ever",
                if others == 1 { "" } else { "s" }
            )));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Writes out what is in the buffers of the standard output and of the C library's streams, so that
/// no copy writes it again.
pub fn flush() {
    // A stream that does not take it now does not take it later.
    let _ = io::stdout().flush();
    sys::copy::flush();
}

/// Takes charge of a child of this process that something else made for it, by its process id.
///
/// # Errors
///
/// Fails when no child of this process has that id, and when the system is out of descriptors.
pub fn adopt(pid: u32) -> io::Result<Child> {
    sys::copy::adopt(pid).map(Child::new)
}

/// Takes charge of those children of this process that have this [name](crate::process::set_name), as
/// copies of a template do until they take another, and that `is_known` does not know by their process
/// id. Where the system does not tell, there are none.
pub fn adopt_strays(name: &str, is_known: impl Fn(u32) -> bool) -> Vec<Child> {
    let pids = sys::copy::children_named(name);
    pids.into_iter().filter(|pid| !is_known(*pid)).filter_map(|pid| adopt(pid).ok()).collect()
}
