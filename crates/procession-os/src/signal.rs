//! Names of signals, and the dispositions that a worker wants.

use std::io;

use crate::sys;

/// The signal that ends a process without asking.
pub const KILL: i32 = sys::signal::KILL;

/// The signal that asks a process to end.
pub const TERMINATE: i32 = sys::signal::TERMINATE;

/// The name of a signal, such as `SIGSEGV`; `None` for a number without one.
#[must_use]
pub fn name(number: i32) -> Option<&'static str> {
    sys::signal::name_and_meaning(number).map(|(name, _)| name)
}

/// The name of a signal and what it means, such as `SIGSEGV (segmentation fault)`.
#[must_use]
pub fn describe(number: i32) -> String {
    match sys::signal::name_and_meaning(number) {
        Some((name, meaning)) => format!("{name} ({meaning})"),
        None => format!("signal {number}"),
    }
}

/// Gives this process the dispositions of a worker: SIGINT does nothing and is no longer blocked in
/// the calling thread, for the parent decides what a Ctrl-C means, and means what it always does in
/// programs that the worker runs; SIGTERM is no longer blocked there, for the parent asks by it, and may
/// block it in all its own threads to wait for it in one; SIGPIPE is ignored, for a write to a peer that
/// has gone gives an error.
///
/// # Errors
///
/// Fails when the system refuses, which no known system does.
pub fn prepare_worker() -> io::Result<()> {
    sys::signal::prepare_worker()
}

/// The arrivals of a signal, for a thread that waits for them. What the program does with the signal it goes
/// on to do, too; but it is no longer ended by it.
#[derive(Debug)]
#[must_use]
pub struct Arrivals(sys::signal::Arrivals);

impl Arrivals {
    /// Those of the signal with this number, from now on.
    ///
    /// # Errors
    ///
    /// Fails with [`io::ErrorKind::InvalidInput`] for a number that no signal has, and for a signal that cannot
    /// be waited for, or after which a program cannot go on; and when the system is out of descriptors.
    pub fn of(number: i32) -> io::Result<Arrivals> {
        sys::signal::Arrivals::of(number).map(Arrivals)
    }

    /// Waits for the next; several that arrive at once may be seen as one.
    pub fn wait(&mut self) {
        self.0.wait();
    }
}
