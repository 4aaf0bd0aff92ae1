//! A mapped segment and the only ways to touch it.
//!
//! Another process may write anything into a segment at any moment. No reference to its bytes is
//! ever made: control words are atomics, and so is what users borrow; everything else is copied in or out.

#[cfg(not(loom))]
mod atomic;
#[cfg(not(loom))]
mod mapped;
#[cfg(loom)]
mod model;

#[cfg(not(loom))]
pub use atomic::Atomic;
#[cfg(not(loom))]
pub use mapped::Segment;
#[cfg(loom)]
pub use model::Segment;
#[cfg(all(test, loom))]
pub(crate) use model::{explore, explore_ends, explore_large};
