//! Learning of the end of many children in one thread, without polling.

use std::io;
use std::time::Duration;

use crate::control::Control;
use crate::name::Claim;
use crate::process::Child;
use crate::sys;

/// Watches children and reports those that end, once each.
///
/// A child that is traced by another process, such as a debugger, is reported when it has ended and,
/// if its status was held back then, again when the tracer has let go of it. As long as the tracer
/// holds threads of the child beside its first one, the child has not ended.
///
/// All methods may be called while another thread waits.
#[derive(Debug)]
#[must_use]
pub struct Watcher(sys::exit_watch::Watcher);

impl Watcher {
    /// The one token that [`Watcher::add`] refuses.
    pub const TOKEN_RESERVED: u64 = u64::MAX;

    /// Makes a watcher that watches nothing.
    ///
    /// # Errors
    ///
    /// Fails when the system is out of descriptors or memory.
    pub fn new() -> io::Result<Watcher> {
        sys::exit_watch::Watcher::new().map(Watcher)
    }

    /// Watches a child, which [`Watcher::wait`] will report as `token`, even if it has ended
    /// already.
    ///
    /// # Errors
    ///
    /// Fails when the child is watched already, when `token` is
    /// [`TOKEN_RESERVED`](Watcher::TOKEN_RESERVED), and when the system is out of memory or watches.
    pub fn add(&self, child: &Child, token: u64) -> io::Result<()> {
        if token == Self::TOKEN_RESERVED {
            return Err(reserved());
        }
        self.0.add(&child.sys, token)
    }

    /// Watches an end of a control channel as well: [`Watcher::wait`] reports `token` as long as it
    /// has a message to be received or its peer is gone.
    ///
    /// # Errors
    ///
    /// As [`Watcher::add`].
    pub fn add_control(&self, control: &Control, token: u64) -> io::Result<()> {
        if token == Self::TOKEN_RESERVED {
            return Err(reserved());
        }
        self.0.add_control(&control.0, token)
    }

    /// Watches a name as well: [`Watcher::wait`] reports `token` as long as somebody asks for what has it.
    ///
    /// # Errors
    ///
    /// As [`Watcher::add`].
    pub fn add_claim(&self, claim: &Claim, token: u64) -> io::Result<()> {
        if token == Self::TOKEN_RESERVED {
            return Err(reserved());
        }
        self.0.add_claim(&claim.0, token)
    }

    /// Stops watching a name; does nothing if it is not watched.
    pub fn remove_claim(&self, claim: &Claim) {
        self.0.remove_claim(&claim.0);
    }

    /// Stops watching a control channel; does nothing if it is not watched.
    pub fn remove_control(&self, control: &Control) {
        self.0.remove_control(&control.0);
    }

    /// Stops watching a child; does nothing if it is not watched. A waiter that is just returning
    /// may still report it.
    pub fn remove(&self, child: &Child) {
        self.0.remove(&child.sys);
    }

    /// Blocks until a watched child ends, a watched channel has something, [`Watcher::wake`] is
    /// called or `timeout` has passed, and leaves in `exited` the tokens of those: none if it was only
    /// woken, or the time has passed.
    ///
    /// The children are not reaped by this.
    ///
    /// # Errors
    ///
    /// Fails only if the system denies a wait that it has granted before.
    pub fn wait(&self, exited: &mut Vec<u64>, timeout: Option<Duration>) -> io::Result<()> {
        exited.clear();
        self.0.wait(exited, timeout)
    }

    /// Makes the current wait, or else the next, return. Many calls before that are as one.
    pub fn wake(&self) {
        self.0.wake();
    }
}

fn reserved() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "this token is reserved for the watcher itself")
}
