//! Bytes that processes have in common.

use super::named::Named;
use crate::plain::Plain;
use crate::sync::place::Place;
use procession_core::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Where the bytes begin: at a multiple of 64 in memory, as a place begins 16 behind one.
const DATA: usize = 48;

/// A block of bytes in shared memory, with or without a name: Python's `SharedMemory`.
///
/// A handle that is cloned, or passed to a task, is another handle of the same memory. Others may write it
/// at any moment, so there is no slice of it: bytes and [`Plain`] values are copied in and out. A value of
/// up to eight bytes that lies at a multiple of its size is read and written at one go; of larger ones, and
/// of several, a reader may see some as they were and some as they will be. Where that matters, take a
/// [`Lock`](crate::Lock), or an [`Array`](crate::Array), which has one. What never changes is read in place from a
/// [`SharedSlice`](crate::SharedSlice); integers that many change at once from an
/// [`AtomicArray`](crate::AtomicArray).
///
/// ```
/// use procession::{Pool, SharedMemory};
///
/// fn fill(memory: SharedMemory, part: usize) -> procession::Result<()> {
///     memory.write(part * 100, &[part as u8; 100])
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let memory = SharedMemory::new(400)?;
///     let pool = Pool::new(2)?;
///     for filled in pool.starmap(fill, (0..4).map(|part| (memory.clone(), part)))? {
///         filled?;
///     }
///     assert_eq!(memory.to_vec()?[99..101], [0, 1]);
///     memory.set(8, 0x0102_u16)?;
///     assert_eq!(memory.get::<u16>(8)?, 0x0102);
///     Ok(())
/// }
/// ```
///
/// # Names
///
/// Under a name other processes of the same user find the memory without having been given it; they run
/// programs that were built from the same version of this crate by the same compiler, or are refused.
///
/// A name is no file, and nothing is left of it, whoever is killed: it is there as long as the process that
/// [made](Self::create) it has a handle and nobody has [unlinked](Self::unlink) it. Python's stays until it
/// is unlinked, or a tracker process cleans up after everybody. The memory itself stays as long as anybody has
/// a handle. (On Linux a name is the address of a socket: a process that is in a container with a network of
/// its own does not find it.)
///
/// ```
/// use procession::SharedMemory;
///
/// let name = format!("counters-{}", std::process::id());
/// let ours = SharedMemory::create(&name, 4096)?;
/// let theirs = SharedMemory::attach(&name)?; // mostly in another process
/// theirs.set(0, 7_u64)?;
/// assert_eq!(ours.get::<u64>(0)?, 7);
/// theirs.unlink()?;
/// let error = SharedMemory::attach(&name).unwrap_err();
/// assert_eq!(error.io_kind(), Some(std::io::ErrorKind::NotFound));
/// # Ok::<(), procession::Error>(())
/// ```
///
/// Costs a descriptor and a mapping in every process that has it, unless it is small and has no name: then
/// it lies beside other small objects. A process that has names has a thread that answers for them.
#[derive(Clone)]
pub struct SharedMemory {
    named: Named,
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("SharedMemory");
        debug.field("name", &self.name()).field("size", &self.size()).finish()
    }
}

impl Serialize for SharedMemory {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.named.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SharedMemory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Named::deserialize::<Self, D>(deserializer, DATA).map(|named| Self { named })
    }
}

impl SharedMemory {
    /// Makes memory of this many bytes, which are zeros, without a name. Takes memory only as far as it is
    /// used.
    ///
    /// # Errors
    /// When it is to have no bytes, as in Python; when the system is out of memory or descriptors.
    pub fn new(bytes: usize) -> Result<Self> {
        let place = Place::new::<Self>(with_header(bytes)?)?;
        Ok(Self { named: Named::without(place) })
    }

    /// As [`new`](Self::new), with a name of up to 80 bytes.
    ///
    /// If somebody has the name, waits for at most a second for them to say that they still want it. Woken
    /// by the answer, and by their death.
    ///
    /// # Errors
    /// As [`new`](Self::new). With [`io_kind`](Error::io_kind) of
    /// [`AlreadyExists`](std::io::ErrorKind::AlreadyExists) when the name is taken, and of
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) when it is empty, too long, or has a NUL; when the
    /// process can start no thread.
    pub fn create(name: &str, bytes: usize) -> Result<Self> {
        let place = Place::alone::<Self>(with_header(bytes)?)?;
        Ok(Self { named: Named::with(place, name)? })
    }

    /// The memory that has this name, made by any process of the same user.
    ///
    /// Waits for that process to answer, which it does unless it is stopped, or out of descriptors: for at
    /// most ten seconds. Woken by the answer, and by its death.
    ///
    /// # Errors
    /// With [`io_kind`](Error::io_kind) of [`NotFound`](std::io::ErrorKind::NotFound) when nobody has the
    /// name, of [`PermissionDenied`](std::io::ErrorKind::PermissionDenied) when another user has taken it,
    /// of [`InvalidData`](std::io::ErrorKind::InvalidData) when it is no `SharedMemory`, of
    /// [`TimedOut`](std::io::ErrorKind::TimedOut) when there was no answer, and of
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) when it can be no name; when the system is out of
    /// memory or descriptors.
    pub fn attach(name: &str) -> Result<Self> {
        let named = Named::attach::<Self>(name, DATA)?;
        Ok(Self { named })
    }

    /// Takes the name away, from any process that has a handle: it is free when this returns. The memory
    /// stays with those who have it.
    ///
    /// Waits for the process that made it as [`attach`](Self::attach) does.
    ///
    /// # Errors
    /// When the memory has no name; with [`io_kind`](Error::io_kind) of
    /// [`NotFound`](std::io::ErrorKind::NotFound) when it has none any more: it was unlinked, or its maker is
    /// gone.
    pub fn unlink(&self) -> Result<()> {
        self.named.unlink()
    }

    /// Under which name it was made or attached, even if it was unlinked since.
    pub fn name(&self) -> Option<&str> {
        self.named.name()
    }

    /// How many bytes it has.
    pub fn size(&self) -> usize {
        self.named.place().bytes() - DATA
    }

    /// Where these bytes are in the segment.
    fn span(&self, offset: usize, count: usize) -> Result<usize> {
        let is_inside = offset.checked_add(count).is_some_and(|end| end <= self.size());
        if !is_inside {
            let end = offset.saturating_add(count);
            let size = self.size();
            return Err(Error::usage(format!("bytes {offset}..{end} of shared memory of {size}")));
        }
        Ok(self.named.place().at() + DATA + offset)
    }

    /// Copies the bytes from `offset` on into `to`.
    ///
    /// # Errors
    /// When there are not as many.
    pub fn read(&self, offset: usize, to: &mut [u8]) -> Result<()> {
        let at = self.span(offset, to.len())?;
        self.named.place().segment().copy_out(at, to);
        Ok(())
    }

    /// Writes these bytes from `offset` on.
    ///
    /// # Errors
    /// When they do not fit; nothing is written then.
    pub fn write(&self, offset: usize, from: &[u8]) -> Result<()> {
        let at = self.span(offset, from.len())?;
        self.named.place().segment().copy_in(at, from);
        Ok(())
    }

    /// The value whose bytes begin at `offset`.
    ///
    /// # Errors
    /// When it would not be inside of the memory.
    pub fn get<T: Plain>(&self, offset: usize) -> Result<T> {
        let mut value = T::zeroed();
        self.read(offset, bytemuck::bytes_of_mut(&mut value))?;
        Ok(value)
    }

    /// Writes the bytes of a value from `offset` on.
    ///
    /// # Errors
    /// When it would not be inside of the memory.
    pub fn set<T: Plain>(&self, offset: usize, value: T) -> Result<()> {
        self.write(offset, bytemuck::bytes_of(&value))
    }

    /// A copy of all bytes.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn to_vec(&self) -> Result<Vec<u8>> {
        let at = self.span(0, self.size())?;
        let bytes = self.named.place().segment().to_vec(at, self.size());
        bytes.ok_or_else(|| {
            let source = std::io::ErrorKind::OutOfMemory.into();
            Error::system("cannot copy shared memory", source)
        })
    }
}

fn with_header(bytes: usize) -> Result<usize> {
    if bytes == 0 {
        return Err(Error::usage("shared memory cannot be empty"));
    }
    let with_header = bytes.checked_add(DATA);
    with_header.ok_or_else(|| Error::usage("shared memory is larger than the address space"))
}
