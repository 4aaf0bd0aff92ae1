//! Anonymous shared memory that never changes again.
//!
//! Shared memory is input that a peer may change between two loads, so nobody makes a reference to it
//! ([`memory`](crate::memory)). [`Frozen`] memory is the exception, and this is the argument for it:
//!
//! 1. It is written once, through the only mapping there is for writing, before anybody else can have
//!    a handle: [`Frozen::create`] makes it, has it filled, and takes that mapping away.
//! 2. Then it is sealed against writing, against changes of its size, and against the removal of
//!    seals. The system refuses the seal while a mapping for writing is left anywhere, and after it
//!    refuses each new one, each write, and each hole, to every process.
//! 3. So from the seal on its bytes are the same for ever, for all who map it, and loads cannot fault.
//!    A plain `&[u8]` over a mapping for reading is sound as long as the mapping lasts.
//! 4. Who receives a handle from a peer checks the seals, which is all that 3 needs ([`Frozen::accept`]).
//!
//! Each mapping is private to its process, and only for reading. A process that makes its own writable
//! nevertheless (`mprotect`) gets private copies of the pages it writes: it breaks its own promises, and
//! nobody else sees it.

use std::io;

use crate::handle::{BorrowedHandle, Handle};
use crate::sys;

/// Shared memory whose contents never change, mapped for reading.
///
/// Costs each process that has it one handle and one mapping.
///
/// ```
/// use procession_os::frozen::Frozen;
///
/// # fn main() -> std::io::Result<()> {
/// let memory = Frozen::create("example", 3, |bytes| bytes.copy_from_slice(b"ice"))?;
/// let sent = memory.handle().try_clone_to_owned()?;
/// assert_eq!(Frozen::accept(sent)?.as_slice(), b"ice");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Frozen(sys::frozen::Frozen);

impl Frozen {
    /// Makes memory, has `fill` write it, and seals it. `fill` sees zeros. `label` shows up in the
    /// system's listings of mappings and means nothing.
    ///
    /// # Errors
    ///
    /// Fails when `bytes` is zero or more than the address space holds, when the label contains a
    /// NUL, and when the system is out of descriptors or memory.
    pub fn create(label: &str, bytes: usize, fill: impl FnOnce(&mut [u8])) -> io::Result<Self> {
        if bytes == 0 || isize::try_from(bytes).is_err() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "shared memory cannot be empty or larger than half the address space",
            ));
        }
        let mut fill = Some(fill);
        let mut fill_once = |bytes: &mut [u8]| fill.take().expect("memory is filled once")(bytes);
        sys::frozen::Frozen::create(label, bytes, &mut fill_once).map(Self)
    }

    /// Takes in a handle that came from a peer who is not trusted, and maps the memory behind it.
    ///
    /// # Errors
    ///
    /// Fails with [`io::ErrorKind::InvalidData`] when the memory could still change; and when the
    /// system is out of address space or mappings.
    pub fn accept(handle: Handle) -> io::Result<Self> {
        sys::frozen::Frozen::accept(handle).map(Self)
    }

    /// The contents; they begin at a page.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// The handle, to be sent to a peer.
    #[must_use]
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.0.handle()
    }
}
