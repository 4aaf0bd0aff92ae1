//! No copies of processes, so nothing to tell them.

use std::ffi::{OsStr, OsString};
use std::io;

use super::{Never, refused};
use crate::handle::{BorrowedHandle, Handle};
use crate::surroundings::Limit;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Folder(Never);

impl Folder {
    pub(crate) fn current() -> Option<Folder> {
        None
    }
}

pub(crate) fn open_folder() -> io::Result<Handle> {
    refused("handles of folders")
}

pub(crate) fn lend(_handle: &Handle) -> BorrowedHandle<'_> {
    unreachable!("no folder was opened on this system")
}

pub(crate) fn enter(_folder: Handle) -> io::Result<()> {
    refused("handles of folders")
}

pub(crate) fn limits() -> Vec<Limit> {
    Vec::new()
}

pub(crate) fn set_limit(_index: u8, _limit: Limit) -> io::Result<()> {
    refused("resource limits")
}

/// Whose process this is: nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner;

impl Owner {
    pub(crate) fn current() -> Owner {
        Owner
    }
}

pub(crate) fn streams() -> (u8, Vec<BorrowedHandle<'static>>) {
    (0, Vec::new())
}

pub(crate) fn replace_stream(_stream: u8, _handle: Handle) -> io::Result<()> {
    refused("handles of streams")
}

pub(crate) fn bytes_of(string: &OsStr) -> &[u8] {
    string.as_encoded_bytes()
}

pub(crate) fn string_of(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

pub(crate) fn set_variables(_variables: &[(OsString, Option<OsString>)]) -> io::Result<()> {
    refused("another environment")
}
