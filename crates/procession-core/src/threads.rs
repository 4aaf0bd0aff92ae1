//! A pool whose workers are threads of this process: nothing is encoded, and what a task captures
//! and returns stays where it is.
//!
//! It stands beside the pool of processes, not on top of it: no lane, no supervisor, no code
//! references. What both have in common is what their users see: exactly one outcome for each task,
//! results in any order, failures that `join` reports if nobody looked, chunks that follow the
//! measured time of an item.
//!
//! Tasks wait in one queue, first come, first served. A map stands in it as one entry; the thread
//! that takes the entry cuts a chunk off the map and puts the entry back behind the other tasks
//! before it runs the chunk. Threads without work sleep; `sleep` says how they are woken without a
//! lock on the way of who submits.
//!
//! # Waiting on a thread of the pool
//!
//! A task may submit to its own pool and wait for the result. If what it waits for has not begun,
//! the waiting thread runs it itself; if it runs already, the thread sleeps. So what stands above
//! each other on a thread's stack is always a task and what it waits for, and a chain of waits ends
//! at a thread that runs: only tasks that wait for each other in a circle can hang. Running *any*
//! queued task meanwhile, as rayon does, would use the thread better, but the task that waits could
//! then be held up by a long one that has nothing to do with it, run into a lock that it holds
//! itself, and fill its stack with tasks that each wait.

mod batch;
mod chunk;
mod ending;
mod engine;
mod handle;
mod outcome;
mod primitive;
mod queue;
mod sleep;
mod task;
mod worker;
mod workers;

pub use chunk::Delivery;
pub use engine::{Config, Initializer};
pub use handle::{Gatherer, Threads};
pub use outcome::{Deliveries, Goal, Outcome, poll, stop_polling, wait_until};
pub use workers::Name;
