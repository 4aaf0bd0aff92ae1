//! The child's side: the loop that runs tasks, and what surrounds it.

mod bulk;
mod chunk;
mod control;
mod pace;
pub(crate) mod panic_hook;
mod respond;
mod run;

pub(crate) use run::run;
