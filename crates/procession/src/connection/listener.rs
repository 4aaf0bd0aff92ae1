//! Connections between processes that need not be related.

use super::{Connection, auth, frames::Frames};
use crate::queue::Item;
use procession_core::authkey::{AuthKey, authkey};
use procession_core::{Error, Result};
use procession_os::stream::{Place, Stream, StreamListener};
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where a [`Listener`] is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Place);

impl Address {
    /// An address of the network, such as `("localhost", 4711)` or `"[::1]:0"`; of port 0, a free one.
    ///
    /// # Errors
    /// When there is no such host.
    pub fn network(address: impl ToSocketAddrs + fmt::Debug) -> Result<Self> {
        let failed = |source| Error::system(format!("cannot find the address {address:?}"), source);
        let mut found = address.to_socket_addrs().map_err(failed)?;
        let found = found.next().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        Ok(Self(Place::Network(found)))
    }

    /// A name within the machine, of 1 to 100 bytes. It stands in no file system (on Linux it is a Unix
    /// socket's abstract name), and is free again when its listener is gone, however it went.
    pub fn local(name: impl Into<String>) -> Self {
        Self(Place::Local(name.into()))
    }

    /// The name, if it is one within the machine.
    pub(crate) fn local_name(&self) -> Option<&str> {
        match &self.0 {
            Place::Local(name) => Some(name),
            Place::Network(_) => None,
        }
    }

    /// A name within the machine that nobody else has.
    fn fresh() -> Result<Self> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let key = AuthKey::fresh()?;
        let random: String = key.as_bytes()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        Ok(Self::local(format!("procession-{}-{number}-{random}", std::process::id())))
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self(Place::Network(address))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Waits for others to connect: Python's `multiprocessing.connection.Listener`.
///
/// Both sides prove to each other that they have the same key, without telling it; who has another is
/// refused, and others go on. The key is this process's [`authkey`] unless it is
/// given one. What is sent is not encrypted.
///
/// ```
/// use procession::{Client, Listener};
/// use std::thread;
///
/// # fn main() -> procession::Result<()> {
/// let listener = Listener::new()?;
/// let address = listener.address()?;
/// let other = thread::spawn(move || {
///     let connection = Client::connect::<u32, String>(&address)?;
///     connection.send(&42)?;
///     connection.recv()
/// });
/// let connection = listener.accept::<String, u32>()?;
/// let number = connection.recv()?;
/// connection.send(&format!("got {number}"))?;
/// assert_eq!(other.join().expect("it does not panic")?, "got 42");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listener {
    listener: StreamListener,
    key: AuthKey,
}

impl Listener {
    /// Listens at a name within the machine that nobody else has, with this process's key.
    ///
    /// # Errors
    /// When the system is out of descriptors.
    pub fn new() -> Result<Self> {
        Self::bind(&Address::fresh()?)
    }

    /// Listens at this address, with this process's key.
    ///
    /// # Errors
    /// When somebody else does, or the address cannot be.
    pub fn bind(address: &Address) -> Result<Self> {
        Self::bind_with_key(address, authkey()?)
    }

    /// Listens at this address for those who have this key.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_with_key(address: &Address, key: AuthKey) -> Result<Self> {
        let listener = StreamListener::bind(&address.0)
            .map_err(|source| Error::system(format!("cannot listen at {address}"), source))?;
        Ok(Self { listener, key })
    }

    /// Where it is found.
    ///
    /// # Errors
    /// When the system does not tell, which no known system does.
    pub fn address(&self) -> Result<Address> {
        let place = self.listener.place();
        place.map(Address).map_err(|source| Error::system("cannot tell the address", source))
    }

    /// Waits for the next one that connects, woken by that, and makes sure that it has the key. What is sent and received
    /// over the connection is for both sides to know: something else cannot be decoded.
    ///
    /// # Errors
    /// When the one that came has another key, does not say who it is within five seconds, or has gone
    /// already: the next call waits for the next one. When the system is out of descriptors.
    pub fn accept<S: Item, R: Item>(&self) -> Result<Connection<S, R>> {
        self.accept_unproved()?.prove().map(Connection::over)
    }

    /// Waits for the next one that connects.
    pub(crate) fn accept_unproved(&self) -> Result<Unproved> {
        let stream = self.listener.accept().map_err(cannot_admit)?;
        Ok(Unproved(stream, self.key.clone()))
    }
}

/// Connects to a [`Listener`]: Python's `multiprocessing.connection.Client`.
#[derive(Debug, Clone, Copy)]
pub struct Client;

impl Client {
    /// Connects to the listener at this address, with this process's key.
    ///
    /// # Errors
    /// When nobody listens there, or the listener has another key.
    pub fn connect<S: Item, R: Item>(address: &Address) -> Result<Connection<S, R>> {
        Self::connect_with_key(address, &authkey()?)
    }

    /// As [`connect`](Self::connect), with this key.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_with_key<S: Item, R: Item>(
        address: &Address,
        key: &AuthKey,
    ) -> Result<Connection<S, R>> {
        dial(address, key).map(Connection::over)
    }
}

/// Connects to the listener at this address.
///
/// # Errors
/// When nobody listens there, or it has another key.
pub(crate) fn dial(address: &Address, key: &AuthKey) -> Result<Frames> {
    let failed = |source| Error::system(format!("cannot connect to {address}"), source);
    let stream = Stream::connect(&address.0).map_err(failed)?;
    auth::introduce(&stream, key).map_err(failed)?;
    Ok(Frames::new(stream))
}

/// One that has connected, and has proved nothing yet.
pub(crate) struct Unproved(Stream, AuthKey);

impl Unproved {
    /// Makes sure that it has the key.
    pub(crate) fn prove(self) -> Result<Frames> {
        auth::admit(&self.0, &self.1).map_err(cannot_admit)?;
        Ok(Frames::new(self.0))
    }
}

fn cannot_admit(source: io::Error) -> Error {
    Error::system("cannot take in who connects", source)
}
