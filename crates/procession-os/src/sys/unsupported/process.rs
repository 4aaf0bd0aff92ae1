//! No processes.

use std::io;
use std::time::Duration;

use super::{Never, refused};
use crate::process::{Exit, Launch};

pub(crate) fn launch(_launch: &Launch<'_>) -> io::Result<Child> {
    refused("worker processes")
}

#[derive(Debug)]
pub(crate) struct Child(pub(super) Never);

impl Child {
    pub(crate) fn pid(&self) -> u32 {
        match self.0 {}
    }

    pub(crate) fn signal(&self, _number: i32) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn wait(&self, _timeout: Option<Duration>) -> io::Result<bool> {
        match self.0 {}
    }

    pub(crate) fn try_reap(&self) -> io::Result<Option<Exit>> {
        match self.0 {}
    }
}

pub(crate) fn bind_life_to_parent(_expected_parent_pid: u32) -> io::Result<bool> {
    refused("worker processes")
}

pub(crate) fn set_name(_name: &str) {}

pub(crate) fn parent_pid() -> u32 {
    0
}

pub(crate) fn exit_now(code: i32) -> ! {
    std::process::exit(code)
}
