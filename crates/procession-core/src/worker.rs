//! The child's side: the loop that runs tasks, and what surrounds it.

mod bulk;
mod chunk;
mod control;
mod current;
mod fitness;
mod pace;
pub(crate) mod panic_hook;
mod respond;
mod run;

pub use current::{CurrentTask, current_task};
pub(crate) use current::{as_thread_item, as_thread_task};
pub use panic_hook::catch as catch_panic;
pub(crate) use run::run;
