//! How children are made.

use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::fmt;
use std::str::FromStr;

/// How children are made, by Python's names. (`multiprocessing.set_start_method`.)
///
/// Functions, arguments and results are the same for all. What a child may rely on is the same
/// under [`Spawn`](Self::Spawn) and [`ForkServer`](Self::ForkServer): it is a fresh process of the
/// program that has not run its `main`, with the environment, the working folder and the standard
/// streams that the program had when it started the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StartMethod {
    /// The program's executable is run again. `spawn` in text.
    Spawn,
    /// A *template*, one process of the program that has a single thread and is started like any
    /// child, is forked for each child: a start at the price of a fork, also when the program has
    /// threads. `forkserver` in text.
    ///
    /// Children have the template's umask, limits, priority, credentials, signal mask and descriptors
    /// that survive an exec: those that the program had when the template was started. Functions that
    /// were registered to run at a fork (`pthread_atfork`) do not run.
    ForkServer,
    /// The program itself is forked: a child has copies of all its memory and of its open files, with
    /// all that it had done. So a closure that captures can run in it (`Process::fork`). The children
    /// of a pool, replacements of dead ones included, are copies of the program as it was when the
    /// pool was made. `fork` in text.
    ///
    /// Unix only. Refused when the program has threads other than the calling one and procession's
    /// own, for what they hold would stay locked in the child for ever; an `unsafe` call lifts that.
    /// Pools, processes and results of the program are of no use in the child. It exits without
    /// running destructors, or what the program has registered for its own end.
    Fork,
}

impl StartMethod {
    /// The method that holds where a pool or process says this one, or none; `None` leaves it to
    /// procession.
    pub(crate) fn chosen(said: Option<Self>) -> Option<Self> {
        said.or_else(|| *CHOSEN.lock())
    }

    /// Python's name.
    fn name(self) -> &'static str {
        match self {
            Self::Spawn => "spawn",
            Self::ForkServer => "forkserver",
            Self::Fork => "fork",
        }
    }
}

impl fmt::Display for StartMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for StartMethod {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Spawn, Self::ForkServer, Self::Fork];
        all.into_iter().find(|method| method.name() == text).ok_or_else(|| {
            Error::usage(format!(
                "{text:?} is no start method: there are spawn, forkserver and fork"
            ))
        })
    }
}

/// The program's choice; `None` leaves it to procession.
static CHOSEN: Mutex<Option<StartMethod>> = Mutex::new(None);

/// Chooses how the children of this process are made from now on, where a pool or process does not
/// say; `None` leaves it to procession again. May be called at any time and any number of times.
pub fn set_start_method(method: impl Into<Option<StartMethod>>) {
    *CHOSEN.lock() = method.into();
}

/// How children are made where a pool or process does not say.
///
/// Unless it was [set](set_start_method), it is the fastest safe method of the platform: on Linux
/// `ForkServer`. A process by itself, for which a template would not pay, is spawned while there is none
/// to fork; and all children are where a template cannot be had.
pub fn get_start_method() -> StartMethod {
    StartMethod::chosen(None).unwrap_or(StartMethod::ForkServer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_pythons_names() {
        for name in ["spawn", "forkserver", "fork"] {
            let method: StartMethod = name.parse().expect("a method");
            assert_eq!(method.to_string(), name);
        }
        let error = "fork server".parse::<StartMethod>().expect_err("no method");
        assert!(error.to_string().contains("forkserver"), "{error}");
    }
}
