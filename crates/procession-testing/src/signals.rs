//! Sending signals by pid, and tracing, as a person at a terminal would.

#![allow(unsafe_code)]

/// Sends a signal to a process, or to the group `-pid`; `false` when there is none.
pub fn send(pid: i32, signal: i32) -> bool {
    // SAFETY: `kill` takes two integers and touches no memory of ours.
    unsafe { libc::kill(pid, signal) == 0 }
}

/// Traces a process until this one ends, as a debugger does: when the process dies its status is the
/// tracer's first, which this one never asks for.
///
/// # Errors
/// Why the system does not permit it.
pub fn trace(pid: u32) -> std::io::Result<()> {
    let none = std::ptr::null_mut::<u8>();
    // SAFETY: the request takes no address and no data, and the process id is checked by the call.
    let result = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid as i32, none, none) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
