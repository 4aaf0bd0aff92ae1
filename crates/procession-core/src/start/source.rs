//! Where a pool gets its workers from.

pub(crate) use super::launcher::OnExit;
use super::worker_process::{Launched, Ordered, WorkerProcess, WorkerSpec};
use crate::error::Result;
use procession_ipc::lane::ParentLane;
use std::fmt;

/// A worker that was ordered: waits until it is there, and hands it over with its lanes, one for each
/// of its threads. If it is dropped instead the worker ends.
pub(crate) type Arrival = Box<dyn FnOnce() -> Result<(WorkerProcess, Vec<ParentLane>)>>;

/// Where a pool gets its workers from: the one kind of worker that it knows has lanes and can be
/// killed, whatever it is made of.
pub(crate) trait WorkerSource: fmt::Debug + Send + Sync {
    /// Orders a worker. `on_exit` is called once, from any thread, after the worker's end, and is
    /// brief.
    fn order(&self, spec: WorkerSpec, on_exit: OnExit) -> Result<Arrival>;
}

/// What a worker is made of, as far as its pool has to know. Who has ended takes no notice; of the end
/// itself tells the `on_exit` of its order.
pub(crate) trait Body: fmt::Debug + Send + Sync {
    /// Asks it to end.
    fn terminate(&self);

    /// Ends it without asking.
    fn kill(&self);

    /// Its private memory at this moment, if the system tells.
    fn memory_bytes(&self) -> Option<u64>;
}

/// Workers that are processes.
#[derive(Debug)]
pub(crate) struct Processes;

impl WorkerSource for Processes {
    fn order(&self, spec: WorkerSpec, on_exit: OnExit) -> Result<Arrival> {
        let ordered = Ordered::new(spec, on_exit)?;
        Ok(Box::new(|| {
            let Launched { worker, lanes, .. } = ordered.finish()?;
            Ok((worker, lanes))
        }))
    }
}
