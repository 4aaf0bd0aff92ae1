//! Local streams: Unix sockets under abstract names (`unix(7)`).

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::Duration;

use super::descriptor::above_streams;

#[derive(Debug)]
pub(crate) struct Stream(UnixStream);

#[derive(Debug)]
pub(crate) struct StreamListener(UnixListener);

impl Stream {
    pub(crate) fn connect(name: &str) -> io::Result<Stream> {
        let stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        Ok(Stream(above_streams(OwnedFd::from(stream))?.into()))
    }

    pub(crate) fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(timeout)
    }

    pub(crate) fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_write_timeout(timeout)
    }

    pub(crate) fn shut_down(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Both)
    }

    pub(crate) fn read(&self, to: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(to)
    }

    pub(crate) fn write(&self, from: &[u8]) -> io::Result<usize> {
        (&self.0).write(from)
    }
}

impl StreamListener {
    pub(crate) fn bind(name: &str) -> io::Result<StreamListener> {
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
        Ok(StreamListener(above_streams(OwnedFd::from(listener))?.into()))
    }

    pub(crate) fn accept(&self) -> io::Result<Stream> {
        let (stream, _) = self.0.accept()?;
        Ok(Stream(above_streams(OwnedFd::from(stream))?.into()))
    }
}
