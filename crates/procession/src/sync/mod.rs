//! What processes take turns by, wait for each other with, and have in common.

mod array;
mod atomic_array;
mod barrier;
mod condition;
mod event;
mod lock;
pub(crate) mod place;
mod rlock;
mod semaphore;
mod value;

pub use array::{Array, ArrayGuard, RawArray};
pub use atomic_array::AtomicArray;
pub use barrier::Barrier;
pub use condition::{Condition, ConditionGuard};
pub use event::Event;
pub use lock::{Lock, LockGuard};
pub use rlock::{RLock, RLockGuard};
pub use semaphore::{BoundedSemaphore, Permit, Semaphore};
pub use value::{Integer, RawValue, Value, ValueGuard};
