//! No control channels.

use std::io;

use super::{Never, refused};
use crate::control::Received;
use crate::handle::{BorrowedHandle, Handle};

#[derive(Debug)]
pub(crate) struct Control(Never);

impl Control {
    pub(crate) fn pair() -> io::Result<(Control, Control)> {
        refused("control channels")
    }

    pub(crate) fn send(&self, _bytes: &[u8], _handles: &[BorrowedHandle<'_>]) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn recv(
        &self,
        _bytes: &mut Vec<u8>,
        _handles: &mut Vec<Handle>,
        _block: bool,
    ) -> io::Result<Received> {
        match self.0 {}
    }

    pub(crate) fn wait(&self) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn is_open(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn handle(&self) -> BorrowedHandle<'_> {
        match self.0 {}
    }

    pub(crate) fn from_handle(_handle: Handle) -> io::Result<Control> {
        refused("control channels")
    }

    pub(crate) fn inherit_token(&self) -> String {
        match self.0 {}
    }

    pub(crate) fn from_inherited(_token: &str) -> io::Result<Control> {
        refused("control channels")
    }
}
