//! Processes that do nothing but burn a processor each.

#![allow(unsafe_code)]

use crate::limits::fork::{self, Forked};
use std::io;

/// Busy loops that run until this is dropped.
#[derive(Debug)]
pub(crate) struct BusyLoops {
    _processes: Vec<Forked>,
}

impl BusyLoops {
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let burn = || {
            loop {
                std::hint::spin_loop();
            }
        };
        // SAFETY: the child only loops; it touches no lock and no memory of the parent's.
        let processes = (0..count).map(|_| unsafe { fork::run(burn) });
        Ok(Self { _processes: processes.collect::<io::Result<_>>()? })
    }
}
