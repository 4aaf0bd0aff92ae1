//! Streams of bytes between processes that need not be related: over the network, or within the machine.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::sys;

/// Where a listener is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At an address of the network; of port 0, at one that is free.
    Network(SocketAddr),
    /// Under a name within the machine, which stands in no file system and goes with the listener.
    Local(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address) => address.fmt(f),
            Self::Local(name) => f.write_str(name),
        }
    }
}

/// Longest name within the machine, in bytes.
pub const NAME_BYTES_MAX: usize = 100;

fn check(name: &str) -> io::Result<()> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('\0') {
        let what = format!("a local name has 1 to {NAME_BYTES_MAX} bytes, and none of them is NUL");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    Ok(())
}

/// A stream of bytes each way.
#[derive(Debug)]
#[must_use]
pub struct Stream(Kind);

#[derive(Debug)]
enum Kind {
    Network(TcpStream),
    Local(sys::stream::Stream),
}

/// Takes in those who connect to a place.
#[derive(Debug)]
#[must_use]
pub struct StreamListener(ListenerKind);

#[derive(Debug)]
enum ListenerKind {
    Network(TcpListener),
    Local(sys::stream::StreamListener, String),
}

impl Stream {
    /// Connects to a place.
    ///
    /// # Errors
    ///
    /// Fails when nobody listens there, and with [`io::ErrorKind::InvalidInput`] for a name that cannot be.
    pub fn connect(place: &Place) -> io::Result<Stream> {
        Ok(Stream(match place {
            Place::Network(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                Kind::Network(stream)
            }
            Place::Local(name) => {
                check(name)?;
                Kind::Local(sys::stream::Stream::connect(name)?)
            }
        }))
    }

    /// Sets how long a read waits; `None` for ever.
    ///
    /// # Errors
    ///
    /// Fails for no time at all.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match &self.0 {
            Kind::Network(stream) => stream.set_read_timeout(timeout),
            Kind::Local(stream) => stream.set_read_timeout(timeout),
        }
    }

    /// Sets how long a write waits; `None` for ever.
    ///
    /// # Errors
    ///
    /// Fails for no time at all.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match &self.0 {
            Kind::Network(stream) => stream.set_write_timeout(timeout),
            Kind::Local(stream) => stream.set_write_timeout(timeout),
        }
    }

    /// Ends the stream for both sides: whoever reads finds its end.
    pub fn shut_down(&self) {
        // Fails only where it has ended already.
        let _ = match &self.0 {
            Kind::Network(stream) => stream.shutdown(std::net::Shutdown::Both),
            Kind::Local(stream) => stream.shut_down(),
        };
    }
}

impl Read for &Stream {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Network(stream) => (&mut &*stream).read(to),
            Kind::Local(stream) => stream.read(to),
        }
    }
}

impl Write for &Stream {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Network(stream) => (&mut &*stream).write(from),
            Kind::Local(stream) => stream.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl StreamListener {
    /// Listens at a place.
    ///
    /// # Errors
    ///
    /// Fails with [`io::ErrorKind::AddrInUse`] when somebody else does, and with
    /// [`io::ErrorKind::InvalidInput`] for a name that cannot be.
    pub fn bind(place: &Place) -> io::Result<StreamListener> {
        Ok(StreamListener(match place {
            Place::Network(address) => ListenerKind::Network(TcpListener::bind(address)?),
            Place::Local(name) => {
                check(name)?;
                ListenerKind::Local(sys::stream::StreamListener::bind(name)?, name.clone())
            }
        }))
    }

    /// Where it is found.
    ///
    /// # Errors
    ///
    /// Fails when the system does not tell, which no known system does.
    pub fn place(&self) -> io::Result<Place> {
        match &self.0 {
            ListenerKind::Network(listener) => listener.local_addr().map(Place::Network),
            ListenerKind::Local(_, name) => Ok(Place::Local(name.clone())),
        }
    }

    /// Waits for the next that connects.
    ///
    /// # Errors
    ///
    /// Fails when the system is out of descriptors, and when the one that came has gone already.
    pub fn accept(&self) -> io::Result<Stream> {
        Ok(Stream(match &self.0 {
            ListenerKind::Network(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Kind::Network(stream)
            }
            ListenerKind::Local(listener, _) => Kind::Local(listener.accept()?),
        }))
    }
}
