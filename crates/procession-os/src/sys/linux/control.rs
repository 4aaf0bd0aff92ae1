//! The control channel as a pair of sequenced-packet sockets.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::cmsg_space;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg,
    sendmsg, socketpair, sockopt,
};

use super::descriptor::{self, above_streams};
use super::inherited::End;
use crate::control::{HANDLES_MAX, MESSAGE_BYTES_MAX, Received};
use crate::handle::{BorrowedHandle, Handle};

#[derive(Debug)]
pub(crate) struct Control {
    socket: End,
}

impl Control {
    pub(crate) fn pair() -> io::Result<(Control, Control)> {
        let (one, other) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Control::new(above_streams(one)?), Control::new(above_streams(other)?)))
    }

    fn new(socket: OwnedFd) -> Control {
        Control { socket: End::new(socket) }
    }

    pub(crate) fn send(&self, bytes: &[u8], handles: &[BorrowedHandle<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(HANDLES_MAX))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !handles.is_empty() {
            let has_room = ancillary.push(SendAncillaryMessage::ScmRights(handles));
            assert!(has_room, "the space is for as many handles as the face lets through");
        }
        let flags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);
        let sent =
            retry_on_intr(|| sendmsg(&self.socket, &[IoSlice::new(bytes)], &mut ancillary, flags))?;
        assert_eq!(sent, bytes.len(), "a packet is sent whole or not at all");
        Ok(())
    }

    pub(crate) fn recv(
        &self,
        bytes: &mut Vec<u8>,
        handles: &mut Vec<Handle>,
        block: bool,
    ) -> io::Result<Received> {
        let flags = if block {
            RecvFlags::CMSG_CLOEXEC
        } else {
            RecvFlags::CMSG_CLOEXEC.union(RecvFlags::DONTWAIT)
        };
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(HANDLES_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut receive = || {
            // Most messages are short, and fresh memory for the longest would cost more than a call.
            let look = flags.union(RecvFlags::PEEK).union(RecvFlags::TRUNC);
            let (_, length) = retry_on_intr(|| recv(&self.socket, &mut [0; 0], look))?;
            bytes.resize(length.min(MESSAGE_BYTES_MAX), 0);
            retry_on_intr(|| {
                recvmsg(&self.socket, &mut [IoSliceMut::new(bytes)], &mut ancillary, flags)
            })
        };
        let message = match receive() {
            // The peer went without reading all that we sent. The kernel says so once, before it
            // gives out what the peer had sent.
            Err(Errno::CONNRESET) => receive(),
            result => result,
        };
        let message = match message {
            Ok(message) => message,
            Err(Errno::AGAIN) => return Ok(Received::Empty),
            Err(Errno::CONNRESET) => return Ok(Received::Closed),
            Err(errno) => return Err(errno.into()),
        };
        for part in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = part {
                for handle in received {
                    handles.push(above_streams(handle)?);
                }
            }
        }
        if message.bytes == 0 {
            return Ok(Received::Closed);
        }
        bytes.truncate(message.bytes);
        if message.flags.contains(ReturnFlags::TRUNC) {
            return Err(refused("a control message is longer than the limit"));
        }
        if message.flags.contains(ReturnFlags::CTRUNC) || handles.len() > HANDLES_MAX {
            return Err(refused(
                "a control message carries more handles than the limit, or than this process may have \
                 descriptors (RLIMIT_NOFILE)",
            ));
        }
        Ok(Received::Message)
    }

    pub(crate) fn wait(&self) -> io::Result<()> {
        match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        // The number may stand for something else by now.
        is_channel(self.socket.as_fd()) == Ok(true)
    }

    pub(crate) fn handle(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(crate) fn from_handle(handle: OwnedFd) -> io::Result<Control> {
        match is_channel(handle.as_fd()) {
            Ok(true) => Ok(Control::new(above_streams(handle)?)),
            Ok(false) | Err(Errno::NOTSOCK) => {
                Err(refused("a handle that was sent is no control channel"))
            }
            Err(errno) => Err(errno.into()),
        }
    }

    pub(crate) fn inherit_token(&self) -> String {
        self.socket.as_fd().as_raw_fd().to_string()
    }

    pub(crate) fn from_inherited(token: &str) -> io::Result<Control> {
        let descriptor = token
            .parse()
            .ok()
            .filter(|&descriptor: &RawFd| descriptor >= descriptor::MIN)
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("{token:?} is not the token of a control channel"),
                )
            })?;
        check_inherited(descriptor)?;
        // SAFETY: the descriptor is open and does not close on exec, so it came to this process
        // through an exec and belongs to nobody here: whatever this program opens through Rust
        // closes on exec. From here on this value owns it, and since it now closes on exec itself,
        // no second call gets here.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
        Ok(Control::new(socket))
    }

    /// The socket, for a child that is to inherit it.
    pub(super) fn descriptor(&self) -> RawFd {
        self.socket.as_fd().as_raw_fd()
    }
}

/// Checks that a descriptor is an open sequenced-packet socket that came through an exec.
fn check_inherited(descriptor: RawFd) -> io::Result<()> {
    // SAFETY: the descriptor is not -1, being at least `descriptor::MIN`. It may not be open, but it
    // is only handed to system calls that report this, and no longer than this function runs.
    let socket = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let is_inherited = || -> rustix::io::Result<bool> {
        Ok(!fcntl_getfd(socket)?.contains(FdFlags::CLOEXEC) && is_channel(socket)?)
    };
    match is_inherited() {
        Ok(true) => Ok(()),
        Ok(false) | Err(Errno::BADF | Errno::NOTSOCK) => {
            Err(refused("the token does not name an inherited control channel"))
        }
        Err(errno) => Err(errno.into()),
    }
}

fn is_channel(socket: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    Ok(sockopt::socket_domain(socket)? == AddressFamily::UNIX
        && sockopt::socket_type(socket)? == SocketType::SEQPACKET)
}

fn refused(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
