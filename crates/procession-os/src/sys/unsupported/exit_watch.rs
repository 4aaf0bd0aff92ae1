//! No exit watches.

use std::io;
use std::time::Duration;

use super::control::Control;
use super::name::Claim;
use super::process::Child;
use super::{Never, refused};

#[derive(Debug)]
pub(crate) struct Watcher(Never);

impl Watcher {
    pub(crate) fn new() -> io::Result<Watcher> {
        refused("exit watches")
    }

    pub(crate) fn add(&self, _child: &Child, _token: u64) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn add_control(&self, _control: &Control, _token: u64) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn add_claim(&self, _claim: &Claim, _token: u64) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn remove_claim(&self, _claim: &Claim) {
        match self.0 {}
    }

    pub(crate) fn remove_control(&self, _control: &Control) {
        match self.0 {}
    }

    pub(crate) fn remove(&self, _child: &Child) {
        match self.0 {}
    }

    pub(crate) fn wait(
        &self,
        _exited: &mut Vec<u64>,
        _timeout: Option<Duration>,
    ) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn wake(&self) {
        match self.0 {}
    }
}
