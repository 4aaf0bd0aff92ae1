//! Pools and processes that are all made in one way.

use crate::args::Args;
use crate::builder::PoolBuilder;
use crate::pool::Pool;
use crate::process::Process;
use crate::target::{Returned, Target};
use procession_core::start::StartMethod;

/// Makes pools and processes by one start method, whatever the program's is: what Python's `get_context` gives.
///
/// Everything else (queues, locks, managers) is the same for all start methods, and needs no context.
///
/// ```
/// use procession::Context;
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let context = Context::spawn();
///     let mut process = context.process(|x: u32| x + 1, (41,));
///     process.start()?;
///     assert_eq!(process.join()?, 42);
///     let pool = context.pool().processes(2).build()?;
///     assert_eq!(pool.map(|x: u32| x * x, 0..3)?, [0, 1, 4]);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context(StartMethod);

impl Context {
    /// One of this start method.
    pub fn new(method: StartMethod) -> Self {
        Self(method)
    }

    /// One of [`StartMethod::Spawn`].
    pub fn spawn() -> Self {
        Self(StartMethod::Spawn)
    }

    /// One of [`StartMethod::ForkServer`].
    pub fn fork_server() -> Self {
        Self(StartMethod::ForkServer)
    }

    /// One of [`StartMethod::Fork`].
    pub fn fork() -> Self {
        Self(StartMethod::Fork)
    }

    /// Its start method.
    pub fn start_method(self) -> StartMethod {
        self.0
    }

    /// As [`Process::new`].
    pub fn process<F, A>(self, target: F, args: A) -> Process<F::Output>
    where
        F: Target<A>,
        F::Output: Returned,
        A: Args,
    {
        Process::new(target, args).start_method(self.0)
    }

    /// As [`Pool::builder`].
    pub fn pool(self) -> PoolBuilder {
        Pool::builder().start_method(self.0)
    }
}

/// All start methods that there are, the default first. (`get_all_start_methods`.)
pub fn get_all_start_methods() -> [StartMethod; 3] {
    [StartMethod::ForkServer, StartMethod::Spawn, StartMethod::Fork]
}
