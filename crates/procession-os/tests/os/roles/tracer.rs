//! A process that traces another one, as a debugger does.

use std::{io, ptr};

use super::control;
use crate::support::{await_closed, receive};

/// Traces the process whose id the parent sends, says so, and lets go of it with the channel. Says why
/// if it may not.
pub(super) fn trace() -> i32 {
    let control = control();
    let (bytes, _) = receive(&control);
    let pid = i32::from_ne_bytes(bytes.try_into().expect("a process id"));
    // SAFETY: the request takes no address and no data, and the process id is checked by the call.
    let result = unsafe {
        libc::ptrace(libc::PTRACE_SEIZE, pid, ptr::null_mut::<u8>(), ptr::null_mut::<u8>())
    };
    let answer =
        if result == 0 { "traced".to_owned() } else { io::Error::last_os_error().to_string() };
    control.send(answer.as_bytes(), &[]).expect("the parent listens");
    await_closed(&control);
    0
}
