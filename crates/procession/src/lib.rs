//! Plain functions in many processes: the system that Python programmers know as
//! `multiprocessing`.
//!
//! ```
//! use procession::Pool;
//!
//! fn square(x: u64) -> u64 {
//!     x * x
//! }
//!
//! #[procession::main] // what `if __name__ == '__main__':` is in Python
//! fn main() -> procession::Result<()> {
//!     let pool = Pool::new(2)?;
//!     assert_eq!(pool.apply(square, (12,))?, 144);
//!     assert_eq!(pool.map(square, 0..4)?, [0, 1, 4, 9]);
//!     pool.close();
//!     pool.join()
//! }
//! ```
//!
//! # Functions and arguments
//!
//! Any plain function, and any closure that captures nothing, can run in another process: no
//! registration, no annotation. Arguments are a tuple of up to twelve values; they and the result
//! are `Serialize + DeserializeOwned`. What a closure would capture is passed as an argument.
//!
//! # When things go wrong
//!
//! Every task ends in exactly one outcome: its value, or an [`Error`] that says what happened, on
//! which worker, with the evidence. A worker that dies takes the task it was running with it and
//! nothing else; another takes its place. When the program dies, however it dies, its workers die
//! with it.

#![deny(unsafe_code)]

mod args;
mod async_result;
mod builder;
mod call;
mod calls;
mod codec;
mod connection;
mod context;
mod entry;
mod fork_guard;
mod forked;
mod imap;
mod manager;
mod map;
mod memory;
mod plain;
mod pool;
mod process;
mod queue;
mod remote_error;
mod shared;
mod shared_slice;
mod start_method;
mod stream;
mod sync;
mod target;
mod thread_pool;

pub use args::Args;
pub use async_result::AsyncResult;
pub use builder::PoolBuilder;
pub use call::{Call, CallMany};
pub use calls::Calls;
pub use codec::Described;
pub use connection::{
    Address, Client, Connection, Listener, Nothing, Receiver, Sender, pipe, pipe_one_way,
};
pub use context::{Context, get_all_start_methods};
pub use fork_guard::allow_fork_with_threads;
pub use imap::{Imap, ImapUnordered};
pub use manager::{ByMut, ByRef, DictProxy, ListProxy, Manager, Method, Namespace, Proxy};
pub use memory::{ListGuard, Shareable, ShareableList, SharedMemory};
pub use plain::Plain;
pub use pool::Pool;
pub use process::Process;
pub use procession_core::authkey::{AuthKey, authkey, set_authkey};
pub use procession_core::info::{ParentProcess, ProcessInfo, current_process, parent_process};
pub use procession_core::pool::{Stats, TaskInfo, WorkerInfo, WorkerState};
pub use procession_core::report::{report, report_on_signal};
pub use procession_core::start::{
    StartMethod, active_children, get_start_method, set_executable, set_start_method,
};
pub use procession_core::worker::{CurrentTask, current_task};
pub use procession_core::{Error, Result};
pub use procession_ipc::segment::Atomic;
pub use procession_macros::{main, test};
pub use queue::{Item, JoinableQueue, Queue, QueueIter, SimpleQueue};
pub use remote_error::RemoteError;
pub use shared::Shared;
pub use shared_slice::SharedSlice;
pub use start_method::set_forkserver_preload;
pub use sync::{
    Array, ArrayGuard, AtomicArray, Barrier, BoundedSemaphore, Condition, ConditionGuard, Event,
    Integer, Lock, LockGuard, Permit, RLock, RLockGuard, RawArray, RawValue, Semaphore, Value,
    ValueGuard,
};
pub use target::{Returned, Target};
pub use thread_pool::{ThreadChunked, ThreadPool, ThreadPoolBuilder};

/// Becomes a worker and never returns, if this process was started as one; returns at once in the
/// program itself.
///
/// Must be the first thing that `main` does: whatever stands before it runs in every worker, too.
/// [`#[procession::main]`](macro@main) does it for you. In tests, use
/// [`#[procession::test]`](macro@test).
pub fn init() {
    procession_core::start::bootstrap::init(&entry::FACE);
}

/// How many processors this process may use: its affinity and its cgroup's quota are minded.
///
/// Python's `os.process_cpu_count()`; what [`Pool::builder`] takes for its number of processes
/// unless told.
pub fn cpu_count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What the macros expand to. Not for use by hand; may change at any time.
#[doc(hidden)]
pub mod __private {
    pub use crate::codec::CodecError;

    /// The body of a `#[procession::main]`.
    pub fn run_main<R>(main: impl FnOnce() -> R) -> R {
        super::init();
        let returned = main();
        // As in Python, the program ends when its processes have.
        procession_core::process::join_detached();
        returned
    }

    /// The first statement of a `#[procession::test]`.
    pub fn enter_test() {
        procession_core::start::bootstrap::init_early(&super::entry::FACE);
    }
}
