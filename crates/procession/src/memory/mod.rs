//! Memory that processes have in common, with or without a name, and what lies in it.

mod list;
mod named;
mod shareable;
mod shared_memory;

pub use list::{ListGuard, ShareableList};
pub use shareable::Shareable;
pub use shared_memory::SharedMemory;
