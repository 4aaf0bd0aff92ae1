//! How long a process of a model lives.

use super::{LIFE, Life, Vanished};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, OnceLock};

/// How long a process of a model lives.
#[derive(Debug, Clone)]
pub(crate) struct Fate {
    stores: usize,
    /// In some interleaving it did not come to its end.
    has_struck: Arc<OnceLock<()>>,
}

impl Fate {
    /// After so many stores.
    pub(crate) fn after(stores: usize) -> Self {
        Self { stores, has_struck: Arc::default() }
    }

    /// After how many.
    pub(crate) fn stores(&self) -> usize {
        self.stores
    }

    /// Whether it has struck.
    pub(crate) fn has_struck(&self) -> bool {
        self.has_struck.get().is_some()
    }

    /// Plays a part of a process; `None` if it vanishes before its end. Then, too, `end` is called: what the
    /// system does.
    pub(crate) fn live<T>(&self, part: impl FnOnce() -> T, end: impl FnOnce()) -> Option<T> {
        let played = if self.stores == 0 {
            None
        } else {
            LIFE.with(|life| life.set(Life::Left(self.stores)));
            let played = catch_unwind(AssertUnwindSafe(part));
            LIFE.with(|life| life.set(Life::Endless));
            match played {
                Ok(played) => Some(played),
                Err(payload) if payload.is::<Vanished>() => None,
                Err(payload) => resume_unwind(payload),
            }
        };
        if played.is_none() {
            self.has_struck.get_or_init(|| ());
            end();
        }
        played
    }
}
