//! Linux, from 5.4 on.

pub(crate) mod clock;
pub(crate) mod control;
pub(crate) mod copy;
mod descriptor;
pub(crate) mod exit_watch;
pub(crate) mod frozen;
pub(crate) mod heap;
pub(crate) mod image;
mod inherited;
pub(crate) mod leash;
pub(crate) mod life;
pub(crate) mod limits;
pub(crate) mod memory;
pub(crate) mod name;
mod newborn;
mod notes;
pub(crate) mod process;
pub(crate) mod signal;
mod spawn;
pub(crate) mod stream;
pub(crate) mod surroundings;
#[cfg_attr(procession_force_portable_wait, path = "../unsupported/wait.rs")]
pub(crate) mod wait;
