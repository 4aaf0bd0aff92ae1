//! Items in order, whoever puts, takes and dies.

#[cfg(loom)]
mod models;
#[cfg(not(loom))]
mod real;
