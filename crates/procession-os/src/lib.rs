//! Operating-system capabilities behind `procession`, each with one portable face.
//!
//! Everything that differs between systems is in this crate: the layers above it contain no
//! `cfg(target_os)` and no raw call. A capability is a module of this crate; it owns the types, the
//! documentation and the checks of arguments, and leaves the calls themselves to one file per
//! system under `sys/`.
//!
//! | module | capability |
//! |---|---|
//! | [`memory`] | anonymous shared memory of a size that nobody can change |
//! | [`frozen`] | shared memory that never changes again |
//! | [`heap`] | private memory in large blocks, at less cost |
//! | [`wait`] | sleeping on a word and waking its sleepers, across processes |
//! | [`clock`] | a clock that all processes read alike, at next to no cost |
//! | [`control`] | whole messages with handles attached, between parent and worker |
//! | [`name`] | a name under which processes of one user get a handle |
//! | [`process`] | launching a worker, signalling it, collecting its status |
//! | [`life`] | words in shared memory that tell whether the process that holds them lives |
//! | [`leash`] | ending a process with the one that holds its leash |
//! | [`copy`] | copying a process, and taking charge of the copy |
//! | [`own_thread`] | threads of the library's own, which a fork finds at rest |
//! | [`limits`] | what a process may use: memory, processors, niceness; and what it does use |
//! | [`stream`] | streams of bytes between processes that need not be related |
//! | [`surroundings`] | environment, working folder, streams and resource limits, for a copy of an older process |
//! | [`exit_watch`] | one thread that learns of the end of many workers |
//! | [`image`] | which executable is this, and does an address belong to its code |
//! | [`signal`] | names of signals, the dispositions a worker wants, and waiting for one |
//! | [`handle`] | the system's owned and borrowed handles |
//! | [`early`] | running a function before `main` |
//!
//! # What a platform file owes
//!
//! `sys/linux` needs Linux 5.4 (`waitid` on a pidfd); from 5.16 on, [`wait::wait_any`] sleeps on
//! all its words at once. `sys/unsupported` compiles everywhere and refuses everything with
//! [`std::io::ErrorKind::Unsupported`], so that a port starts from a build that works. A platform
//! is a folder with these files and these names in them; `contract.rs` holds every platform to
//! the signatures.
//!
//! | file | types | functions |
//! |---|---|---|
//! | `memory` | `Memory`, `Mapping` | `Memory::{create, accept, bytes, map, map_with_marks, handle}`, `Mapping::{as_ptr, len, give_back, has_marks}`; `Mapping` unmaps on drop |
//! | `frozen` | `Frozen` | `Frozen::{create, accept, as_slice, handle}`; `Frozen` unmaps on drop |
//! | `heap` | | `will_be_filled`, `keep_freed_blocks`, `has_room` |
//! | `wait` | | `WORDS_MAX`, `wait`, `wait_any`, `wake_one`, `wake_all` |
//! | `clock` | | `coarse_ns` |
//! | `control` | `Control` | `Control::{pair, send, recv, wait, handle, from_handle, inherit_token, from_inherited}` |
//! | `name` | `Claim`, `Asker` | `Claim::{new, next}`, `Asker::answer`, `ask` |
//! | `process` | `Child` | `launch`, `bind_life_to_parent`, `set_name`, `parent_pid`, `exit_now`, `Child::{pid, signal, wait, try_reap}` |
//! | `leash` | `Hold` | `pair`, `lend`, `wear` |
//! | `life` | | `epoch`, `is_alive`, `is_free`, `prepare_to_sleep`, `take`, `announce`, `leave` |
//! | `limits` | `OwnMemory` | `processors`, `run_on`, `set_niceness`, `limit_memory`, `private_bytes_of`, `OwnMemory::{open, private_bytes}` |
//! | `copy` | | `thread_count`, `prepare`, `fork_sibling`, `fork`, `flush`, `adopt`, `children_named` |
//! | `stream` | `Stream`, `StreamListener` | `Stream::{connect, set_read_timeout, set_write_timeout, shut_down, read, write}`, `StreamListener::{bind, accept}` |
//! | `surroundings` | `Folder`, `Owner` | `Folder::current`, `Owner::current`, `open_folder`, `lend`, `enter`, `streams`, `replace_stream`, `limits`, `set_limit`, `bytes_of`, `string_of`, `set_variables` |
//! | `exit_watch` | `Watcher` | `Watcher::{new, add, add_control, add_claim, remove, remove_control, remove_claim, wait, wake}` |
//! | `image` | | `image_of` |
//! | `signal` | `Arrivals` | `KILL`, `TERMINATE`, `name_and_meaning`, `prepare_worker`, `Arrivals::{of, wait}` |
//!
//! # Forced fallback
//!
//! `--cfg procession_force_portable_wait` replaces the wait words of any platform by the polling
//! ones of `sys/unsupported/wait.rs`, so that they run on a developer's machine too.

pub mod clock;
pub mod control;
pub mod copy;
pub mod early;
pub mod exit_watch;
pub mod frozen;
pub mod handle;
pub mod heap;
pub mod image;
pub mod leash;
pub mod life;
pub mod limits;
pub mod memory;
pub mod name;
pub mod own_thread;
pub mod process;
pub mod signal;
pub mod stream;
pub mod surroundings;
pub mod wait;

#[cfg_attr(target_os = "linux", path = "sys/linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "sys/unsupported/mod.rs")]
mod sys;

/// The fallback, compiled into every test build so that it cannot rot.
#[cfg(test)]
#[path = "sys/unsupported/mod.rs"]
#[allow(
    clippy::duplicate_mod,
    reason = "a forced fallback makes one of its files part of the platform too"
)]
mod sys_unsupported;

#[cfg(test)]
mod contract;
