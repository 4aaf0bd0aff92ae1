//! Two processes at the ends of a socket pair, or of two pipes.

#![allow(unsafe_code)]

use super::fork;
use crate::harness::Outcome;
use crate::pace::{Body, Pace};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::os::fd::{AsFd, OwnedFd};

fn pair() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
}

/// Round trips over a socket pair, read and written by blocking calls.
pub(crate) fn session(body: Body<'_>) -> Outcome<()> {
    let (ours, theirs) = pair()?;
    echoed(&ours, &ours, &theirs, &theirs, body)
}

/// Round trips over two pipes.
pub(crate) fn pipes(body: Body<'_>) -> Outcome<()> {
    let (input, their_output) = rustix::pipe::pipe()?;
    let (their_input, output) = rustix::pipe::pipe()?;
    echoed(&input, &output, &their_input, &their_output, body)
}

/// Calls to a child that sends each number back.
fn echoed(
    input: &OwnedFd,
    output: &OwnedFd,
    their_input: &OwnedFd,
    their_output: &OwnedFd,
    body: Body<'_>,
) -> Outcome<()> {
    let serve = || {
        let mut bytes = [0; 8];
        while let Ok(count) = rustix::io::read(their_input, &mut bytes)
            && count > 0
            && rustix::io::write(their_output, &bytes[..count]).is_ok()
        {}
    };
    // SAFETY: the child only reads and writes, without the C library.
    let _child = unsafe { fork::run(serve) }?;
    body(&mut |value| {
        rustix::io::write(output, &value.to_le_bytes())?;
        let mut bytes = [0; 8];
        if rustix::io::read(input, &mut bytes)? != bytes.len() {
            return Err("a part of an answer".into());
        }
        Ok(u64::from_le_bytes(bytes))
    })
}

/// A payload there and back over a socket pair.
pub(crate) fn bytes(size: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let (ours, theirs) = pair()?;
    let mut theirs_bytes = vec![0; size];
    let serve = || {
        while receive(&theirs, &mut theirs_bytes).is_ok() && send(&theirs, &theirs_bytes).is_ok() {}
    };
    // SAFETY: the child only reads and writes, without the C library, into memory that is there.
    let _child = unsafe { fork::run(serve) }?;
    let mut bytes = vec![1; size];
    pace.time(|| {
        send(&ours, &bytes)?;
        Ok(receive(&ours, &mut bytes)?)
    })
}

/// Nanoseconds a task: numbers written one by one by one thread, read in blocks by the child and by
/// a second thread, because a full socket blocks.
pub(crate) fn tasks(pace: Pace, count: u64) -> Outcome<Vec<f64>> {
    let (ours, theirs) = pair()?;
    let mut block = vec![0; 1 << 16];
    let serve = || {
        while let Ok(received) = rustix::io::read(&theirs, &mut block)
            && received > 0
            && send(&theirs, &block[..received]).is_ok()
        {}
    };
    // SAFETY: as in `bytes`.
    let _child = unsafe { fork::run(serve) }?;
    let times = pace.time(|| {
        std::thread::scope(|scope| {
            let sender = scope
                .spawn(|| (0..count).try_for_each(|number| send(&ours, &number.to_le_bytes())));
            let mut answers = vec![0; count as usize * 8];
            receive(&ours, &mut answers)?;
            sender.join().map_err(|_| "the sender panicked")??;
            let right = (0..count).zip(answers.chunks(8)).all(|(i, a)| i.to_le_bytes() == a);
            if right { Ok(()) } else { Err("a wrong answer".into()) }
        })
    })?;
    Ok(times.into_iter().map(|time| time / count as f64).collect())
}

fn send(to: impl AsFd, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        let count = rustix::io::write(&to, bytes)?;
        bytes = &bytes[count..];
    }
    Ok(())
}

/// Fills the buffer; the end before that is an error.
fn receive(from: impl AsFd, mut bytes: &mut [u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        let count = rustix::io::read(&from, &mut *bytes)?;
        if count == 0 {
            return Err(rustix::io::Errno::CONNRESET);
        }
        bytes = &mut bytes[count..];
    }
    Ok(())
}
