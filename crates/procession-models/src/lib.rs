//! Protocols of `procession-core` under loom: without `--cfg loom` there is nothing here.
//!
//! The engine as a whole cannot be built with loom's threads and atomics, since it starts processes.
//! So this crate takes single files of it, by path, and gives them loom's primitives under the names
//! that they use.

#[cfg(all(test, loom))]
mod threads;
