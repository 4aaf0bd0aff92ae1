//! Processes whose handle was dropped while they ran.

use super::Process;
use parking_lot::Mutex;

static DETACHED: Mutex<Vec<Process>> = Mutex::new(Vec::new());

/// Keeps a process that nobody holds any more until it has ended: it stays linked to this program.
pub fn detach(process: Process) {
    DETACHED.lock().push(process);
    // It may have ended before it was among them.
    forget_ended();
}

/// Lets go of those that have ended. Called whenever a process ends, by the thread that reaped it.
pub(super) fn forget_ended() {
    let mut ended = Vec::new();
    let mut detached = DETACHED.lock();
    let mut index = 0;
    while index < detached.len() {
        if detached[index].exit().is_some() {
            ended.push(detached.swap_remove(index));
        } else {
            index += 1;
        }
    }
    drop(detached);
    drop(ended);
}

/// Waits for all of them but daemons, which it ends.
pub fn join_detached() {
    loop {
        let Some(mut process) = DETACHED.lock().pop() else { return };
        if process.is_daemon {
            // If it cannot be killed it goes with this program.
            let _ = process.child().kill();
        }
        process.wait(None);
    }
}
