//! Sending signals by pid, as a person at a terminal would.

#![allow(unsafe_code)]

/// Sends a signal to a process, or to the group `-pid`; `false` when there is none.
pub fn send(pid: i32, signal: i32) -> bool {
    // SAFETY: `kill` takes two integers and touches no memory of ours.
    unsafe { libc::kill(pid, signal) == 0 }
}
