//! Names as abstract addresses of sockets, which the kernel frees with the socket.
//!
//! Whoever connects is told by the kernel who listens, and the other way around; so the user that is part of
//! the address is for order, and the one that the kernel tells for safety.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen,
    socket_with,
};
use rustix::process::geteuid;
use rustix::time::Timespec;

use super::control::Control;
use super::descriptor::above_streams;
use super::inherited::End;
use super::life;
use crate::control::Received;

/// How many may ask at once before the next has to try again.
const BACKLOG: i32 = 128;

/// Time between two tries where too many ask.
const TRY_AGAIN: Duration = Duration::from_millis(1);

/// What an answer says beside its handle.
const HERE: &[u8] = b"here";

#[derive(Debug)]
pub(crate) struct Claim {
    socket: End,
}

fn address(name: &str) -> io::Result<SocketAddrUnix> {
    let user = geteuid().as_raw();
    Ok(SocketAddrUnix::new_abstract_name(format!("procession/{user}/{name}").as_bytes())?)
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);
    Ok(above_streams(socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)?)
}

impl Claim {
    pub(crate) fn new(name: &str) -> io::Result<Claim> {
        // A copy of this process does not have it.
        life::count_copies();
        let socket = socket()?;
        match bind(&socket, &address(name)?) {
            Err(Errno::ADDRINUSE) => {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the name is taken"));
            }
            other => other?,
        }
        listen(&socket, BACKLOG)?;
        Ok(Claim { socket: End::new(socket) })
    }

    pub(crate) fn next(&self) -> io::Result<Option<Asker>> {
        loop {
            let connection = match accept_with(&self.socket, SocketFlags::CLOEXEC) {
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                connection => connection?,
            };
            // Another user finds the connection closed.
            if is_same_user(connection.as_fd())? {
                return Ok(Some(Asker(Control::from_handle(connection)?)));
            }
        }
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[derive(Debug)]
pub(crate) struct Asker(Control);

impl Asker {
    pub(crate) fn answer(self, handle: BorrowedFd<'_>) {
        // A fresh connection has room for a message, so this fails if the asker is gone.
        let _gone = self.0.send(HERE, &[handle]);
    }
}

pub(crate) fn ask(name: &str, patience: Duration) -> io::Result<Option<OwnedFd>> {
    let deadline = Instant::now().checked_add(patience);
    let left = || deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let is_over = || left().is_some_and(|left| left.is_zero());
    let socket = socket()?;
    let address = address(name)?;
    loop {
        match connect(&socket, &address) {
            Ok(()) => break,
            Err(Errno::CONNREFUSED) => {
                return Err(io::Error::new(io::ErrorKind::NotFound, "nobody has the name"));
            }
            Err(Errno::AGAIN) if is_over() => return Err(late()),
            Err(Errno::AGAIN) => thread::sleep(TRY_AGAIN),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    if !is_same_user(socket.as_fd())? {
        let why = "another user has taken the name";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    loop {
        let timeout = left().and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(&socket, PollFlags::IN)], timeout.as_ref()) {
            Ok(0) => return Err(late()),
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    let (mut bytes, mut handles) = (Vec::new(), Vec::new());
    match Control::from_handle(socket)?.recv(&mut bytes, &mut handles, false)? {
        Received::Closed => Ok(None),
        Received::Message if bytes == HERE && handles.len() == 1 => Ok(handles.pop()),
        Received::Message | Received::Empty => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the answer makes no sense"))
        }
    }
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the process that has the name does not answer")
}

/// Whether the peer of a connection acts for the same user as this process.
fn is_same_user(connection: BorrowedFd<'_>) -> io::Result<bool> {
    // Not by rustix, which takes the peer's pid for one that is never 0. In a container it can be.
    let mut peer = libc::ucred { pid: 0, uid: libc::uid_t::MAX, gid: libc::gid_t::MAX };
    let mut bytes = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the descriptor is open, and the kernel writes at most `bytes` bytes to `peer`, which has as
    // many and may be any.
    let result = unsafe {
        libc::getsockopt(
            connection.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut bytes,
        )
    };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(peer.uid == geteuid().as_raw())
}
