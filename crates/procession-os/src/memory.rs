//! Anonymous shared memory of a fixed size.
//!
//! A [`Memory`] has no name in any file system, so there is nothing to leak and nothing to guess: it
//! travels to another process as a handle, and goes when the last handle and the last mapping go.
//! Its size is sealed, so a peer cannot shrink it under our feet and turn a plain load into a
//! fault. Memory made by [`Memory::create_owned`] can in addition be written through the creator's
//! own mapping only.

use std::io;

use crate::handle::{BorrowedHandle, Handle};
use crate::life::{MARK_BYTES, MARKS};
use crate::sys;

/// What a mapping may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Loads only; a store faults.
    Read,
    /// Loads and stores.
    ReadWrite,
}

/// Who may write to memory that is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writers {
    /// Whoever holds a handle.
    Everyone,
    /// The mapping made together with the memory, and no other.
    Creator,
}

/// An anonymous shared memory object of fixed size.
#[derive(Debug)]
#[must_use]
pub struct Memory(sys::memory::Memory);

impl Memory {
    /// Makes zeroed memory that every holder of a handle may map for reading and writing, and maps
    /// it. `label` shows up in the system's listings of mappings and means nothing.
    ///
    /// # Errors
    ///
    /// Fails when `bytes` is zero or more than the address space holds, when the label contains a
    /// NUL, and when the system is out of descriptors or memory.
    pub fn create_shared(label: &str, bytes: usize) -> io::Result<(Memory, Mapping)> {
        Self::create(label, bytes, Writers::Everyone)
    }

    /// Makes zeroed memory that only the mapping returned here can write: every later mapping of
    /// it, in this process or another, can be for reading only.
    ///
    /// # Errors
    ///
    /// As [`Memory::create_shared`].
    pub fn create_owned(label: &str, bytes: usize) -> io::Result<(Memory, Mapping)> {
        Self::create(label, bytes, Writers::Creator)
    }

    fn create(label: &str, bytes: usize, writers: Writers) -> io::Result<(Memory, Mapping)> {
        if bytes == 0 || isize::try_from(bytes).is_err() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "shared memory cannot be empty or larger than half the address space",
            ));
        }
        let (memory, mapping) = sys::memory::Memory::create(label, bytes, writers)?;
        let mapping = Mapping { sys: mapping, access: Access::ReadWrite };
        Ok((Memory(memory), mapping))
    }

    /// Takes in a handle that came from a peer who is not trusted.
    ///
    /// The memory behind it is accepted only if loads from a mapping of it cannot fault, whatever
    /// the peer does: its size must be sealed both ways, and it must be ordinary anonymous memory.
    ///
    /// # Errors
    ///
    /// Fails with [`io::ErrorKind::InvalidData`] when the handle is something else.
    pub fn accept(handle: Handle) -> io::Result<Memory> {
        sys::memory::Memory::accept(handle).map(Memory)
    }

    /// The size, which never changes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Maps the whole of the memory.
    ///
    /// # Errors
    ///
    /// Fails when the system is out of address space or mappings, and when writing is asked for
    /// and the memory was made by [`Memory::create_owned`].
    pub fn map(&self, access: Access) -> io::Result<Mapping> {
        let sys = self.0.map(access)?;
        Ok(Mapping { sys, access })
    }

    /// Maps the whole of the memory for reading and writing, such that this process can take
    /// [marks of life](crate::life) at its beginning. A forked copy of this process has the mapping, too,
    /// and shares the memory; any other mapping is full of zeros there.
    ///
    /// # Errors
    ///
    /// As [`map`](Self::map); and when the memory is too small for the marks.
    pub fn map_with_marks(&self) -> io::Result<Mapping> {
        if self.bytes() < MARKS * MARK_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("memory of {} bytes is too small for marks of life", self.bytes()),
            ));
        }
        let sys = self.0.map_with_marks()?;
        Ok(Mapping { sys, access: Access::ReadWrite })
    }

    /// The handle, to be sent to a peer.
    #[must_use]
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.0.handle()
    }
}

/// A view of a [`Memory`] in this process's address space; dropping it takes the view away.
///
/// Other processes may change the contents at any time, so nobody may ever make a reference to
/// them, save to an atomic. (Memory that is [`Frozen`](crate::frozen::Frozen) is another matter.) Read and write through [`Mapping::as_ptr`], and treat what was read as
/// input.
#[derive(Debug)]
#[must_use]
pub struct Mapping {
    sys: sys::memory::Mapping,
    access: Access,
}

impl Mapping {
    /// Where the view begins; aligned to a page, and valid for [`Mapping::len`] bytes for as long
    /// as `self` lives. Stores are allowed only if [`Mapping::access`] says so.
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.sys.as_ptr()
    }

    /// The size of the view in bytes, which is the size of the memory.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a mapping is never empty")]
    pub fn len(&self) -> usize {
        self.sys.len()
    }

    /// What the view may be used for.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// Gives `bytes` bytes from this offset on back to the system, which nobody uses now: they take no memory
    /// until they are written again, and are zeros until then. Where the system cannot do that, they stay
    /// as they are. Only whole pages go.
    ///
    /// # Panics
    ///
    /// Panics when the span is not inside of the view.
    pub fn give_back(&self, offset: usize, bytes: usize) {
        let end = offset.checked_add(bytes).expect("a span ends in the address space");
        assert!(end <= self.len(), "a span that is not inside of the view");
        self.sys.give_back(offset, bytes);
    }

    /// Whether marks of life can be taken in it.
    #[must_use]
    pub fn has_marks(&self) -> bool {
        self.sys.has_marks()
    }

    pub(crate) fn sys(&self) -> &sys::memory::Mapping {
        &self.sys
    }
}
