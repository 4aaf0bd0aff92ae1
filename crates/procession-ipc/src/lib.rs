//! Shared-memory building blocks of procession.
//!
//! A [`lane`] links the parent to one worker thread: two segments, each written by one side only,
//! with a [`ring`] of frames in either direction, [`doorbell`]s to wake a side that sleeps, and a
//! [`claim`] table by which an unstarted task is taken back. Everything a peer wrote is untrusted
//! input: it is copied out, bound-checked and only then looked at.
//!
//! All atomics come through [`primitive`], so the protocols run under loom (`--cfg loom`).

#![deny(unsafe_code)]

#[cfg(not(loom))]
pub mod bulk;
pub mod claim;
pub mod doorbell;
pub mod frame;
#[cfg(all(any(test, feature = "fuzz"), not(loom)))]
#[doc(hidden)]
pub mod fuzz;
#[cfg(not(loom))]
pub mod lane;
pub mod layout;
pub mod pipe;
pub mod primitive;
pub mod queue;
pub mod ring;
pub mod roster;
pub mod segment;
pub mod slots;
pub mod spin;
// Some words of the lane are protocols of their own.
#[cfg(all(test, loom))]
#[path = "lane/release.rs"]
mod release;
#[cfg(all(test, loom))]
#[expect(unreachable_pub, reason = "it is reached as a part of the lane")]
#[path = "lane/stop.rs"]
mod stop;
pub mod sync;
#[cfg(all(test, not(loom)))]
mod test_random;
