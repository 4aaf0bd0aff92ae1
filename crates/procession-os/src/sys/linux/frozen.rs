//! Memory that never changes again, as a memfd that is sealed against writing.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::slice;
use std::thread;
use std::time::Duration;

use rustix::fs::{self, FallocateFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{self, Advice};
use rustix::system::sysinfo;

use super::memory::{Mapping, Memory, refused};
use crate::memory::Access;

/// With these nobody can write the memory, change its size, or punch a hole into it.
const SEALS: SealFlags = SealFlags::WRITE.union(SealFlags::SHRINK).union(SealFlags::GROW);

/// How often sealing is tried again, a millisecond apart, while a process that another thread forked
/// still has the mapping for writing: it has it until its exec.
const SEAL_TRIES: u32 = 100;

/// `mapping` is private, for reading, and of memory that has [`SEALS`].
#[derive(Debug)]
pub(crate) struct Frozen {
    memory: Memory,
    mapping: Mapping,
}

impl Frozen {
    pub(crate) fn create(
        label: &str,
        bytes: usize,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> io::Result<Frozen> {
        refuse_beyond_machine(bytes)?;
        let memory = Memory::create_unsealed(label, bytes)?;
        // So that a lack of memory is an error here, and not a fault in the middle of filling.
        match fs::fallocate(memory.handle(), FallocateFlags::empty(), 0, bytes as u64) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(errno) => return Err(errno.into()),
        }
        let writable = memory.map(Access::ReadWrite)?;
        keep_from_forks(&writable);
        // SAFETY: `writable` was mapped just now, for reading and writing, is `bytes` long, and the
        // slice does not outlive it. Nobody else accesses this memory meanwhile: no other mapping
        // of it exists, and its descriptor has not left this function.
        let contents = unsafe { slice::from_raw_parts_mut(writable.as_ptr(), writable.len()) };
        fill(contents);
        drop(writable);
        seal(&memory)?;
        Frozen::map(memory)
    }

    pub(crate) fn accept(memfd: OwnedFd) -> io::Result<Frozen> {
        let memory = Memory::accept(memfd)?;
        if !fs::fcntl_get_seals(memory.handle())?.contains(SEALS) {
            return Err(refused("can still be written"));
        }
        Frozen::map(memory)
    }

    /// Maps memory that has [`SEALS`].
    fn map(memory: Memory) -> io::Result<Frozen> {
        let mapping = memory.map_private()?;
        Ok(Frozen { memory, mapping })
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: the mapping is readable, `len` bytes long, and lives as long as `self`, which the
        // slice borrows. Its bytes do not change: by the seals, which nobody can take away, no
        // process has a mapping that writes them, and none can get one (`crate::frozen`, points 1 to
        // 3). Its length is at most `isize::MAX` (`Memory::create_unsealed`, `Memory::accept`).
        unsafe { slice::from_raw_parts(self.mapping.as_ptr(), self.mapping.len()) }
    }

    pub(crate) fn handle(&self) -> BorrowedFd<'_> {
        self.memory.handle()
    }
}

/// The system would give page after page until it has to kill somebody.
fn refuse_beyond_machine(bytes: usize) -> io::Result<()> {
    let info = sysinfo();
    let pages = u128::from(info.totalram) + u128::from(info.totalswap);
    if bytes as u128 > pages * u128::from(info.mem_unit) {
        return Err(Errno::NOMEM.into());
    }
    Ok(())
}

/// A process that another thread forks now shall not have the mapping: it would stand in the way of
/// the seal.
fn keep_from_forks(mapping: &Mapping) {
    // SAFETY: the range is a whole mapping of ours, and the advice changes neither its contents nor
    // what this process may do with it.
    let advised =
        unsafe { mm::madvise(mapping.as_ptr().cast(), mapping.len(), Advice::LinuxDontFork) };
    debug_assert!(advised.is_ok(), "a mapping of a memfd can be kept from forks");
}

fn seal(memory: &Memory) -> io::Result<()> {
    for _ in 0..SEAL_TRIES {
        match fs::fcntl_add_seals(memory.handle(), SEALS.union(SealFlags::SEAL)) {
            Err(Errno::BUSY) => thread::sleep(Duration::from_millis(1)),
            result => return Ok(result?),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::ResourceBusy,
        "shared memory cannot be sealed: a process that was forked while it was filled has it",
    ))
}
