//! Programs in which statuses of children are lost, or taken by somebody else.

use crate::work::Turns;
use procession::StartMethod;
use std::ptr;
use std::time::Duration;

/// Installs an action for SIGCHLD.
fn act(handler: usize, flags: i32) {
    // SAFETY: an action of zeros is a valid one.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the action is initialized, and a handler does no more than a handler may.
    let result = unsafe { libc::sigaction(libc::SIGCHLD, &raw const action, ptr::null_mut()) };
    assert_eq!(result, 0);
}

/// The program ignores its children.
pub(crate) fn ignore(mut turns: Turns) {
    act(libc::SIG_IGN, 0);
    turns.has_statuses = false;
    turns.all_work();
}

/// The program wants no statuses.
pub(crate) fn keep_no_statuses(mut turns: Turns) {
    act(libc::SIG_DFL, libc::SA_NOCLDWAIT);
    turns.has_statuses = false;
    turns.all_work();
}

extern "C" fn reap_all(_number: libc::c_int) {
    // SAFETY: the call may be made in a handler; a null pointer means that the status is not wanted.
    while unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) } > 0 {}
}

/// The program reaps whatever child ends, as many servers do.
pub(crate) fn reap_in_a_handler(turns: Turns) {
    act(reap_all as *const () as usize, libc::SA_RESTART);
    turns.all_work();
}

/// A thread of the program waits for any child.
pub(crate) fn reap_in_a_thread(turns: Turns) {
    if turns.method == StartMethod::Fork {
        // SAFETY: the thread below holds nothing that a copy uses.
        unsafe { procession::allow_fork_with_threads() };
    }
    std::thread::spawn(|| {
        loop {
            // SAFETY: a null pointer means that the status is not wanted.
            if unsafe { libc::waitpid(-1, ptr::null_mut(), 0) } <= 0 {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
    });
    turns.all_work();
}
