//! Forking the program itself, on the thread that asks for it.

use super::bootstrap;
use super::launcher::{self, Errand, OnExit};
use super::template::{Origin, Template};
use crate::error::{Error, Result};
use procession_os::control::Control;
use procession_os::copy::{self, Copied};
use procession_os::leash::{Hold, Leash};
use procession_os::process::Child;
use procession_os::surroundings::Surroundings;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the templates that are copies.
static COPIES: AtomicU64 = AtomicU64::new(0);

/// A template that is a copy of the program as it was at one moment. It ends when the last of its
/// children's owners lets go of it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    number: u64,
}

impl Snapshot {
    /// Copies the program as it is now. In the copy, and in its copies, this does not return.
    ///
    /// # Errors
    /// When the program has threads, or the system cannot make a process.
    pub(crate) fn take() -> Result<Arc<Self>> {
        bootstrap::require_parent()?;
        launcher::require()?;
        let number = COPIES.fetch_add(1, Ordering::Relaxed) + 1;
        let template = Self::fork(number).map_err(cannot)?;
        launcher::send(Errand::Adopt(Box::new(template)))?;
        Ok(Arc::new(Self { number }))
    }

    fn fork(number: u64) -> io::Result<Template> {
        let (control, childs_end) = Control::pair()?;
        let (hold, leash) = Leash::pair()?;
        let baseline = Surroundings::now();
        match copy::fork(&childs_end, &hold, leash)? {
            Copied::Copy => bootstrap::become_template_copy(childs_end),
            Copied::Original(pid) => {
                let (origin, child) = (Origin::Copy(number), copy::adopt(pid)?);
                Ok(Template::new(origin, child, control, hold, baseline))
            }
        }
    }

    /// Which of them it is.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        // Without a launcher there is no template either.
        let _ = launcher::send(Errand::Dismiss(self.number));
    }
}

/// Forks a child with this end of its control channel, on a leash of which this process has the other end.
/// In the child this does not return.
pub(super) fn fork_child(
    childs_end: Control,
    hold: &Hold,
    leash: Leash,
    on_exit: OnExit,
) -> Result<Arc<Child>> {
    launcher::require()?;
    let child = match copy::fork(&childs_end, hold, leash).map_err(cannot)? {
        Copied::Copy => bootstrap::become_copy(childs_end),
        Copied::Original(pid) => Arc::new(copy::adopt(pid).map_err(cannot)?),
    };
    let (keep, kept) = std::sync::mpsc::channel();
    launcher::send(Errand::Keep { child: child.clone(), on_exit, reply: keep })?;
    match kept.recv() {
        Ok(Ok(())) => Ok(child),
        Ok(Err(error)) => Err(cannot(error)),
        Err(_) => Err(launcher::gone()),
    }
}

fn cannot(source: io::Error) -> Error {
    // What is not the system's is the guard's.
    let what = match source.raw_os_error() {
        Some(_) => "cannot fork the program",
        None => {
            "cannot fork the program (the start methods spawn and forkserver work with threads, too; \
             `allow_fork_with_threads` lifts the guard)"
        }
    };
    Error::system(what, source)
}
