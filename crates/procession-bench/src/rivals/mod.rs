//! What else there is for the same work.

pub(crate) mod command;
pub(crate) mod crossbeam;
pub(crate) mod ipc_channel;
pub(crate) mod procspawn;
pub(crate) mod python;
pub(crate) mod rayon;
