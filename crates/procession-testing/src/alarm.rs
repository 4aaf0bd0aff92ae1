//! A watchdog without a thread, for programs that are forked: the kernel's own alarm.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::time::Duration;

/// The name of what runs; its bytes are never freed.
static NAME: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static NAME_BYTES: AtomicUsize = AtomicUsize::new(0);

extern "C" fn too_late(_signal: libc::c_int) {
    let say = |text: *const u8, bytes: usize| {
        // SAFETY: as many bytes as it is told belong to the text.
        unsafe { libc::write(2, text.cast(), bytes) };
    };
    say(NAME.load(Ordering::SeqCst), NAME_BYTES.load(Ordering::SeqCst));
    let rest = ": longer than its bound\n";
    say(rest.as_ptr(), rest.len());
    // SAFETY: it is made to be called anywhere, and does not return.
    unsafe { libc::abort() };
}

/// Ends this program, with a message, unless it is dropped in time. A child does not inherit it. There is
/// one at a time.
#[derive(Debug)]
#[must_use = "it is off as soon as it is dropped"]
pub struct Alarm(());

impl Alarm {
    /// Watches over what has this name, for so many whole seconds.
    pub fn set(name: &str, limit: Duration) -> Self {
        let name: &'static mut [u8] = name.as_bytes().to_vec().leak();
        NAME_BYTES.store(0, Ordering::SeqCst);
        NAME.store(name.as_mut_ptr(), Ordering::SeqCst);
        NAME_BYTES.store(name.len(), Ordering::SeqCst);
        // SAFETY: the handler writes and aborts, both of which a handler may do.
        unsafe { libc::signal(libc::SIGALRM, too_late as *const () as libc::sighandler_t) };
        // SAFETY: the call takes a number.
        unsafe { libc::alarm(limit.as_secs() as u32) };
        Self(())
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // SAFETY: the call takes a number.
        unsafe { libc::alarm(0) };
    }
}

/// Has neither this program nor its children leave a core behind when they are aborted.
pub fn leave_no_cores() {
    let no_dumps = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is initialized and lives through the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const no_dumps) };
}
