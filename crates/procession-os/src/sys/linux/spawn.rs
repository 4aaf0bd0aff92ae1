//! Starting a process by a clone that shares this process's memory until it executes, at the price of a
//! vfork: no page table is copied, however large this process is.
//!
//! `posix_spawn` does the same, but cannot have the child die with its parent. A child that sees to that
//! itself, when it has executed, may be stopped before it comes to it, or be held up by what the program
//! does first, and then it outlives its parent.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::retry_on_intr;
use rustix::process::{Pid, WaitOptions, waitpid};

use super::leash::Tether;
use super::newborn::{self, Newborn};
use super::signal::Blocked;
use super::wait;
use crate::process::Launch;

/// Bytes of the stack that a child has until it executes, in words that are aligned as stacks are. It
/// makes a handful of calls.
const STACK_WORDS: usize = 64 * 1024 / size_of::<u128>();

/// All that a child is made of, save its executable.
pub(super) struct Spawn<'a> {
    arguments: Strings,
    environment: Strings,
    launch: &'a Launch<'a>,
}

impl<'a> Spawn<'a> {
    pub(super) fn new(launch: &'a Launch<'a>) -> io::Result<Spawn<'a>> {
        Ok(Spawn {
            arguments: arguments(launch.arguments)?,
            environment: environment(launch.variables)?,
            launch,
        })
    }

    pub(super) fn run(&self, executable: &Path) -> io::Result<Pid> {
        let executable = c_string(executable.as_os_str())?;
        let mut stack = Box::<[u128]>::new_uninit_slice(STACK_WORDS);
        // Handlers of this process must not run in the child, which has its memory; nor in this thread,
        // whose `errno` the child shares.
        let blocked = Blocked::all()?;
        let mut newborn = Newborn {
            executable: executable.as_ptr(),
            arguments: self.arguments.pointers.as_ptr().cast(),
            environment: self.environment.pointers.as_ptr().cast(),
            inherited: self.launch.control.0.descriptor(),
            parent: std::process::id().cast_signed(),
            // What the calling thread has blocked, and SIGINT.
            mask: blocked.before_and(libc::SIGINT)?,
            error: 0,
        };
        let lives = AtomicU32::new(1);
        let pid = clone(&mut newborn, &mut stack, &lives)?;
        // It may be stopped before it does anything, for as long as this process lives.
        let tether = Tether::new(pid.as_raw_pid().cast_unsigned());
        while lives.load(Ordering::Acquire) != 0 {
            let _ = wait::wait(&lives, 1, None);
        }
        drop((tether, blocked));
        if newborn.error == 0 {
            return Ok(pid);
        }
        // It has ended. If something else in this program has collected its status there is nothing to
        // collect.
        let _reaped = retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()));
        Err(io::Error::from_raw_os_error(newborn.error))
    }
}

/// Has a child live. It shares this process's memory until `lives` is 0: then it has executed another image,
/// or has ended. The kernel says so, however it ended. The caller waits for that before it touches any of
/// the three again, or lets them go.
fn clone(
    newborn: &mut Newborn,
    stack: &mut [MaybeUninit<u128>],
    lives: &AtomicU32,
) -> io::Result<Pid> {
    let flags = libc::CLONE_VM | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
    let top = stack.as_mut_ptr_range().end;
    let none = ptr::null_mut::<libc::c_void>();
    // SAFETY: the child runs on a stack of its own, which it has to itself, and with a value that
    // nobody else touches while it shares this process's memory, as the caller sees to; the word that the
    // kernel clears (`CLONE_CHILD_CLEARTID`) lives as long. What the child does is allowed to a process
    // that shares this one's memory: see there. All signals are blocked, so no handler runs in it.
    let pid = unsafe {
        let newborn = ptr::from_mut(newborn).cast();
        libc::clone(newborn::live, top.cast(), flags, newborn, none, none, lives.as_ptr())
    };
    if pid == -1 {
        return Err(io::Error::last_os_error());
    }
    Pid::from_raw(pid).ok_or_else(|| io::Error::other("a child was given no process id"))
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
