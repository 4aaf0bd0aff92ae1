//! Who this process is.

use crate::error::{Error, Result};
use parking_lot::Mutex;

/// Facts about a process of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInfo {
    name: String,
    pid: u32,
    parent_pid: Option<u32>,
}

static CHILD: Mutex<Option<ProcessInfo>> = Mutex::new(None);

impl ProcessInfo {
    /// The name: `MainProcess` for the program itself, else what its parent named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A child of this process.
    pub(crate) fn of_child(name: &str, pid: u32) -> Self {
        Self { name: name.to_owned(), pid, parent_pid: Some(std::process::id()) }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The parent's process id; `None` in the main process, which no `Process` or `Pool` started.
    pub fn parent_pid(&self) -> Option<u32> {
        self.parent_pid
    }
}

/// Longest name of a worker or a process: it goes along with each child, and into each error.
const NAME_BYTES_MAX: usize = 4096;

/// Checks a name that a user has given.
///
/// # Errors
/// When it is none that a thread or a process can have.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.len() > NAME_BYTES_MAX {
        let bytes = name.len();
        return Err(Error::usage(format!(
            "a name of {bytes} bytes is longer than a name may be: {NAME_BYTES_MAX} bytes"
        )));
    }
    match name.find('\0') {
        Some(at) => Err(Error::usage(format!("the name {name:?} has a NUL at byte {at}"))),
        None => Ok(()),
    }
}

/// The process that has started this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentProcess {
    name: String,
    pid: u32,
}

static PARENT: Mutex<Option<ParentProcess>> = Mutex::new(None);

impl ParentProcess {
    /// Its name: `MainProcess`, if it is the program itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it lives. When it ends this process does, too, so there is little time to see that it does not.
    pub fn is_alive(&self) -> bool {
        procession_os::process::parent_pid() == self.pid
    }
}

/// The process that has started this one; `None` in the main process. (`parent_process`.)
pub fn parent_process() -> Option<ParentProcess> {
    PARENT.lock().clone()
}

/// Declares this process a child of the given name, of a process of that name.
pub(crate) fn become_child_of(name: String, parent: String) {
    *PARENT.lock() =
        Some(ParentProcess { name: parent, pid: procession_os::process::parent_pid() });
    become_child(name);
}

/// Declares this process a child of the given name. A copy of one declares itself anew.
pub(crate) fn become_child(name: String) {
    *CHILD.lock() = Some(ProcessInfo {
        name,
        pid: std::process::id(),
        parent_pid: Some(procession_os::process::parent_pid()),
    });
}

/// Facts about this process.
pub fn current_process() -> ProcessInfo {
    CHILD.lock().clone().unwrap_or_else(|| ProcessInfo {
        name: "MainProcess".into(),
        pid: std::process::id(),
        parent_pid: None,
    })
}
