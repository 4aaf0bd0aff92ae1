//! Making child processes, and becoming one.

pub mod bootstrap;
mod children;
mod desk;
mod fork;
mod launcher;
mod link;
mod method;
mod preload;
mod serve;
mod source;
mod template;
mod worker_process;

pub use children::active_children;
pub(crate) use fork::Snapshot;
pub use launcher::set_executable;
pub(crate) use link::Link;
pub use method::{StartMethod, get_start_method, set_start_method};
pub use preload::set_forkserver_preload;
pub(crate) use source::{Arrival, Processes, WorkerSource};
#[cfg(any(test, feature = "puppet"))]
pub(crate) use source::{Body, OnExit};
pub(crate) use worker_process::{Launched, Ordered, WorkerProcess, WorkerSpec};

/// The environment variable that tells a process that it is a child: the parent's pid, when to
/// boot (`main` or `early`), and the token of the inherited control channel.
pub(crate) const VARIABLE: &str = "PROCESSION_WORKER";
