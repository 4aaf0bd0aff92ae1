//! Ending a process when another is gone, by the kernel's hand and without a thread that waits.
//!
//! It is the second of two ways, for the first,
//! [`bind_life_to_parent`](crate::process::bind_life_to_parent), is forgotten by the kernel when a
//! process changes its credentials, and refers to the thread that made the process, which may end
//! before its own process does.

use std::io;

use crate::handle::{BorrowedHandle, Handle};
use crate::sys;

/// The end that is held: when the last copy of it is closed, and be it by a death, the one who wears
/// the [`Leash`] is killed. It survives neither an exec nor a [fork](crate::copy::fork).
#[derive(Debug)]
#[must_use]
pub struct Hold(pub(crate) sys::leash::Hold);

/// The end that is worn.
#[derive(Debug)]
#[must_use]
pub struct Leash(pub(crate) Handle);

impl Leash {
    /// Makes a leash.
    ///
    /// # Errors
    ///
    /// Fails when the system is out of descriptors or memory.
    pub fn pair() -> io::Result<(Hold, Leash)> {
        let (hold, leash) = sys::leash::pair()?;
        Ok((Hold(hold), Leash(leash)))
    }

    /// This end, to be sent to the process that is to wear it.
    #[must_use]
    pub fn handle(&self) -> BorrowedHandle<'_> {
        sys::leash::lend(&self.0)
    }

    /// Takes an end that was sent by its [handle](Leash::handle).
    pub fn from_handle(handle: Handle) -> Leash {
        Leash(handle)
    }

    /// Has this process killed as soon as nobody holds the other end, from now until it ends. Gives
    /// false if nobody does already; the caller should end, then.
    ///
    /// # Errors
    ///
    /// Fails when the system cannot do this.
    pub fn wear(self) -> io::Result<bool> {
        sys::leash::wear(self.0)
    }
}

/// Whether this process wears one.
#[must_use]
pub fn is_worn() -> bool {
    sys::leash::is_worn()
}
