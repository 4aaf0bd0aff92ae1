//! No names.

use std::io;
use std::time::Duration;

use super::{Never, refused};
use crate::handle::{BorrowedHandle, Handle};

#[derive(Debug)]
pub(crate) struct Claim(Never);

impl Claim {
    pub(crate) fn new(_name: &str) -> io::Result<Claim> {
        refused("names of shared memory")
    }

    pub(crate) fn answer(&self, _handle: BorrowedHandle<'_>) -> io::Result<()> {
        match self.0 {}
    }
}

pub(crate) fn ask(_name: &str, _patience: Duration) -> io::Result<Option<Handle>> {
    refused("names of shared memory")
}
