//! No shared memory.

use std::io;

use super::{Never, refused};
use crate::handle::{BorrowedHandle, Handle};
use crate::memory::{Access, Writers};

#[derive(Debug)]
pub(crate) struct Memory(Never);

impl Memory {
    pub(crate) fn create(
        _label: &str,
        _bytes: usize,
        _writers: Writers,
    ) -> io::Result<(Memory, Mapping)> {
        refused("shared memory")
    }

    pub(crate) fn accept(_handle: Handle) -> io::Result<Memory> {
        refused("shared memory")
    }

    pub(crate) fn bytes(&self) -> usize {
        match self.0 {}
    }

    pub(crate) fn map(&self, _access: Access) -> io::Result<Mapping> {
        match self.0 {}
    }

    pub(crate) fn map_with_marks(&self) -> io::Result<Mapping> {
        match self.0 {}
    }

    pub(crate) fn handle(&self) -> BorrowedHandle<'_> {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(crate) struct Mapping(Never);

impl Mapping {
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        match self.0 {}
    }

    pub(crate) fn len(&self) -> usize {
        match self.0 {}
    }

    pub(crate) fn give_back(&self, _offset: usize, _bytes: usize) {
        match self.0 {}
    }

    pub(crate) fn has_marks(&self) -> bool {
        match self.0 {}
    }
}
