//! Names under which a process gives a handle to others of the same user.
//!
//! A name lies in no file system: it is there as long as the process that claimed it wants it to be, and goes
//! with that process, however it ends. Processes of other users get nothing, and are not listened to.
//! Names of one user are not those of another; nor are those of one container those of another, where
//! each has a network of its own.

use std::io;
use std::time::Duration;

use crate::handle::{BorrowedHandle, Handle};
use crate::sys;

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 80;

/// A name that this process has, until it is dropped. It survives neither an exec nor a
/// [fork](crate::copy::fork).
#[derive(Debug)]
#[must_use]
pub struct Claim(pub(crate) sys::name::Claim);

impl Claim {
    /// Takes a name that nobody has.
    ///
    /// # Errors
    ///
    /// Fails with [`io::ErrorKind::AlreadyExists`] when somebody has the name; with
    /// [`io::ErrorKind::InvalidInput`] when it is empty, longer than [`NAME_BYTES_MAX`], or contains a NUL;
    /// and when the system is out of descriptors or memory.
    pub fn new(name: &str) -> io::Result<Claim> {
        check(name)?;
        sys::name::Claim::new(name).map(Claim)
    }

    /// The next one that [asks](ask) for the handle, if there is one now. It does not wait: that is done
    /// with a [`Watcher`](crate::exit_watch::Watcher).
    ///
    /// # Errors
    ///
    /// Fails when the system is out of descriptors or memory. Those that ask wait then, until the next call.
    pub fn next(&self) -> io::Result<Option<Asker>> {
        Ok(self.0.next()?.map(Asker))
    }
}

/// One that asks for a handle. If it is dropped, it gets none.
#[derive(Debug)]
#[must_use]
pub struct Asker(sys::name::Asker);

impl Asker {
    /// Gives it the handle, if it is there yet.
    pub fn answer(self, handle: BorrowedHandle<'_>) {
        self.0.answer(handle);
    }
}

/// Asks the process that has a name for its handle, for at most `patience`. Gives nothing if that process
/// gave the name up, or ended, while it was asked.
///
/// # Errors
///
/// Fails with [`io::ErrorKind::NotFound`] when nobody has the name, with
/// [`io::ErrorKind::PermissionDenied`] when another user has taken it, with [`io::ErrorKind::TimedOut`] when
/// there is no answer in that time, as from a process that is stopped; and as [`Claim::new`].
pub fn ask(name: &str, patience: Duration) -> io::Result<Option<Handle>> {
    check(name)?;
    sys::name::ask(name, patience)
}

fn check(name: &str) -> io::Result<()> {
    let why = if name.is_empty() {
        "a name cannot be empty".to_owned()
    } else if name.contains('\0') {
        "a name cannot contain a NUL".to_owned()
    } else if name.len() > NAME_BYTES_MAX {
        format!("a name has at most {NAME_BYTES_MAX} bytes, not {}", name.len())
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}
