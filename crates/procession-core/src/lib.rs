//! The untyped engine of procession: bytes in, outcome out.
//!
//! A face (the Rust facade, later a Python one) gives the engine a code reference and encoded
//! arguments and gets encoded results back. The engine launches workers, schedules tasks on their
//! lanes, watches over them and replaces the dead; it knows no type of the user's.

#![forbid(unsafe_code)]

pub mod attachment;
pub mod authkey;
pub mod error;
pub mod face;
pub mod info;
pub mod limits;
pub mod message;
pub mod payload;
pub mod pool;
pub mod process;
pub mod report;
mod rest;
pub mod start;
pub mod task;
pub mod threads;
pub mod worker;

pub use error::{Error, Result};
