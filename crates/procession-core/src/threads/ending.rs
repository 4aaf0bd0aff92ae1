//! Asking the chunks of a map that threads have begun to end, for the map was cancelled.
//!
//! A flag that says that no item is to be begun is read before each; another, that what runs is to stop, by
//! items that care to. Both are only ever raised, and protect nothing else: who reads an old value reads
//! the new one a little later. How many items a thread has not begun of its chunk is a hint for whoever
//! cancels.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whether chunks are to end.
#[derive(Debug, Default)]
pub(super) struct Ending {
    begins_no_more: AtomicBool,
    stops: Arc<AtomicBool>,
}

impl Ending {
    /// Has no item begin from now on.
    pub(super) fn begin_no_more(&self) {
        self.begins_no_more.store(true, Ordering::Relaxed);
    }

    /// Asks the items that run to stop.
    pub(super) fn stop(&self) {
        self.stops.store(true, Ordering::Relaxed);
    }

    /// Whether no item is to be begun.
    #[inline]
    pub(super) fn is_asked(&self) -> bool {
        self.begins_no_more.load(Ordering::Relaxed)
    }

    /// Where items see that they should stop.
    pub(super) fn stops(&self) -> &Arc<AtomicBool> {
        &self.stops
    }
}

/// How many items of a chunk its thread has not begun.
#[derive(Debug, Clone)]
pub(super) struct Left(Arc<AtomicU64>);

impl Left {
    pub(super) fn new(count: usize) -> Self {
        Self(Arc::new(AtomicU64::new(count as u64)))
    }

    #[inline]
    pub(super) fn set(&self, count: usize) {
        self.0.store(count as u64, Ordering::Relaxed);
    }

    pub(super) fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
