//! A pipe that nobody writes to, whose end is signalled to its reader by SIGKILL.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{fcntl_dupfd_cloexec, retry_on_intr};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::time::Timespec;

use super::descriptor::above_streams;
use super::inherited::End;
use super::process::has_ended;

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
    sign(&worn, std::process::id().cast_signed())?;
    // An end that came before is not signalled.
    let mut polled = [PollFd::new(&*worn, PollFlags::IN)];
    let has_ended = retry_on_intr(|| poll(&mut polled, Some(&Timespec::default())))? > 0;
    let before = WORN.swap(worn.as_raw_fd(), Ordering::Relaxed);
    debug_assert_eq!(before, NONE, "one leash is enough");
    Ok(!has_ended)
}

/// Has that process killed as soon as nobody holds the other end, though it may not have done anything yet.
/// It must have this end open by then.
pub(super) fn put_on(leash: &OwnedFd, pid: u32) -> io::Result<()> {
    sign(leash, pid.cast_signed())
}

/// Whether a process has put this end on, or was put on it.
fn is_worn_by(leash: &OwnedFd, pid: u32) -> bool {
    // SAFETY: the descriptor is open, and the call takes nothing.
    unsafe { libc::fcntl(leash.as_raw_fd(), libc::F_GETOWN) == pid.cast_signed() }
}

/// Has the end of a pipe signalled to this process.
fn sign(leash: &OwnedFd, pid: i32) -> io::Result<()> {
    // SAFETY: the call takes a descriptor, which it checks, and a process id.
    result_of(unsafe { libc::fcntl(leash.as_raw_fd(), libc::F_SETOWN, pid) })?;
    // SAFETY: the call takes a descriptor, which it checks, and a signal's number. Nobody writes to the
    // pipe, so the one event that there is to signal is its end.
    result_of(unsafe { libc::fcntl(leash.as_raw_fd(), F_SETSIG, libc::SIGKILL) })?;
    Ok(fcntl_setfl(leash, fcntl_getfl(leash)?.union(OFlags::from_bits_retain(ASYNC)))?)
}

/// Kills a child when this process dies, until it is dropped: for one that has not tied itself yet, and may
/// be stopped before it does.
///
/// Both ends are here, and it must be the end that is held that goes first when this process dies. The
/// kernel closes descriptors in the order of their numbers, and lets go of what they stand for in the
/// opposite order, of late; so there are two leashes, and on each another end has the higher number.
#[derive(Debug)]
pub(super) struct Tether {
    _leashes: [Tied; 2],
}

/// Both ends of a leash that a child is on.
#[derive(Debug)]
struct Tied {
    leash: OwnedFd,
    _hold: Hold,
}

impl Tether {
    /// Without descriptors there is none, and the child is on its own for a moment.
    pub(super) fn new(pid: u32) -> Option<Tether> {
        let tied = |(leash, hold): (OwnedFd, OwnedFd)| {
            sign(&leash, pid.cast_signed()).ok()?;
            Some(Tied { leash, _hold: End::new(hold) })
        };
        // The pipe's ends have the lowest numbers that are free, in one order or the other.
        let above =
            |low: &OwnedFd, high: OwnedFd| fcntl_dupfd_cloexec(high, low.as_raw_fd() + 1).ok();
        let (leash, hold) = pipe_with(PipeFlags::CLOEXEC).ok()?;
        let (leash, hold) = (above_streams(leash).ok()?, above_streams(hold).ok()?);
        let first = above(&leash, hold).map(|hold| (leash, hold)).and_then(tied)?;
        let (leash, hold) = pipe_with(PipeFlags::CLOEXEC).ok()?;
        let (leash, hold) = (above_streams(leash).ok()?, above_streams(hold).ok()?);
        let second = above(&hold, leash).map(|leash| (leash, hold)).and_then(tied)?;
        Some(Tether { _leashes: [first, second] })
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        // Others may have copies of both ends for a moment, and close them in any order. If this failed for
        // an open descriptor nothing here would make sense.
        if let Ok(flags) = fcntl_getfl(&self.leash) {
            let _ = fcntl_setfl(&self.leash, flags.difference(OFlags::from_bits_retain(ASYNC)));
        }
    }
}

/// Tethers of children that stand still, until somebody takes charge of these.
static STANDING: Mutex<Vec<(u32, Tether)>> = Mutex::new(Vec::new());

fn lock_standing() -> MutexGuard<'static, Vec<(u32, Tether)>> {
    STANDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The tether of a child that stands still.
pub(super) fn take_tether(pid: u32) -> Option<Tether> {
    let mut standing = lock_standing();
    let index = standing.iter().position(|(other, _)| *other == pid)?;
    Some(standing.swap_remove(index).1)
}

/// Waits until a child that was just forked has put on its leash, of which this process has that end as
/// well. If it stands still it remains tethered, by whoever takes charge of it.
pub(crate) fn await_worn(leash: &OwnedFd, pid: u32) {
    let Some(tether) = Tether::new(pid) else { return };
    let deadline = Instant::now() + STANDSTILL;
    let mut looks = 0_u32;
    while !is_worn_by(leash, pid) && !has_ended(pid) {
        if Instant::now() >= deadline {
            lock_standing().push((pid, tether));
            return;
        }
        looks += 1;
        if looks < YIELDS { std::thread::yield_now() } else { std::thread::sleep(LOOK_EVERY) }
    }
}

/// How long a child takes for its first calls, by far.
const STANDSTILL: Duration = Duration::from_millis(50);
/// Looks before it is worth to sleep between two of them.
const YIELDS: u32 = 32;
const LOOK_EVERY: Duration = Duration::from_micros(100);

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
