//! The control channel: whole messages, with handles attached, between a parent and one worker.
//!
//! It is for what happens a few times in a worker's life: its boot, handing over memory and other
//! handles, a refusal. Its other purpose is to end: when one side is gone, however it went, the
//! other reads [`Received::Closed`].

use std::io;

use crate::handle::{BorrowedHandle, Handle};
use crate::sys;

/// The longest message.
pub const MESSAGE_BYTES_MAX: usize = 32 * 1024;

/// The most handles that one message carries.
pub const HANDLES_MAX: usize = 16;

/// One end of a control channel.
#[derive(Debug)]
#[must_use]
pub struct Control(pub(crate) sys::control::Control);

/// What [`Control::recv`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Received {
    /// A whole message, now in the caller's buffers.
    Message,
    /// Nothing is there, and the caller did not want to wait.
    Empty,
    /// The peer is gone and everything it sent has been read.
    Closed,
}

impl Control {
    /// Makes a channel and gives both of its ends, neither of which survives an exec.
    ///
    /// # Errors
    ///
    /// Fails when the system is out of descriptors or memory.
    pub fn pair() -> io::Result<(Control, Control)> {
        let (one, other) = sys::control::Control::pair()?;
        Ok((Control(one), Control(other)))
    }

    /// Sends one message, and with it a copy of each handle. Never blocks.
    ///
    /// # Errors
    ///
    /// Fails with [`io::ErrorKind::InvalidInput`] when the message is empty, longer than
    /// [`MESSAGE_BYTES_MAX`], or carries more than [`HANDLES_MAX`] handles; with
    /// [`io::ErrorKind::WouldBlock`] when the peer has too much unread already; with
    /// [`io::ErrorKind::BrokenPipe`] or [`io::ErrorKind::ConnectionReset`] when the peer is gone.
    pub fn send(&self, bytes: &[u8], handles: &[BorrowedHandle<'_>]) -> io::Result<()> {
        if bytes.is_empty() || bytes.len() > MESSAGE_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "a control message has 1 to {MESSAGE_BYTES_MAX} bytes, not {}",
                    bytes.len()
                ),
            ));
        }
        if handles.len() > HANDLES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "a control message carries at most {HANDLES_MAX} handles, not {}",
                    handles.len()
                ),
            ));
        }
        self.0.send(bytes, handles)
    }

    /// Receives one message into `bytes` and `handles`, whose old contents are dropped. With
    /// `block`, waits until there is a message or the peer is gone.
    ///
    /// # Errors
    ///
    /// Fails with [`io::ErrorKind::InvalidData`] when the message or its handles are more than the
    /// limits allow, or more handles came than this process has room for. Such a message is lost
    /// and its handles are closed; the channel can still be used.
    pub fn recv(
        &self,
        bytes: &mut Vec<u8>,
        handles: &mut Vec<Handle>,
        block: bool,
    ) -> io::Result<Received> {
        bytes.clear();
        handles.clear();
        let received = self.0.recv(bytes, handles, block);
        if !matches!(received, Ok(Received::Message)) {
            bytes.clear();
            handles.clear();
        }
        received
    }

    /// Waits until there is a message or the peer is gone; a signal may end the wait before.
    ///
    /// # Errors
    ///
    /// Fails when the system is out of memory.
    pub fn wait(&self) -> io::Result<()> {
        self.0.wait()
    }

    /// Whether this end is still open here. It is unless something in this process has closed it that
    /// does not own it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_open()
    }

    /// This end, to be sent to another process over another channel.
    #[must_use]
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.0.handle()
    }

    /// Takes an end that was sent by its [handle](Control::handle).
    ///
    /// # Errors
    ///
    /// Fails with [`io::ErrorKind::InvalidData`] when it is not an end of a control channel.
    pub fn from_handle(handle: Handle) -> io::Result<Control> {
        sys::control::Control::from_handle(handle).map(Control)
    }

    /// What to tell a child that inherits this end, for it to call [`Control::from_inherited`].
    #[must_use]
    pub fn inherit_token(&self) -> String {
        self.0.inherit_token()
    }

    /// Takes possession of the end that was inherited under `token`.
    ///
    /// This works once per token: from then on the end no longer survives an exec, and an end that
    /// does not survive an exec was not inherited.
    ///
    /// # Errors
    ///
    /// Fails with [`io::ErrorKind::InvalidInput`] when the token is not one, and with
    /// [`io::ErrorKind::InvalidData`] when it does not name an inherited control channel.
    pub fn from_inherited(token: &str) -> io::Result<Control> {
        sys::control::Control::from_inherited(token).map(Control)
    }
}
