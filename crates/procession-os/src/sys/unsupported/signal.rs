//! No signals, though Unix agrees on the numbers of two.

use std::io;

use super::{Never, refused};

pub(crate) const KILL: i32 = 9;
pub(crate) const TERMINATE: i32 = 15;

pub(crate) fn name_and_meaning(_number: i32) -> Option<(&'static str, &'static str)> {
    None
}

pub(crate) fn prepare_worker() -> io::Result<()> {
    refused("worker processes")
}

#[derive(Debug)]
pub(crate) struct Arrivals(Never);

impl Arrivals {
    pub(crate) fn of(_number: i32) -> io::Result<Arrivals> {
        refused("a wait for signals")
    }

    pub(crate) fn wait(&mut self) {
        match self.0 {}
    }
}
