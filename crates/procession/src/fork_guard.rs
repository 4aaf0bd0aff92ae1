//! Lifting the guard of the start method `fork`: a promise that only the program can make, so it
//! makes it with `unsafe`.

#![allow(unsafe_code)]

/// Has [`StartMethod::Fork`](crate::StartMethod::Fork) and [`Process::fork`](crate::Process::fork) no
/// longer refuse when this process has threads other than the calling one and procession's own. Holds
/// for the whole process from now on.
///
/// ```no_run
/// use procession::Process;
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let logger = std::thread::spawn(|| std::thread::park());
///     // SAFETY: the logger sleeps, and holds no lock.
///     unsafe { procession::allow_fork_with_threads() };
///     let numbers = vec![1, 2, 3];
///     let mut process = Process::fork(move || numbers.len());
///     process.start()?;
///     assert_eq!(process.join()?, 3);
///     logger.thread().unpark();
///     Ok(())
/// }
/// ```
///
/// # Safety
///
/// A forked child has the calling thread alone, while what other threads held or were changing at that
/// moment stays so in it for ever: a lock stays locked, a value stays half-changed. POSIX allows such a
/// child nothing but async-signal-safe functions until it executes another program, and procession's
/// children never do that and call much more. The caller vouches that whenever this process forks, its
/// other threads hold no lock, and are in the middle of changing nothing, that the child uses: in the
/// program, in its libraries (loggers, allocators, runtimes), or in those of the system. The C library
/// sees to its own heap and streams, and to nothing else.
pub unsafe fn allow_fork_with_threads() {
    // SAFETY: the caller vouches for what this asks for, which is the same.
    unsafe { procession_os::copy::allow_fork_with_threads() };
}
