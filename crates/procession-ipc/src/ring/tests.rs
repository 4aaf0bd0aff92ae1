//! The ring, modelled under loom and with random bytes elsewhere.

#[cfg(loom)]
mod models;
#[cfg(not(loom))]
mod random;
