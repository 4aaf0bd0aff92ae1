//! Two processes at the ends of a socket pair.

#![allow(unsafe_code)]

use super::fork;
use crate::harness::Outcome;
use crate::pace::Body;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

/// Round trips over a socket pair, read and written by blocking calls.
pub(crate) fn session(body: Body<'_>) -> Outcome<()> {
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let serve = || {
        let mut bytes = [0; 8];
        while let Ok(count) = rustix::io::read(&theirs, &mut bytes)
            && count > 0
            && rustix::io::write(&theirs, &bytes[..count]).is_ok()
        {}
    };
    // SAFETY: the child only reads and writes, without the C library.
    let _child = unsafe { fork::run(serve) }?;
    body(&mut |value| {
        rustix::io::write(&ours, &value.to_le_bytes())?;
        let mut bytes = [0; 8];
        if rustix::io::read(&ours, &mut bytes)? != bytes.len() {
            return Err("a part of an answer".into());
        }
        Ok(u64::from_le_bytes(bytes))
    })
}
