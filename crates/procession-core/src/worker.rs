//! The child's side: the loop that runs tasks, and what surrounds it.

mod bulk;
mod control;
mod pace;
mod panic_hook;
mod run;

pub(crate) use run::run;
