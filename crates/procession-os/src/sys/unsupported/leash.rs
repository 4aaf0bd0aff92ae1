//! No leashes.

use std::io;

use super::{Never, refused};
use crate::handle::{BorrowedHandle, Handle};

pub(crate) type Hold = Never;

pub(crate) fn pair() -> io::Result<(Hold, Handle)> {
    refused("leashes")
}

pub(crate) fn lend(_handle: &Handle) -> BorrowedHandle<'_> {
    unreachable!("no leash was made on this system")
}

pub(crate) fn await_worn(_leash: &Handle, _pid: u32) {}

pub(crate) fn is_worn() -> bool {
    false
}

pub(crate) fn wear(_leash: Handle) -> io::Result<bool> {
    refused("leashes")
}
