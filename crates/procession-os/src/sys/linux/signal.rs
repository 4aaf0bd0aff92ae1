//! Signals by the kernel's numbers.

use signal_hook::iterator::Signals;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

pub(crate) const KILL: i32 = libc::SIGKILL;
pub(crate) const TERMINATE: i32 = libc::SIGTERM;

pub(crate) fn name_and_meaning(number: i32) -> Option<(&'static str, &'static str)> {
    Some(match number {
        libc::SIGHUP => ("SIGHUP", "hangup"),
        libc::SIGINT => ("SIGINT", "interrupt"),
        libc::SIGQUIT => ("SIGQUIT", "quit"),
        libc::SIGILL => ("SIGILL", "illegal instruction"),
        libc::SIGTRAP => ("SIGTRAP", "trace or breakpoint trap"),
        libc::SIGABRT => ("SIGABRT", "aborted"),
        libc::SIGBUS => ("SIGBUS", "bus error"),
        libc::SIGFPE => ("SIGFPE", "arithmetic exception"),
        libc::SIGKILL => ("SIGKILL", "killed"),
        libc::SIGUSR1 => ("SIGUSR1", "user-defined signal 1"),
        libc::SIGSEGV => ("SIGSEGV", "segmentation fault"),
        libc::SIGUSR2 => ("SIGUSR2", "user-defined signal 2"),
        libc::SIGPIPE => ("SIGPIPE", "broken pipe"),
        libc::SIGALRM => ("SIGALRM", "alarm clock"),
        libc::SIGTERM => ("SIGTERM", "terminated"),
        libc::SIGCHLD => ("SIGCHLD", "child exited"),
        libc::SIGCONT => ("SIGCONT", "continued"),
        libc::SIGSTOP => ("SIGSTOP", "stopped"),
        libc::SIGTSTP => ("SIGTSTP", "stopped from the terminal"),
        libc::SIGTTIN => ("SIGTTIN", "stopped for terminal input"),
        libc::SIGTTOU => ("SIGTTOU", "stopped for terminal output"),
        libc::SIGURG => ("SIGURG", "urgent data on a socket"),
        libc::SIGXCPU => ("SIGXCPU", "CPU time limit exceeded"),
        libc::SIGXFSZ => ("SIGXFSZ", "file size limit exceeded"),
        libc::SIGVTALRM => ("SIGVTALRM", "virtual timer expired"),
        libc::SIGPROF => ("SIGPROF", "profiling timer expired"),
        libc::SIGWINCH => ("SIGWINCH", "window size changed"),
        libc::SIGIO => ("SIGIO", "input or output possible"),
        libc::SIGPWR => ("SIGPWR", "power failure"),
        libc::SIGSYS => ("SIGSYS", "bad system call"),
        _ => return None,
    })
}

pub(crate) fn prepare_worker() -> io::Result<()> {
    // The order matters: a SIGINT that is pending finds the handler.
    disregard(libc::SIGINT)?;
    unblock(libc::SIGINT)?;
    unblock(libc::SIGTERM)?;
    ignore(libc::SIGPIPE)
}

extern "C" fn take_no_notice(_number: libc::c_int) {}

/// Has a signal do nothing in this process, and what it always does in programs that this process
/// runs: they would inherit that a signal is ignored, but a handler they do not.
fn disregard(number: i32) -> io::Result<()> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: an action of zeros is a valid one: no handler, no flags, an empty mask.
    let action = unsafe { action.assume_init_mut() };
    action.sa_sigaction = take_no_notice as *const () as usize;
    // Calls that can go on do.
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the action is initialized, its handler does nothing at all and so nothing that a handler
    // may not do; a null pointer means that the old action is not wanted.
    let result = unsafe { libc::sigaction(number, action, ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn ignore(number: i32) -> io::Result<()> {
    // SAFETY: no code is installed as a handler, so there is none that could do what a handler may
    // not; the number is checked by the call.
    let previous = unsafe { libc::signal(number, libc::SIG_IGN) };
    if previous == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn unblock(number: i32) -> io::Result<()> {
    let set = set_of(number)?;
    // SAFETY: the set is initialized, and a null pointer means that the old mask is not wanted.
    let error =
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut()) };
    result_of(error)
}

/// The calling thread has all signals blocked until this is dropped.
#[derive(Debug)]
pub(super) struct Blocked {
    before: libc::sigset_t,
}

impl Blocked {
    pub(super) fn all() -> io::Result<Blocked> {
        let mut all = MaybeUninit::uninit();
        // SAFETY: `all` has room for a set.
        if unsafe { libc::sigfillset(all.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let mut before = MaybeUninit::uninit();
        // SAFETY: the first set was just initialized, and `before` has room for the old one.
        let error =
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
        result_of(error)?;
        // SAFETY: the call succeeded, so it has filled in the set.
        Ok(Blocked { before: unsafe { before.assume_init() } })
    }

    /// What was blocked before, and one more.
    pub(super) fn before_and(&self, number: i32) -> io::Result<libc::sigset_t> {
        let mut set = self.before;
        insert(&mut set, number)?;
        Ok(set)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set is initialized, and a null pointer means that the old mask is not wanted. The
        // call does not fail for a mask that was in force before.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut())
        };
    }
}

/// The set that holds one signal.
fn set_of(number: i32) -> io::Result<libc::sigset_t> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `set` has room for a set.
    let result = unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has initialized the set.
    let mut set = unsafe { set.assume_init() };
    insert(&mut set, number)?;
    Ok(set)
}

/// Puts one more signal into a set.
fn insert(set: &mut libc::sigset_t, number: i32) -> io::Result<()> {
    // SAFETY: the set is initialized, and the number is checked by the call.
    let result = unsafe { libc::sigaddset(set, number) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// What a call means that returns an error number instead of setting `errno`.
fn result_of(error: i32) -> io::Result<()> {
    match error {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

#[derive(Debug)]
pub(crate) struct Arrivals(Signals);

impl Arrivals {
    pub(crate) fn of(number: i32) -> io::Result<Arrivals> {
        // The crate panics for these.
        if name_and_meaning(number).is_none() || signal_hook::consts::FORBIDDEN.contains(&number) {
            let what = format!("a program cannot wait for {}", crate::signal::describe(number));
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        Signals::new([number]).map(Arrivals)
    }

    pub(crate) fn wait(&mut self) {
        self.0.wait().for_each(drop);
    }
}
