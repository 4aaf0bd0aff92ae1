//! A pool of workers and the scheduling of tasks on them.
//!
//! All scheduling state stands behind one lock, held briefly: by the thread that submits, by the
//! one that collects responses, by the supervisor. No thread stands between them on the hot path.

mod breaker;
mod bury;
mod cancel;
mod collect;
mod config;
mod dispatch;
mod handle;
mod inner;
mod overdue;
mod pin;
#[cfg(any(test, feature = "puppet"))]
#[doc(hidden)]
pub mod puppet;
mod retire;
mod shared;
mod shutdown;
mod slot;
mod stats;
mod supervisor;
mod wait;
mod workers;

pub(crate) use collect::{failure_of, no_room, payload_of};
pub use config::{Config, Initializer};
pub use handle::Pool;
pub use stats::Stats;
pub use wait::{Waitable, Whole};
pub use workers::{TaskInfo, WorkerInfo, WorkerState};
