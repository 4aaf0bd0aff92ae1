//! What a situation has to say, wherever its standard streams are.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::sync::OnceLock;
use std::time::Duration;

use procession_testing::{children, state_of, wait_for};

static REPORT: OnceLock<File> = OnceLock::new();

/// Keeps the standard output in another place, for panics as well.
pub(crate) fn open() {
    let stdout = std::io::stdout();
    // SAFETY: the descriptor is open, and the call makes another one.
    let descriptor = unsafe { libc::fcntl(stdout.as_fd().as_raw_fd(), libc::F_DUPFD_CLOEXEC, 10) };
    assert!(descriptor >= 10, "there is a descriptor");
    // SAFETY: the descriptor was just made, and belongs to nobody.
    let report = unsafe { File::from_raw_fd(descriptor) };
    REPORT.set(report).expect("this is done once");
    std::panic::set_hook(Box::new(|panic| say(&panic.to_string())));
}

/// Writes a line.
pub(crate) fn say(line: &str) {
    // In a child that has let go of it nobody listens.
    if let Some(mut report) = REPORT.get() {
        let _ = report.write_all(format!("{line}\n").as_bytes());
    }
}

/// A turn that cannot be had on this system.
pub(crate) fn skip(why: &str) -> ! {
    say(&format!("skipped: {why}"));
    std::process::exit(0)
}

/// Skips the situation if a call of the system has failed.
pub(crate) fn require(what: &str, result: i32) {
    if result == -1 {
        skip(&format!("{what}: {}", std::io::Error::last_os_error()));
    }
}

/// Checks that no child of this process is dead and has not been reaped.
pub(crate) fn finish() {
    let limit = Duration::from_secs(10);
    wait_for("every child was reaped", limit, || {
        children().into_iter().all(|pid| state_of(pid) != Some('Z'))
    });
}
