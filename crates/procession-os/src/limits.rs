//! What a process may use, and what it does use: private memory, processors, niceness.
//!
//! Limits are set by a process for itself, before it has made other threads: they hold for the calling
//! thread and for all that it makes from then on, other processes included.

use std::io;
use std::ops::RangeInclusive;

use crate::process::Child;
use crate::sys;

/// The values of niceness that there are: the smaller, the more of a processor a thread gets.
pub const NICENESS: RangeInclusive<i32> = -20..=19;

/// The processors that the calling thread may run on, by their numbers, in ascending order.
///
/// # Errors
///
/// Fails when the system does not tell: where a processor may have a number of 1024 or more.
pub fn processors() -> io::Result<Vec<usize>> {
    sys::limits::processors()
}

/// Has the calling thread run on these processors alone.
///
/// # Errors
///
/// Fails with [`io::ErrorKind::InvalidInput`] when there is none among them, and when there is one that
/// this process may not run on, or that does not exist.
pub fn run_on(processors: &[usize]) -> io::Result<()> {
    if processors.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no processor is left to run on"));
    }
    sys::limits::run_on(processors)
}

/// Gives the calling thread this niceness, whichever it had.
///
/// # Errors
///
/// Fails with [`io::ErrorKind::InvalidInput`] when it is none of [`NICENESS`], and with
/// [`io::ErrorKind::PermissionDenied`] when it is smaller than what the process has, and the process
/// has no privilege.
pub fn set_niceness(niceness: i32) -> io::Result<()> {
    if !NICENESS.contains(&niceness) {
        let what = format!("a niceness of {niceness} is none of {NICENESS:?}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    sys::limits::set_niceness(niceness)
}

/// Limits the private memory of this process, for good. What is asked for beyond it is refused, and an
/// allocation that is refused aborts a Rust program.
///
/// What counts is private memory that can be written: heap, the stacks of threads, writable parts of
/// the program's image, whether they have been touched or not. What does not is what belongs to nobody
/// alone: shared memory, and code. That is the use that a task causes. A limit of the whole address
/// space (`RLIMIT_AS`) would count what this library maps for others, the reserves that an allocator
/// makes without ever using them (glibc takes 64 MiB for each thread's arena), and a sanitizer's
/// terabytes; and one of resident memory (`RLIMIT_RSS`) is not kept by the kernel.
///
/// If there is a stricter limit already, that one stays.
///
/// # Errors
///
/// Fails with [`io::ErrorKind::OutOfMemory`] when this process has so much memory that it can get no
/// more under the limit, and says how much that is. The limit holds nevertheless.
pub fn limit_memory(bytes: u64) -> io::Result<()> {
    sys::limits::limit_memory(bytes)
}

/// The private memory of a child that is there at this moment, in bytes; `None` when the child has
/// ended.
///
/// Counts pages in memory that are neither a file's nor shared memory: what the child has touched of its
/// heap and stacks, and has not given back or seen swapped out. Pages that a fork left in common count in
/// full. The kernel may be off by some pages for each processor.
///
/// # Errors
///
/// Fails when the system does not tell, as without `/proc`.
pub fn private_bytes_of(child: &Child) -> io::Result<Option<u64>> {
    sys::limits::private_bytes_of(&child.sys)
}

/// A look at this process's own private memory that is cheap enough to be taken between tasks: one
/// call, of about a microsecond.
///
/// It keeps a descriptor open. In a forked copy of the process it goes on to tell of the original.
///
/// ```
/// use procession_os::limits::OwnMemory;
///
/// # fn main() -> std::io::Result<()> {
/// let own = OwnMemory::open()?;
/// let before = own.private_bytes()?;
/// let block = vec![1_u8; 32 << 20];
/// assert!(own.private_bytes()? > before + (30 << 20));
/// # drop(block);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct OwnMemory(sys::limits::OwnMemory);

impl OwnMemory {
    /// Prepares for looking.
    ///
    /// # Errors
    ///
    /// Fails when the system does not tell, as without `/proc`, and when it is out of descriptors.
    pub fn open() -> io::Result<OwnMemory> {
        sys::limits::OwnMemory::open().map(OwnMemory)
    }

    /// The private memory that is there at this moment, in bytes, counted as by [`private_bytes_of`].
    ///
    /// # Errors
    ///
    /// Fails when the system does not tell any more, which no known system does.
    pub fn private_bytes(&self) -> io::Result<u64> {
        self.0.private_bytes()
    }
}
