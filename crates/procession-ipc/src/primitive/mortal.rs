//! Processes of a model that vanish: after each of their stores, one exploration after another.
//!
//! A thread of a model [plays](Fate::live) a process that has so many stores to live. After the last one it
//! does nothing more that anybody sees: it is unwound, and what is dropped on the way finds every word 0 and
//! stores nothing. Then what the system does at the end of a process is done.

#[cfg(test)]
mod fate;

use super::{Ordering, endless};
use std::cell::Cell;
use std::panic::resume_unwind;

#[cfg(test)]
pub(crate) use fate::Fate;

/// What this thread has to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Endless,
    /// So many stores.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests have processes that vanish"))]
    Left(usize),
    Over,
}

loom::thread_local! {
    static LIFE: Cell<Life> = Cell::new(Life::Endless);
}

/// What unwinds a process that vanishes.
struct Vanished;

/// Whether this thread's process has vanished.
pub(crate) fn is_over() -> bool {
    LIFE.with(|life| life.get() == Life::Over)
}

/// Something was stored that others may see.
pub(crate) fn stored() {
    let is_last = LIFE.with(|life| match life.get() {
        Life::Left(1) => {
            life.set(Life::Over);
            true
        }
        Life::Left(left) => {
            life.set(Life::Left(left - 1));
            false
        }
        Life::Endless | Life::Over => false,
    });
    if is_last {
        resume_unwind(Box::new(Vanished));
    }
}

macro_rules! mortal {
    ($name:ident, $inner:ident, $number:ty) => {
        /// An atomic of a model, which one that has vanished does not touch.
        #[derive(Debug)]
        pub struct $name(endless::$inner);

        impl $name {
            /// One with this value.
            pub fn new(value: $number) -> Self {
                Self(endless::$inner::new(value))
            }

            /// As the standard library's.
            pub fn load(&self, order: Ordering) -> $number {
                if is_over() { 0 } else { self.0.load(order) }
            }

            /// As the standard library's.
            pub fn store(&self, value: $number, order: Ordering) {
                if !is_over() {
                    self.0.store(value, order);
                    stored();
                }
            }

            /// As the standard library's.
            pub fn swap(&self, value: $number, order: Ordering) -> $number {
                self.change(|inner| inner.swap(value, order))
            }

            /// As the standard library's.
            pub fn fetch_add(&self, value: $number, order: Ordering) -> $number {
                self.change(|inner| inner.fetch_add(value, order))
            }

            /// As the standard library's.
            pub fn fetch_or(&self, value: $number, order: Ordering) -> $number {
                self.change(|inner| inner.fetch_or(value, order))
            }

            fn change(&self, change: impl FnOnce(&endless::$inner) -> $number) -> $number {
                if is_over() {
                    return 0;
                }
                let before = change(&self.0);
                stored();
                before
            }

            /// As the standard library's.
            ///
            /// # Errors
            /// With the value, if it is another than `current`.
            pub fn compare_exchange(
                &self,
                current: $number,
                new: $number,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$number, $number> {
                if is_over() {
                    return Ok(current);
                }
                let before = self.0.compare_exchange(current, new, success, failure)?;
                stored();
                Ok(before)
            }
        }
    };
}

mortal!(AtomicU32, AtomicU32, u32);
mortal!(AtomicU64, AtomicU64, u64);
