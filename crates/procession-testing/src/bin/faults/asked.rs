//! A worker that has something to do when it is asked to end.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

static ASKED: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_signal: libc::c_int) {
    ASKED.store(true, Ordering::SeqCst);
}

/// From now on SIGTERM does not end this process.
pub(crate) fn listen() {
    // SAFETY: the handler only stores to an atomic.
    unsafe { libc::signal(libc::SIGTERM, note as *const () as libc::sighandler_t) };
}

/// Waits until it has come.
pub(crate) fn wait() {
    while !ASKED.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_micros(300));
    }
}

/// Has the kernel end this process in a moment, whatever it does then.
pub(crate) fn end_soon() {
    // A forked one has the driver's handler.
    // SAFETY: no code is installed as a handler.
    unsafe { libc::signal(libc::SIGALRM, libc::SIG_DFL) };
    let soon = libc::itimerval {
        it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 },
        it_value: libc::timeval { tv_sec: 0, tv_usec: 20_000 },
    };
    // SAFETY: the new value is one, and null says that the old one is not wanted.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const soon, std::ptr::null_mut()) };
}
