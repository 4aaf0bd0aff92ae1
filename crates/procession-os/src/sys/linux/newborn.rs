//! What a child does between its birth and its exec, while it shares its parent's memory and the thread
//! that launched it waits for that.
//!
//! Everything here is a system call or touches nothing but the [`Newborn`]: no lock is taken, nothing is
//! allocated, nothing unwinds. The C library's calls set `errno`, which is that of the thread that waits;
//! that thread has no use for it meanwhile.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;

use super::process::exit_now;

/// What the child is to do. The pointers are to what `execve` wants, and stay until it has run.
pub(super) struct Newborn {
    pub(super) executable: *const libc::c_char,
    pub(super) arguments: *const *const libc::c_char,
    pub(super) environment: *const *const libc::c_char,
    /// It keeps this descriptor, which no other child launched meanwhile gets.
    pub(super) inherited: RawFd,
    /// The process that it is to die with.
    pub(super) parent: libc::pid_t,
    /// The signals that it has blocked when it executes.
    pub(super) mask: libc::sigset_t,
    /// Why it could not; 0 if it could.
    pub(super) error: i32,
}

/// Exit code of a child that could not execute, and whose parent knows why.
const NOT_EXECUTED: i32 = 127;

/// Lives until the exec. To be called on a [`Newborn`], by `clone`, with all signals blocked.
pub(super) extern "C" fn live(newborn: *mut libc::c_void) -> libc::c_int {
    // SAFETY: it is a newborn, as the caller says, and nobody else's as long as this runs.
    let newborn = unsafe { &mut *newborn.cast::<Newborn>() };
    newborn.die_with_parent();
    reset_handlers();
    let result = newborn.inherit().and_then(|()| newborn.execute());
    newborn.error = result.err().and_then(|error| error.raw_os_error()).unwrap_or(libc::EINVAL);
    exit_now(NOT_EXECUTED)
}

impl Newborn {
    /// First of all: from here on it may be stopped, and is killed all the same when its parent dies. Who
    /// executes stays bound.
    fn die_with_parent(&self) {
        // SAFETY: the call takes a signal's number. Where it is not permitted the leash does the same.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        // SAFETY: the call has no conditions.
        if unsafe { libc::getppid() } != self.parent {
            // It died before.
            exit_now(NOT_EXECUTED);
        }
    }

    fn inherit(&self) -> io::Result<()> {
        // SAFETY: the descriptor is open, and the call takes flags: none. The table of descriptors is
        // the child's own.
        result_of(unsafe { libc::fcntl(self.inherited, libc::F_SETFD, 0) })
    }

    fn execute(&self) -> io::Result<()> {
        // SAFETY: the mask is initialized; a null pointer means that the old one is not wanted.
        let result =
            unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.mask, ptr::null_mut()) };
        result_of(result)?;
        // SAFETY: the path is a string, and both lists are of such strings and end in null, as their
        // owner says.
        result_of(unsafe { libc::execve(self.executable, self.arguments, self.environment) })
    }
}

/// Has each signal that this process handles do what it does by default, as an exec would: its handlers
/// must not run here. Rust programs ignore SIGPIPE, which an executable that is no worker need not expect.
fn reset_handlers() {
    for number in 1..=libc::SIGRTMAX() {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: a null pointer means that the action is to stay, and there is room for it.
        let result = unsafe { libc::sigaction(number, ptr::null(), action.as_mut_ptr()) };
        if result == -1 {
            // One that the C library keeps for itself, and nobody sends.
            continue;
        }
        // SAFETY: zeros are a valid action, and so is what the call has put in their place.
        let mut action = unsafe { action.assume_init() };
        let is_ignored = action.sa_sigaction == libc::SIG_IGN && number != libc::SIGPIPE;
        if is_ignored || action.sa_sigaction == libc::SIG_DFL {
            continue;
        }
        action.sa_sigaction = libc::SIG_DFL;
        // SAFETY: the action is initialized and has no handler. What cannot be changed is at its default.
        unsafe { libc::sigaction(number, &raw const action, ptr::null_mut()) };
    }
}

fn result_of(result: libc::c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
