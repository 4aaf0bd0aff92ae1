//! Descriptors that a forked copy must not keep: the ends that tell others that this process lives.
//!
//! A copy has a duplicate of each. It puts something harmless in their places rather than to close
//! them: values in its memory still own the numbers.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags, open};

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

/// The list, which cannot change meanwhile.
#[derive(Debug)]
pub(super) struct Listed(MutexGuard<'static, Vec<RawFd>>);

impl Listed {
    pub(super) fn lock() -> Listed {
        Listed(lock())
    }

    /// In a copy: lets go of all but one.
    pub(super) fn let_go_of_all_but(&mut self, keep: BorrowedFd<'_>) -> io::Result<()> {
        let nothing = open("/dev/null", OFlags::RDWR.union(OFlags::CLOEXEC), Mode::empty())?;
        for end in self.0.iter().filter(|end| **end != keep.as_raw_fd()) {
            // SAFETY: the number is that of an end that is owned by a value in this process, which
            // owns the duplicate of `nothing` from here on. Both are descriptors.
            let result = unsafe { libc::dup3(nothing.as_raw_fd(), *end, libc::O_CLOEXEC) };
            if result == -1 {
                return Err(io::Error::last_os_error());
            }
        }
        self.0.retain(|end| *end == keep.as_raw_fd());
        Ok(())
    }
}
