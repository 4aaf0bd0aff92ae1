//! A worker that goes mad, and honest ones beside it.
//!
//! [`Arena`] runs rounds on one pool. In each a task [goes mad](mad): it spoils all the shared memory that
//! its process can write, with random bytes and with such as look right, and says random things on its
//! control channel, at one moment or another, by itself or in a thread that goes on. Meanwhile two threads
//! have honest work done by the same pool. What must hold of a round:
//!
//! - the mad task has one outcome, of whatever kind;
//! - every honest result that comes is right, and one that does not come was lost with a mad worker;
//! - a worker that spoke nonsense is gone, and the pool has as many workers as before;
//! - the parent neither panics nor hangs, nor holds more at the end than at the beginning.
//!
//! What a worker computes once it is mad is its own affair: an honest task that finds itself in such a
//! process ends it. So is what it had computed and nobody had taken yet: before it goes mad it waits until
//! its ring is empty, and it spares the segments that carry honest results.

mod arena;
mod book;
mod channel;
mod honest;
mod lane;
mod madness;
mod memory;

pub use arena::{Arena, Tally};
pub use madness::{mad, mad_large};
