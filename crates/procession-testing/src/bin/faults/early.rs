//! What breaks before the hello: in what a program does in its children before procession has them. That
//! is, by start method,
//!
//! - `spawn`: what stands in `main` before the call of `init`;
//! - `forkserver`: the function that the template preloads;
//! - `fork`: what was registered to be called in the child of a fork (`pthread_atfork`).

#![allow(unsafe_code)]

use crate::case::{Case, FAULTS, Fault};
use crate::deeds::strike;
use crate::marks::{early_note, folder_of};
use procession::StartMethod;
use std::fs;
use std::os::unix::process::parent_id;

/// Breaks, if this process was spawned to. The first thing in `main`.
pub(crate) fn main_begins() {
    strike_if_told(StartMethod::Spawn);
}

/// Whether this process's parent is a driver. Then it is a child, and one that goes on as the program
/// would be a driver itself, whose children would be drivers.
pub(crate) fn is_child() -> bool {
    folder_of(parent_id()).exists()
}

/// Has the template and what is forked from the driver look whether they are to break.
pub(crate) fn prepare() -> procession::Result<()> {
    procession::set_forkserver_preload(preload)?;
    fs::create_dir_all(folder_of(std::process::id())).expect("a temporary folder can be made");
    // SAFETY: the handler is called in children of a process of one thread, so it may do anything.
    unsafe { libc::pthread_atfork(None, None, Some(forked)) };
    Ok(())
}

fn preload() {
    strike_if_told(StartMethod::ForkServer);
}

extern "C" fn forked() {
    strike_if_told(StartMethod::Fork);
}

fn strike_if_told(method: StartMethod) {
    let note = fs::read_to_string(early_note(parent_id())).unwrap_or_default();
    let told = note.split_once(' ').filter(|(told, _)| *told == method.to_string());
    if let Some((_, name)) = told
        && let Some(fault) = FAULTS.into_iter().find(|fault| format!("{fault:?}") == name)
    {
        strike(fault);
    }
}

/// Children of this process break before their hello for as long as this lives.
#[derive(Debug)]
pub(crate) struct Ambush;

impl Ambush {
    pub(crate) fn new(case: &Case) -> Self {
        let Case { fault, method, .. } = case;
        fs::write(early_note(std::process::id()), format!("{method} {fault:?}"))
            .expect("the folder can be written");
        Self
    }
}

impl Drop for Ambush {
    fn drop(&mut self) {
        fs::remove_file(early_note(std::process::id())).expect("the note is ours");
    }
}

/// Whether what breaks early is told of in text alone.
pub(crate) fn is_caught(method: StartMethod, fault: Fault) -> bool {
    method == StartMethod::ForkServer && fault.panics()
}
