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

    pub(crate) fn next(&self) -> io::Result<Option<Asker>> {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(crate) struct Asker(Never);

impl Asker {
    pub(crate) fn answer(self, _handle: BorrowedHandle<'_>) {
        match self.0 {}
    }
}

pub(crate) fn ask(_name: &str, _patience: Duration) -> io::Result<Option<Handle>> {
    refused("names of shared memory")
}
