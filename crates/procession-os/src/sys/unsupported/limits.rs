//! No limits.

use std::io;

use super::process::Child;
use super::{Never, refused};

pub(crate) fn processors() -> io::Result<Vec<usize>> {
    refused("the processors that a process may run on")
}

pub(crate) fn run_on(_processors: &[usize]) -> io::Result<()> {
    refused("a choice of processors")
}

pub(crate) fn set_niceness(_niceness: i32) -> io::Result<()> {
    refused("niceness")
}

pub(crate) fn limit_memory(_bytes: u64) -> io::Result<()> {
    refused("limits of memory")
}

pub(crate) fn private_bytes_of(child: &Child) -> io::Result<Option<u64>> {
    match child.0 {}
}

#[derive(Debug)]
pub(crate) struct OwnMemory(Never);

impl OwnMemory {
    pub(crate) fn open() -> io::Result<OwnMemory> {
        refused("the private memory of a process")
    }

    pub(crate) fn private_bytes(&self) -> io::Result<u64> {
        match self.0 {}
    }
}
