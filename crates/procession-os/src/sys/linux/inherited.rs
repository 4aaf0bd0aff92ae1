//! What a forked copy must not keep: the ends that tell others that this process lives, and shared
//! memory, which it would share.
//!
//! A copy has a duplicate of each end, and the memory is mapped in it. It puts something harmless in
//! their places rather than to close or unmap them: values in its memory still own the numbers and
//! the addresses.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags, open};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

static ENDS: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

/// A descriptor that is on the list until it is dropped.
#[derive(Debug)]
pub(crate) struct End(OwnedFd);

impl End {
    pub(crate) fn new(descriptor: OwnedFd) -> End {
        lock().push(descriptor.as_raw_fd());
        End(descriptor)
    }
}

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // Before it is closed, for the number may be another's then.
        let own = self.0.as_raw_fd();
        let mut ends = lock();
        if let Some(index) = ends.iter().position(|end| *end == own) {
            ends.swap_remove(index);
        }
    }
}

fn lock() -> MutexGuard<'static, Vec<RawFd>> {
    ENDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shared memory that is mapped: address and length.
static SHARED: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

fn lock_shared() -> MutexGuard<'static, Vec<(usize, usize)>> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts a mapping on the list.
pub(super) fn add_shared(start: *mut u8, bytes: usize) {
    lock_shared().push((start.expose_provenance(), bytes));
}

/// Takes a mapping off the list, before it is unmapped.
pub(super) fn remove_shared(start: *mut u8) {
    let mut shared = lock_shared();
    if let Some(index) = shared.iter().position(|(other, _)| *other == start.addr()) {
        shared.swap_remove(index);
    }
}

/// The lists, which cannot change meanwhile.
#[derive(Debug)]
pub(super) struct Listed {
    ends: MutexGuard<'static, Vec<RawFd>>,
    shared: MutexGuard<'static, Vec<(usize, usize)>>,
}

impl Listed {
    pub(super) fn lock() -> Listed {
        Listed { ends: lock(), shared: lock_shared() }
    }

    /// In a copy: lets go of all but one end.
    pub(super) fn let_go_of_all_but(
        &mut self,
        keep: BorrowedFd<'_>,
        let_go: &End,
    ) -> io::Result<()> {
        self.let_go_of_ends(keep, let_go)?;
        self.let_go_of_shared()
    }

    /// Puts private memory full of zeros in the place of what is shared.
    fn let_go_of_shared(&mut self) -> io::Result<()> {
        let protection = ProtFlags::READ.union(ProtFlags::WRITE);
        let flags = MapFlags::PRIVATE.union(MapFlags::FIXED);
        for (start, bytes) in self.shared.drain(..) {
            let start = std::ptr::with_exposed_provenance_mut(start);
            // SAFETY: the range is a whole mapping that a value in this process owns, and stays one.
            // What is in it could change at any time before, so nobody relies on it.
            unsafe { mmap_anonymous(start, bytes, protection, flags) }?;
        }
        Ok(())
    }

    /// In a copy: lets go of this one end, before anything else. Its number stands for `instead` from then
    /// on: there may be no other descriptor to be had.
    pub(super) fn let_go_of(&mut self, end: &End, instead: BorrowedFd<'_>) -> io::Result<()> {
        let end = end.0.as_raw_fd();
        put_in_place_or_nothing(end, instead)?;
        self.ends.retain(|other| *other != end);
        Ok(())
    }

    fn let_go_of_ends(&mut self, keep: BorrowedFd<'_>, let_go: &End) -> io::Result<()> {
        for end in self.ends.iter().filter(|end| **end != keep.as_raw_fd()) {
            put_in_place_or_nothing(*end, let_go.0.as_fd())?;
        }
        self.ends.retain(|end| *end == keep.as_raw_fd());
        Ok(())
    }
}

/// Puts a duplicate of a descriptor in the place of an end on the list; or, if something in the copy has
/// closed that descriptor already, what says nothing to anybody.
fn put_in_place_or_nothing(end: RawFd, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    put_in_place_of(end, descriptor).or_else(|_| {
        let nothing = open("/dev/null", OFlags::RDWR.union(OFlags::CLOEXEC), Mode::empty())?;
        put_in_place_of(end, nothing.as_fd())
    })
}

/// Puts a duplicate of a descriptor in the place of an end on the list.
fn put_in_place_of(end: RawFd, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the number is that of an end that is owned by a value in this process, which owns the
    // duplicate from here on. Both are descriptors.
    let result = unsafe { libc::dup3(descriptor.as_raw_fd(), end, libc::O_CLOEXEC) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
