//! The one door to atomics: std's, or loom's under `--cfg loom`.

#[cfg(loom)]
pub(crate) mod mortal;

/// Loom's own, of which a model's are made.
#[cfg(loom)]
mod endless {
    pub(super) use loom::sync::atomic::{AtomicU32, AtomicU64};
}

#[cfg(loom)]
pub use loom::sync::atomic::{Ordering, fence};
#[cfg(loom)]
pub use mortal::{AtomicU32, AtomicU64};

/// Those that only users want.
#[cfg(not(loom))]
pub use std::sync::atomic::{
    AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicUsize,
};
#[cfg(not(loom))]
pub use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Tells the processor that this thread spins.
#[inline]
pub fn spin_hint() {
    #[cfg(loom)]
    loom::thread::yield_now();
    #[cfg(not(loom))]
    std::hint::spin_loop();
}
