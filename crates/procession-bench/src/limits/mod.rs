//! What the machine can do: raw code without a library between it and the kernel.

pub(crate) mod copy;
pub(crate) mod exchange;
pub(crate) mod fork;
pub(crate) mod futex;
pub(crate) mod idle;
pub(crate) mod memory;
pub(crate) mod ring;
pub(crate) mod shared;
pub(crate) mod socket;
pub(crate) mod spin;
pub(crate) mod start;
pub(crate) mod threads;
