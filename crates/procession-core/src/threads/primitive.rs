//! What `sleep` is made of. `procession-models` puts loom's in the place of these.

pub(super) use parking_lot::Mutex;
pub(super) use std::sync::OnceLock;
pub(super) use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
pub(super) use std::thread::{Thread, current as current_thread, park};
