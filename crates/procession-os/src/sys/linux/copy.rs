//! Copying a process with `clone3`.
//!
//! `fork` of the C library makes children of the calling process. A template's copies are to be its
//! siblings (`CLONE_PARENT`), which only the raw call can do. What else `fork` would do for a process
//! of one thread is done here: the C library keeps the id of each thread in a word, at the address
//! that the kernel clears when the thread ends, and the kernel writes the new id to the same word in
//! the copy; and the list of robust mutexes, which the kernel does not hand down, is registered
//! again. There is no lock to be set free, for there is no other thread that could hold one.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::ptr;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::Pid;
use rustix::thread::{get_clear_child_tid_address, gettid};

use super::control::Control;
use super::inherited::Listed;
use super::leash::{self, Hold};
use super::life;
use super::process::{Child, bind_life_to_parent, exit_now, is_own, keep};
use crate::copy::{Copied, Ties};
use crate::leash::Leash;

/// What `clone3` is told, as the kernel lays it out: its second version, of 5.5.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

pub(crate) fn thread_count() -> io::Result<usize> {
    // A folder has a link from its parent, one from itself and one from each folder in it, and this
    // one has a folder for each thread. So it is one call.
    let links = fs::metadata("/proc/self/task")?.nlink();
    usize::try_from(links.saturating_sub(2)).map_err(io::Error::other)
}

pub(crate) fn prepare() -> io::Result<()> {
    require_one_thread()?;
    thread_word()?;
    open_streams()
}

/// Opens what is closed of the standard streams.
fn open_streams() -> io::Result<()> {
    loop {
        // It takes the lowest place that is free.
        let descriptor = open("/dev/null", OFlags::RDWR.union(OFlags::CLOEXEC), Mode::empty())?;
        if descriptor.as_raw_fd() >= 3 {
            return Ok(());
        }
        // A stream stays open for the life of the process.
        let _stream = descriptor.into_raw_fd();
    }
}

fn require_one_thread() -> io::Result<()> {
    match thread_count()? {
        1 => Ok(()),
        count => Err(io::Error::other(format!(
            "a process with {} other threads cannot be copied",
            count.saturating_sub(1)
        ))),
    }
}

/// The address of the word that holds the calling thread's id, for the kernel and for the C library.
fn thread_word() -> io::Result<u64> {
    let refused =
        || io::Error::new(io::ErrorKind::Unsupported, "the C library keeps thread ids elsewhere");
    let word = get_clear_child_tid_address()?.ok_or_else(refused)?.cast::<i32>();
    // SAFETY: the C library gave the address to the kernel as that of a word of its own, for as long
    // as this thread lives; nobody writes it while the thread runs.
    let id = unsafe { word.as_ptr().read() };
    if id != gettid().as_raw_pid() {
        return Err(refused());
    }
    Ok(word.as_ptr().expose_provenance() as u64)
}

/// The calling thread's list of robust mutexes.
fn robust_list() -> io::Result<(usize, usize)> {
    let (mut head, mut bytes) = (0_usize, 0_usize);
    // SAFETY: the call is told to look at the calling thread and has room for both words.
    let result =
        unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut bytes) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok((head, bytes)) }
}

/// Registers a list that the thread which this one is a copy of had registered.
fn register_robust_list((head, bytes): (usize, usize)) {
    // SAFETY: the list is the C library's, at the same address in the copy, and lives as long as the
    // thread does. The call fails for no list of that length.
    unsafe { libc::syscall(libc::SYS_set_robust_list, head, bytes) };
}

/// A copy's first act: it is tied, or ends.
fn tie(ties: Ties) {
    // What cannot be tied in one way is in the other.
    let is_bound = ties.parent.map(|parent| bind_life_to_parent(parent).unwrap_or(true));
    let is_held = ties.leash.map(|leash| leash.wear().unwrap_or(true));
    if is_bound == Some(false) || is_held == Some(false) {
        exit_now(1);
    }
}

pub(crate) fn fork_sibling(ties: Ties) -> io::Result<Copied> {
    require_one_thread()?;
    let robust_list = robust_list()?;
    let flags = libc::CLONE_PARENT | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID;
    let arguments = CloneArguments {
        flags: u64::from(flags.cast_unsigned()),
        child_tid: thread_word()?,
        // With `CLONE_PARENT` it must be none: the parent gets the signal that it gets for us.
        exit_signal: 0,
        ..CloneArguments::default()
    };
    // SAFETY: the arguments are laid out as the kernel says, and as many bytes as it is told. Memory
    // is copied, not shared, and the copy continues on a copy of this stack. This process has one
    // thread, so nothing in the copy is held by, or half-changed by, one that does not exist there.
    // The kernel writes the copy's id to the word that the C library keeps it in.
    let result = unsafe {
        libc::syscall(libc::SYS_clone3, ptr::from_ref(&arguments), size_of::<CloneArguments>())
    };
    match result {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            leash::begin_anew();
            tie(ties);
            register_robust_list(robust_list);
            life::begin_anew();
            Ok(Copied::Copy)
        }
        pid => {
            let pid = u32::try_from(pid).map_err(io::Error::other)?;
            if let Some(leash) = &ties.leash {
                // It wears it itself, too, if it comes to that: it may be stopped.
                let _ = leash::put_on(&leash.0, pid);
            }
            Ok(Copied::Original(pid))
        }
    }
}

/// Gives the leash back in the original.
pub(crate) fn fork(
    keep: &Control,
    hold: &Hold,
    leash: OwnedFd,
) -> io::Result<(Copied, Option<OwnedFd>)> {
    let mut ends = Listed::lock();
    // SAFETY: the face has seen to it that no other thread runs, or that somebody vouched for those
    // that do: they hold nothing that the copy needs. The list is locked by this thread.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            leash::begin_anew();
            // It would hold its own leash.
            ends.let_go_of(hold, leash.as_fd())?;
            tie(Ties { parent: None, leash: Some(Leash(leash)) });
            ends.let_go_of_all_but(keep.handle(), hold)?;
            Ok((Copied::Copy, None))
        }
        pid => Ok((Copied::Original(pid.cast_unsigned()), Some(leash))),
    }
}

pub(crate) fn flush() {
    // SAFETY: null stands for all streams that write.
    unsafe { libc::fflush(ptr::null_mut()) };
}

pub(crate) fn adopt(pid: u32) -> io::Result<Child> {
    let stranger = || {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{pid} is no child of this process"))
    };
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(stranger)?;
    // Its own children keep their ids until this process waits for them.
    if !is_own(pid)? {
        return Err(stranger());
    }
    let tether = leash::take_tether(pid.as_raw_pid().cast_unsigned());
    Ok(keep(pid)?.with(tether))
}

pub(crate) fn children_named(name: &str) -> Vec<u32> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let children: String = threads
        .map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default())
        .collect();
    let has_name = |pid: &u32| {
        let known = fs::read_to_string(format!("/proc/{pid}/comm"));
        known.is_ok_and(|known| known.trim_end() == name)
    };
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(has_name).collect()
}
