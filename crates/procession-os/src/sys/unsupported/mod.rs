//! A system that nobody has ported to yet: everything compiles, and is refused when it is used.

use std::io;

pub(crate) mod clock;
pub(crate) mod control;
pub(crate) mod copy;
pub(crate) mod exit_watch;
pub(crate) mod frozen;
pub(crate) mod heap;
pub(crate) mod image;
pub(crate) mod leash;
pub(crate) mod life;
pub(crate) mod limits;
pub(crate) mod memory;
pub(crate) mod name;
pub(crate) mod process;
pub(crate) mod signal;
pub(crate) mod stream;
pub(crate) mod surroundings;
pub(crate) mod wait;

/// A value that cannot exist, in place of one that the system cannot give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Never {}

/// The answer to any request for `what`.
fn refused<T>(what: &str) -> io::Result<T> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        format!("procession cannot provide {what} on this system yet"),
    ))
}
