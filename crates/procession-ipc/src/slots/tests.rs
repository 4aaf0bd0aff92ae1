//! Values are whole, rooms are minded, and tables that lie are found out.

#[cfg(loom)]
mod models;
#[cfg(not(loom))]
mod plain;
