//! Shared memory as a sealed memfd.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr;

use rustix::fs::{self, FsWord, MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{self, Advice, MapFlags, ProtFlags};
use rustix::param::page_size;
use rustix::process::{Resource, getrlimit};

use super::descriptor::above_streams;
use super::inherited;
use super::life::{self, NODES_BYTES};
use crate::memory::{Access, Writers};

/// The file system that plain memfds live on (`TMPFS_MAGIC` in `linux/magic.h`). Those of huge
/// pages live on another, where touching a hole faults when the pages run out.
const TMPFS_MAGIC: FsWord = 0x0102_1994;

/// Without these two a holder of the descriptor could change the size.
const SIZE_SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);

#[derive(Debug)]
pub(crate) struct Memory {
    memfd: OwnedFd,
    bytes: usize,
}

impl Memory {
    pub(crate) fn create(
        label: &str,
        bytes: usize,
        writers: Writers,
    ) -> io::Result<(Memory, Mapping)> {
        let memory = Memory::create_unsealed(label, bytes)?;
        let mapping = memory.map(Access::ReadWrite)?;
        // The seal against writing leaves mappings alone that exist by then: ours is the only one.
        let seals = match writers {
            Writers::Everyone => SIZE_SEALS,
            Writers::Creator => SIZE_SEALS.union(SealFlags::FUTURE_WRITE),
        };
        fs::fcntl_add_seals(&memory.memfd, seals.union(SealFlags::SEAL))?;
        Ok((memory, mapping))
    }

    /// Memory that anybody with the descriptor can still do anything with.
    pub(super) fn create_unsealed(label: &str, bytes: usize) -> io::Result<Memory> {
        refuse_beyond_file_size_limit(bytes)?;
        let memfd = above_streams(create_memfd(label)?)?;
        fs::ftruncate(&memfd, bytes as u64)?;
        Ok(Memory { memfd, bytes })
    }

    pub(crate) fn accept(memfd: OwnedFd) -> io::Result<Memory> {
        // Of files on a tmpfs only memfds can have these seals, and other files have none at all.
        let seals = match fs::fcntl_get_seals(&memfd) {
            Ok(seals) => seals,
            Err(Errno::INVAL) => return Err(refused("is not anonymous memory")),
            Err(errno) => return Err(errno.into()),
        };
        if !seals.contains(SIZE_SEALS) {
            return Err(refused("can still change its size"));
        }
        if fs::fstatfs(&memfd)?.f_type != TMPFS_MAGIC {
            return Err(refused("is not ordinary anonymous memory"));
        }
        let bytes = usize::try_from(fs::fstat(&memfd)?.st_size)
            .ok()
            .filter(|&bytes| bytes > 0 && isize::try_from(bytes).is_ok())
            .ok_or_else(|| refused("is empty, or too large to be mapped"))?;
        Ok(Memory { memfd, bytes })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn map(&self, access: Access) -> io::Result<Mapping> {
        let protection = match access {
            Access::Read => ProtFlags::READ,
            Access::ReadWrite => ProtFlags::READ.union(ProtFlags::WRITE),
        };
        let mapping = self.map_as(protection, MapFlags::SHARED)?;
        inherited::add_shared(mapping.start, self.bytes);
        Ok(mapping)
    }

    /// Maps the memory with private memory before it, as [`life`](super::life) wants it.
    pub(crate) fn map_with_marks(&self) -> io::Result<Mapping> {
        let before = NODES_BYTES.next_multiple_of(page_size());
        let all = before.checked_add(self.bytes).ok_or(Errno::NOMEM)?;
        let protection = ProtFlags::READ.union(ProtFlags::WRITE);
        let flags = MapFlags::PRIVATE.union(MapFlags::NORESERVE);
        // SAFETY: without MAP_FIXED the kernel chooses a range that nothing uses.
        let start = unsafe { mm::mmap_anonymous(ptr::null_mut(), all, protection, flags) }?;
        // From here on it is unmapped by whoever owns it.
        let mapping =
            Mapping { start: start.cast::<u8>().wrapping_add(before), bytes: self.bytes, before };
        let flags = MapFlags::SHARED.union(MapFlags::FIXED);
        // SAFETY: the range is inside of the one that was just mapped, which nobody else knows of.
        unsafe { mm::mmap(mapping.start.cast(), self.bytes, protection, flags, &self.memfd, 0) }?;
        Ok(mapping)
    }

    /// Maps memory for reading that is sealed against writing. Before Linux 6.7 a shared mapping of it
    /// is refused, as one that could be made writable. A forked copy of this process keeps it: what
    /// never changes is not shared with anybody.
    pub(super) fn map_private(&self) -> io::Result<Mapping> {
        self.map_as(ProtFlags::READ, MapFlags::PRIVATE)
    }

    fn map_as(&self, protection: ProtFlags, flags: MapFlags) -> io::Result<Mapping> {
        // SAFETY: without MAP_FIXED the kernel chooses a range that nothing uses, so no existing
        // memory is affected; the address hint is null, which is allowed.
        let start =
            unsafe { mm::mmap(ptr::null_mut(), self.bytes, protection, flags, &self.memfd, 0) }?;
        Ok(Mapping { start: start.cast(), bytes: self.bytes, before: 0 })
    }

    pub(crate) fn handle(&self) -> BorrowedFd<'_> {
        self.memfd.as_fd()
    }
}

/// Growing a file beyond the limit would not only fail: it would send SIGXFSZ, which kills.
fn refuse_beyond_file_size_limit(bytes: usize) -> io::Result<()> {
    match getrlimit(Resource::Fsize).current {
        Some(limit) if bytes as u64 > limit => Err(Errno::FBIG.into()),
        _ => Ok(()),
    }
}

fn create_memfd(label: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC.union(MemfdFlags::ALLOW_SEALING);
    match fs::memfd_create(label, flags.union(MemfdFlags::NOEXEC_SEAL)) {
        // Kernels before 6.3 do not know the flag, and refuse a bad label in the same words.
        Err(Errno::INVAL) => Ok(fs::memfd_create(label, flags)?),
        result => Ok(result?),
    }
}

pub(super) fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the peer's handle {why}"))
}

/// Owns the `bytes` bytes of address space from `start` on, and the `before` bytes before it.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: *mut u8,
    bytes: usize,
    /// Bytes of private memory before `start`, which belong to it: nodes of the list of marks.
    before: usize,
}

// SAFETY: `start` is what keeps the compiler from deriving this. It names memory that belongs to no
// thread, is not accessed through any method here, and may be unmapped from any thread.
unsafe impl Send for Mapping {}

// SAFETY: the methods that take `&self` only copy `start` and `bytes`, which never change.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.start
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    pub(crate) fn has_marks(&self) -> bool {
        self.before > 0
    }

    pub(crate) fn give_back(&self, offset: usize, bytes: usize) {
        let start = offset.next_multiple_of(page_size());
        let end = (offset + bytes) / page_size() * page_size();
        if end > start {
            let start_address = self.start.wrapping_add(start);
            // SAFETY: whole pages inside of the mapping. Others may write them at any time as it is; that
            // they become zeros is one way more.
            let given =
                unsafe { mm::madvise(start_address.cast(), end - start, Advice::LinuxRemove) };
            // Where it is not possible they stay.
            let _ = given;
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        inherited::remove_shared(self.start);
        if self.has_marks() {
            life::leave_all(self);
        }
        let start = self.start.wrapping_sub(self.before);
        // SAFETY: the range is the very one that `mmap` gave to this value alone, and its users may
        // not touch it after this value is gone.
        let unmapped = unsafe { mm::munmap(start.cast(), self.before + self.bytes) };
        debug_assert!(unmapped.is_ok(), "a whole mapping can always be unmapped");
    }
}
