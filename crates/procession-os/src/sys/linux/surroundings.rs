//! The working folder by device and number, the streams by descriptor, limits by the kernel's numbers.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::fs::{Mode, OFlags, open, stat};
use rustix::io::fcntl_getfd;
use rustix::process::{
    Gid, Resource, Rlimit, Uid, fchdir, getegid, geteuid, getgid, getgroups, getrlimit, getuid,
    setrlimit,
};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::copy;
use crate::surroundings::Limit;

/// Which folder this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Folder {
    device: u64,
    number: u64,
}

impl Folder {
    pub(crate) fn current() -> Option<Folder> {
        let status = stat(".").ok()?;
        Some(Folder { device: status.st_dev, number: status.st_ino })
    }
}

pub(crate) fn open_folder() -> io::Result<OwnedFd> {
    let flags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
    Ok(open(".", flags, Mode::empty())?)
}

pub(crate) fn lend(handle: &OwnedFd) -> BorrowedFd<'_> {
    handle.as_fd()
}

pub(crate) fn enter(folder: OwnedFd) -> io::Result<()> {
    Ok(fchdir(folder)?)
}

/// Whose process this is: the ids and groups that decide what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    users: [Uid; 2],
    groups: Vec<Gid>,
}

impl Owner {
    pub(crate) fn current() -> Owner {
        let mut groups = vec![getgid(), getegid()];
        // Who cannot be told his groups has too many to have changed them unnoticed.
        groups.extend(getgroups().unwrap_or_default());
        Owner { users: [getuid(), geteuid()], groups }
    }
}

/// The resources that have a limit; their places here are their numbers in a message.
const RESOURCES: [Resource; 16] = [
    Resource::Cpu,
    Resource::Fsize,
    Resource::Data,
    Resource::Stack,
    Resource::Core,
    Resource::Rss,
    Resource::Nproc,
    Resource::Nofile,
    Resource::Memlock,
    Resource::As,
    Resource::Locks,
    Resource::Sigpending,
    Resource::Msgqueue,
    Resource::Nice,
    Resource::Rtprio,
    Resource::Rttime,
];

pub(crate) fn limits() -> Vec<Limit> {
    let limits = RESOURCES.map(getrlimit).map(|limit| (limit.current, limit.maximum));
    limits.map(|(current, most)| (current.unwrap_or(u64::MAX), most.unwrap_or(u64::MAX))).to_vec()
}

pub(crate) fn set_limit(index: u8, (current, most): Limit) -> io::Result<()> {
    let resource = RESOURCES.get(usize::from(index)).ok_or(io::ErrorKind::InvalidData)?;
    let value = |limit| Some(limit).filter(|limit| *limit != u64::MAX);
    Ok(setrlimit(*resource, Rlimit { current: value(current), maximum: value(most) })?)
}

pub(crate) fn streams() -> (u8, Vec<BorrowedFd<'static>>) {
    let mut open = 0;
    let mut handles = Vec::with_capacity(3);
    for stream in 0..3 {
        // SAFETY: a standard stream belongs to the process, not to any value in it, so it may be
        // lent for ever. One that is closed is not lent: see below.
        let handle = unsafe { BorrowedFd::borrow_raw(stream) };
        if fcntl_getfd(handle).is_ok() {
            open |= 1 << stream;
            handles.push(handle);
        }
    }
    (open, handles)
}

pub(crate) fn replace_stream(stream: u8, handle: OwnedFd) -> io::Result<()> {
    match stream {
        0 => dup2_stdin(handle)?,
        1 => dup2_stdout(handle)?,
        _ => dup2_stderr(handle)?,
    }
    Ok(())
}

pub(crate) fn bytes_of(string: &OsStr) -> &[u8] {
    string.as_bytes()
}

pub(crate) fn string_of(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

#[expect(clippy::disallowed_methods, reason = "there is no other thread to read the environment")]
pub(crate) fn set_variables(variables: &[(OsString, Option<OsString>)]) -> io::Result<()> {
    if variables.is_empty() {
        return Ok(());
    }
    if copy::thread_count()? != 1 {
        return Err(io::Error::other(
            "the environment of a process with threads cannot be changed",
        ));
    }
    for (name, value) in variables {
        if name.is_empty() || name.as_bytes()[1..].contains(&b'=') || name.as_bytes().contains(&0) {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        match value {
            // SAFETY: this process has one thread, so nobody reads the environment meanwhile.
            Some(value) => unsafe { std::env::set_var(name, value) },
            // SAFETY: as above.
            None => unsafe { std::env::remove_var(name) },
        }
    }
    Ok(())
}
