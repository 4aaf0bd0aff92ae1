//! What a worker process may use of the machine.
//!
//! The parent checks what can be checked before there is a worker; the worker applies its limits as
//! soon as it has read who it is, before any code of the program's runs in it as a task or an
//! initializer. One that cannot live under its limits refuses to work, and says why.

use crate::error::{Error, Result};
use procession_os::limits;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroUsize;

/// More processors than any machine has.
const PROCESSORS_MAX: usize = 1 << 13;

/// What a worker process may use of the machine. By default, all that the program may.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerLimits {
    /// Private memory, in bytes; see [`limit_memory`](limits::limit_memory) for what counts.
    pub memory_bytes: Option<u64>,
    /// Its niceness, from -20 to 19; `None` for the program's.
    pub niceness: Option<i32>,
    /// The processors that it may run on, by their numbers; `None` for the program's.
    pub processors: Option<Vec<usize>>,
    /// Whether workers get processors of their own among those.
    pub is_pinned: bool,
}

impl WorkerLimits {
    /// Chooses the processors that a worker may run on; one that is named twice counts once. After one
    /// that there cannot be, which [`check`](Self::check) will say, no others are looked at: they may be
    /// without end.
    pub fn run_on(&mut self, processors: impl IntoIterator<Item = usize>) {
        let mut chosen = Vec::new();
        for processor in processors {
            if !chosen.contains(&processor) {
                chosen.push(processor);
            }
            if processor >= PROCESSORS_MAX {
                break;
            }
        }
        self.processors = Some(chosen);
    }

    /// Checks that a worker can have these limits as far as the parent knows, and chooses the
    /// processors to pin workers to if they were left open.
    ///
    /// # Errors
    /// What is wrong with them: a memory limit of nothing, a niceness that there is not, no processor
    /// at all, or one that the calling thread may not run on.
    pub fn check(&mut self) -> Result<()> {
        if self.memory_bytes == Some(0) {
            return Err(Error::usage(
                "a memory limit of 0 bytes leaves a worker none to start with",
            ));
        }
        if let Some(niceness) = self.niceness.filter(|it| !limits::NICENESS.contains(it)) {
            let (least, most) = (limits::NICENESS.start(), limits::NICENESS.end());
            let what = format!("there is no niceness of {niceness}: it is from {least} to {most}");
            return Err(Error::usage(what));
        }
        if self.processors.is_none() && !self.is_pinned {
            return Ok(());
        }
        let usable = limits::processors()
            .map_err(|source| Error::system("cannot tell which processors there are", source))?;
        let chosen = self.processors.get_or_insert_with(|| usable.clone());
        if chosen.is_empty() {
            return Err(Error::usage("an empty set of CPUs leaves a worker none to run on"));
        }
        match chosen.iter().find(|cpu| !usable.contains(cpu)) {
            Some(cpu) => Err(Error::usage(format!(
                "CPU {cpu} does not exist, or this program may not run on it: it may run on {}",
                Listed(&usable)
            ))),
            None => Ok(()),
        }
    }

    /// The limits of one of several workers, which are of so many threads each: if they are pinned, a
    /// processor for each of its threads, and the first again after the last.
    #[must_use]
    pub fn of_worker(&self, index: usize, threads: usize) -> Self {
        let mut own = self.clone();
        if let (Some(all), true) = (&self.processors, self.is_pinned)
            && let Some(count) = NonZeroUsize::new(all.len())
        {
            let place = |thread| all[(index * threads + thread) % count];
            let mut chosen: Vec<usize> = (0..threads.min(all.len())).map(place).collect();
            chosen.sort_unstable();
            chosen.dedup();
            own.processors = Some(chosen);
        }
        own
    }

    /// Limits this process, which has no other threads yet.
    ///
    /// # Errors
    /// Why it cannot be, and what can be done about it.
    pub(crate) fn apply(&self) -> std::result::Result<(), String> {
        if let Some(niceness) = self.niceness {
            limits::set_niceness(niceness).map_err(|error| {
                format!(
                    "a worker cannot have a niceness of {niceness}: {error}; choose one that is not \
                     smaller than the program's, or give the program that privilege"
                )
            })?;
        }
        if let Some(processors) = &self.processors {
            limits::run_on(processors).map_err(|error| {
                let listed = Listed(processors);
                format!(
                    "a worker cannot be bound to CPU {listed}: {error}; choose among those that the \
                     program may run on"
                )
            })?;
        }
        if let Some(bytes) = self.memory_bytes {
            limits::limit_memory(bytes).map_err(|error| {
                let limit = Bytes(bytes);
                format!(
                    "a worker cannot live under a memory limit of {limit}: {error}; raise the limit \
                     (a forked child starts with what it was forked from has)"
                )
            })?;
        }
        Ok(())
    }
}

/// Numbers as a person writes them.
struct Listed<'a>(&'a [usize]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, number) in self.0.iter().enumerate() {
            write!(f, "{}{number}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// An amount of memory as a person writes it.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => {
                write!(f, "{} MiB", bytes >> 20)
            }
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_workers_share_the_processors_evenly() {
        let limits =
            WorkerLimits { processors: Some(vec![3, 5, 7]), is_pinned: true, ..Default::default() };
        let of = |index, threads| limits.of_worker(index, threads).processors.unwrap();
        assert_eq!([0, 1, 2, 3].map(|index| of(index, 1)), [[3], [5], [7], [3]]);
        assert_eq!([0, 1, 2].map(|index| of(index, 2)), [[3, 5], [3, 7], [5, 7]]);
        assert_eq!(of(1, 9), [3, 5, 7]);
        let together = WorkerLimits { is_pinned: false, ..limits };
        assert_eq!(together.of_worker(1, 1).processors, Some(vec![3, 5, 7]));
    }

    #[test]
    fn limits_that_nobody_can_have_are_named() {
        let rows: [(WorkerLimits, &str); 5] = [
            (WorkerLimits { memory_bytes: Some(0), ..Default::default() }, "0 bytes"),
            (WorkerLimits { niceness: Some(20), ..Default::default() }, "niceness of 20"),
            (WorkerLimits { niceness: Some(-21), ..Default::default() }, "niceness of -21"),
            (WorkerLimits { processors: Some(vec![]), ..Default::default() }, "empty set"),
            (WorkerLimits { processors: Some(vec![4096]), ..Default::default() }, "CPU 4096"),
        ];
        for (mut limits, named) in rows {
            let error = limits.check().expect_err(named);
            assert!(error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn workers_are_pinned_to_all_that_there_are_unless_told() {
        let mut limits = WorkerLimits { is_pinned: true, ..Default::default() };
        limits.check().unwrap();
        assert!(limits.processors.is_some_and(|all| !all.is_empty()));
        let mut none = WorkerLimits::default();
        none.check().unwrap();
        assert_eq!(none, WorkerLimits::default());
    }

    #[test]
    fn memory_is_told_in_words() {
        assert_eq!(Bytes(64 << 20).to_string(), "64 MiB");
        assert_eq!(Bytes((64 << 20) + 1).to_string(), "67108865 bytes");
    }
}
