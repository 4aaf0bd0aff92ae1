//! No marks of life.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use super::memory::Mapping;
use super::refused;

pub(crate) fn epoch() -> u32 {
    1
}

pub(crate) fn is_alive(_mark: u32) -> bool {
    false
}

pub(crate) fn is_free(mark: u32) -> bool {
    mark == 0
}

pub(crate) fn prepare_to_sleep(mark: &AtomicU32) -> u32 {
    mark.load(Ordering::Acquire)
}

pub(crate) fn take(_mapping: &Mapping, _at: usize) -> io::Result<bool> {
    refused("marks of life")
}

pub(crate) fn announce(_mapping: &Mapping, _at: usize) {}

pub(crate) fn leave(_mapping: &Mapping, _at: usize) {}
