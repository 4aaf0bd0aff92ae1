//! What the tests of procession share: a watchdog, leak checks, waiting for conditions, and helper
//! programs (in `src/bin`) that are killed, interrupted or wrongly written on purpose.

mod alarm;
mod children;
mod future;
mod harness;
pub mod hostile;
mod layout;
mod leaks;
mod program;
mod random;
mod signals;
mod watchdog;

pub use alarm::{Alarm, leave_no_cores};
pub use children::{children, children_of, is_alive, state_of};
pub use future::block_on;
pub use harness::{Harness, by, wait_for};
pub use layout::Layout;
pub use leaks::Leaks;
pub use program::Program;
pub use random::Random;
pub use signals::{send, trace};
pub use watchdog::Watchdog;
