//! Where descriptors lie.
//!
//! The kernel gives out the lowest number that is free. In a program that has closed its standard
//! streams that is a stream's, and whatever prints, the program itself or a library, would write into
//! what we have there; a child would take it for its own stream. So nothing of ours that lasts lies there.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::io::{Errno, fcntl_dupfd_cloexec};

/// The lowest descriptor that is not a standard stream.
pub(super) const MIN: RawFd = 3;

/// The same, in another place if it lies in that of a stream. It closes on exec.
pub(super) fn above_streams(descriptor: OwnedFd) -> Result<OwnedFd, Errno> {
    if descriptor.as_raw_fd() < MIN {
        fcntl_dupfd_cloexec(&descriptor, MIN)
    } else {
        Ok(descriptor)
    }
}
