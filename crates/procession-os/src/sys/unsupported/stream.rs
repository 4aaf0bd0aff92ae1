//! No streams within the machine; those over the network are everywhere.

use std::io;
use std::time::Duration;

use super::{Never, refused};

#[derive(Debug)]
pub(crate) struct Stream(Never);

#[derive(Debug)]
pub(crate) struct StreamListener(Never);

impl Stream {
    pub(crate) fn connect(_name: &str) -> io::Result<Stream> {
        refused("local streams")
    }

    pub(crate) fn set_read_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn set_write_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn shut_down(&self) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn read(&self, _to: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }

    pub(crate) fn write(&self, _from: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }
}

impl StreamListener {
    pub(crate) fn bind(_name: &str) -> io::Result<StreamListener> {
        refused("local streams")
    }

    pub(crate) fn accept(&self) -> io::Result<Stream> {
        match self.0 {}
    }
}
