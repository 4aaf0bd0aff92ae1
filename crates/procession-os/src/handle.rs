//! The system's owned and borrowed handles.
//!
//! A bare integer descriptor never leaves this crate: what is owned is a [`Handle`] and closes
//! itself, what is lent is a [`BorrowedHandle`] and cannot outlive its owner.

#[cfg(unix)]
pub use unix::{BorrowedHandle, Handle, lend};

#[cfg(windows)]
pub use windows::{BorrowedHandle, Handle, lend};

#[cfg(not(any(unix, windows)))]
pub use other::{BorrowedHandle, Handle, lend};

#[cfg(unix)]
mod unix {
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    /// An owned descriptor; dropping it closes it.
    pub type Handle = OwnedFd;

    /// A descriptor lent for `'a`.
    pub type BorrowedHandle<'a> = BorrowedFd<'a>;

    /// Lends a descriptor.
    pub fn lend(handle: &Handle) -> BorrowedHandle<'_> {
        handle.as_fd()
    }
}

#[cfg(windows)]
mod windows {
    use std::os::windows::io;

    /// An owned handle; dropping it closes it.
    pub type Handle = io::OwnedHandle;

    /// A handle lent for `'a`.
    pub type BorrowedHandle<'a> = io::BorrowedHandle<'a>;

    /// Lends a handle.
    pub fn lend(handle: &Handle) -> BorrowedHandle<'_> {
        io::AsHandle::as_handle(handle)
    }
}

#[cfg(not(any(unix, windows)))]
mod other {
    use std::convert::Infallible;
    use std::marker::PhantomData;

    /// There are no handles on this system, so no value of this type exists.
    #[derive(Debug)]
    pub struct Handle(#[expect(dead_code, reason = "makes the type uninhabited")] Infallible);

    /// There are no handles on this system, so no value of this type exists.
    #[derive(Debug, Clone, Copy)]
    pub struct BorrowedHandle<'a>(
        #[expect(dead_code, reason = "makes the type uninhabited")] Infallible,
        PhantomData<&'a Handle>,
    );

    /// Lends what nobody can have.
    pub fn lend(handle: &Handle) -> BorrowedHandle<'_> {
        match handle.0 {}
    }
}
