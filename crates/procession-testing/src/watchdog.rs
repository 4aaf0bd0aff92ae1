//! Ends a test that hangs.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Aborts the process, with a message, unless it is dropped in time.
#[derive(Debug)]
pub struct Watchdog {
    _bark: Sender<()>,
}

impl Watchdog {
    /// Watches over what is named `what` for this long.
    pub fn start(what: &'static str, limit: Duration) -> Self {
        let (bark, quiet) = channel::<()>();
        std::thread::spawn(move || {
            if quiet.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                eprintln!("watchdog: {what} took longer than {limit:?}");
                std::process::abort();
            }
        });
        Self { _bark: bark }
    }
}
