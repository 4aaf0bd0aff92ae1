//! What the capabilities of this crate promise, checked from outside.
//!
//! Children are this very binary: with a role in the environment it plays that role before `main`
//! and ends, so that the test harness never runs in a child.

#![cfg(target_os = "linux")]

mod control;
mod copy;
mod exit_watch;
mod frozen;
mod image;
mod life;
mod limits;
mod memory;
mod name;
mod process;
mod roles;
mod signal;
mod support;
mod wait;

procession_os::before_main!(roles::play);
