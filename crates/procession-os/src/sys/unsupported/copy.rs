//! No copies of processes.

use std::io;

use super::control::Control;
use super::leash::Hold;
use super::process::Child;
use super::refused;
use crate::copy::{Copied, Ties};
use crate::handle::Handle;

pub(crate) fn thread_count() -> io::Result<usize> {
    refused("the number of threads")
}

pub(crate) fn prepare() -> io::Result<()> {
    refused("copies of processes")
}

pub(crate) fn fork_sibling(_ties: Ties) -> io::Result<Copied> {
    refused("copies of processes")
}

pub(crate) fn fork(
    _keep: &Control,
    _hold: &Hold,
    _leash: Handle,
) -> io::Result<(Copied, Option<Handle>)> {
    refused("copies of processes")
}

pub(crate) fn flush() {}

pub(crate) fn adopt(_pid: u32) -> io::Result<Child> {
    refused("copies of processes")
}

pub(crate) fn children_named(_name: &str) -> Vec<u32> {
    Vec::new()
}
