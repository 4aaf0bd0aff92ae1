//! One call of `posix_spawn`, which starts a process at the price of a vfork: no page table is
//! copied, however large this process is.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::ptr;

use rustix::process::Pid;

use super::signal::{self, result_of};
use crate::process::Launch;

/// All that a child is made of, save its executable.
pub(super) struct Spawn {
    arguments: Strings,
    environment: Strings,
    actions: FileActions,
    attributes: Attributes,
}

impl Spawn {
    pub(super) fn new(launch: &Launch<'_>) -> io::Result<Spawn> {
        let mut actions = FileActions::new()?;
        actions.inherit(launch.control.0.descriptor())?;
        Ok(Spawn {
            arguments: arguments(launch.arguments)?,
            environment: environment(launch.variables)?,
            actions,
            attributes: Attributes::new()?,
        })
    }

    pub(super) fn run(&self, executable: &Path) -> io::Result<Pid> {
        let executable = c_string(executable.as_os_str())?;
        let mut pid = 0;
        // SAFETY: the path is a string that ends in NUL; actions and attributes are initialized;
        // both lists are of such strings and end in null, and none of them is written to, though
        // the signature would allow that. All of it outlives the call.
        let error = unsafe {
            libc::posix_spawn(
                &raw mut pid,
                executable.as_ptr(),
                &raw const self.actions.0,
                &raw const self.attributes.0,
                self.arguments.pointers.as_ptr(),
                self.environment.pointers.as_ptr(),
            )
        };
        result_of(error)?;
        Pid::from_raw(pid).ok_or_else(|| io::Error::other("a child was given no process id"))
    }
}

/// This program's name, which programs may look at, and what the launch adds.
fn arguments(arguments: &[OsString]) -> io::Result<Strings> {
    let name = std::env::args_os().next().unwrap_or_default();
    let strings = std::iter::once(&name).chain(arguments);
    Ok(Strings::new(strings.map(|argument| c_string(argument)).collect::<io::Result<_>>()?))
}

/// This process's environment with the changes applied.
fn environment(changes: &[(OsString, Option<OsString>)]) -> io::Result<Strings> {
    let mut variables: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    for (name, value) in changes {
        if name.is_empty() || name.as_bytes().contains(&b'=') {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{name:?} cannot be the name of an environment variable"),
            ));
        }
        variables.retain(|(existing, _)| existing != name);
        if let Some(value) = value {
            variables.push((name.clone(), value.clone()));
        }
    }
    let strings = variables.into_iter().map(|(mut variable, value)| {
        variable.push("=");
        variable.push(value);
        Ok(CString::new(variable.into_vec())?)
    });
    Ok(Strings::new(strings.collect::<io::Result<_>>()?))
}

fn c_string(string: &OsStr) -> io::Result<CString> {
    Ok(CString::new(string.as_bytes())?)
}

/// A list of strings as C wants it.
struct Strings {
    /// Points at the strings below, whose bytes do not move with this value; null is the last.
    pointers: Vec<*mut libc::c_char>,
    _strings: Vec<CString>,
}

impl Strings {
    fn new(strings: Vec<CString>) -> Strings {
        let pointers = strings.iter().map(|string| string.as_ptr().cast_mut());
        Strings { pointers: pointers.chain([ptr::null_mut()]).collect(), _strings: strings }
    }
}

/// What the child does with descriptors before it executes.
struct FileActions(libc::posix_spawn_file_actions_t);

impl FileActions {
    fn new() -> io::Result<FileActions> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: there is room for the actions.
        let error = unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) };
        result_of(error)?;
        // SAFETY: the call succeeded, so it has initialized them. They hold no pointer to
        // themselves and may be moved.
        Ok(FileActions(unsafe { actions.assume_init() }))
    }

    /// Has the child keep a descriptor. Duplicating one onto itself does nothing but clear its
    /// close-on-exec flag, in the child alone, so that no other child launched meanwhile gets it.
    fn inherit(&mut self, descriptor: RawFd) -> io::Result<()> {
        // SAFETY: the actions are initialized; the descriptor is not used before the spawn.
        let error = unsafe {
            libc::posix_spawn_file_actions_adddup2(&raw mut self.0, descriptor, descriptor)
        };
        result_of(error)
    }
}

impl Drop for FileActions {
    fn drop(&mut self) {
        // SAFETY: the actions are initialized and not used again. The call does not fail then.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

/// What the child's signals are like when it executes.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new() -> io::Result<Attributes> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: there is room for the attributes.
        let error = unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) };
        result_of(error)?;
        // SAFETY: the call succeeded, so it has initialized them. They hold no pointer to
        // themselves and may be moved.
        let mut attributes = Attributes(unsafe { attributes.assume_init() });
        attributes.block_interrupt()?;
        attributes.reset_broken_pipe()?;
        attributes.apply(libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF)?;
        Ok(attributes)
    }

    /// The child gets the calling thread's mask with SIGINT added.
    fn block_interrupt(&mut self) -> io::Result<()> {
        let mut mask = signal::mask()?;
        signal::insert(&mut mask, libc::SIGINT)?;
        // SAFETY: the attributes and the mask are initialized; the mask is copied.
        let error = unsafe { libc::posix_spawnattr_setsigmask(&raw mut self.0, &raw const mask) };
        result_of(error)
    }

    /// Rust programs ignore SIGPIPE, which an executable that is no worker need not expect.
    fn reset_broken_pipe(&mut self) -> io::Result<()> {
        let set = signal::set_of(libc::SIGPIPE)?;
        // SAFETY: the attributes and the set are initialized; the set is copied.
        let error = unsafe { libc::posix_spawnattr_setsigdefault(&raw mut self.0, &raw const set) };
        result_of(error)
    }

    fn apply(&mut self, flags: i32) -> io::Result<()> {
        let flags = libc::c_short::try_from(flags).map_err(io::Error::other)?;
        // SAFETY: the attributes are initialized.
        let error = unsafe { libc::posix_spawnattr_setflags(&raw mut self.0, flags) };
        result_of(error)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: the attributes are initialized and not used again. The call does not fail then.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}
