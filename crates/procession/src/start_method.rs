//! How children are made.

use crate::entry;
use crate::target::{Returned, Target};
use procession_core::Result;
use procession_core::start;

/// Has the template of [`StartMethod::ForkServer`](crate::StartMethod::ForkServer) call `function`
/// once, before it is forked for the first time. (`multiprocessing.set_forkserver_preload`.)
///
/// All children share what it loads, without a copy until one of them writes to it. It must leave no
/// thread running, for that would not exist in the children: such a template is refused, with an
/// error that says so. What it returns is dropped.
///
/// Children are forked from the template, then, also where the start method was not chosen. Those
/// that are spawned have nothing preloaded: it is for speed, and what is missing must be loaded.
///
/// ```
/// use std::sync::OnceLock;
///
/// static TABLE: OnceLock<Vec<u64>> = OnceLock::new();
///
/// fn table() -> &'static [u64] {
///     TABLE.get_or_init(|| (0..1000).map(|x| x * x).collect())
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     procession::set_forkserver_preload(|| drop(table()))?;
///     let pool = procession::Pool::new(2)?;
///     assert_eq!(pool.apply(|x: usize| table()[x], (12,))?, 144);
///     Ok(())
/// }
/// ```
///
/// # Errors
/// When there is a template already: call it before the first pool or process is started. When the
/// function lies in another shared library.
pub fn set_forkserver_preload<F>(function: F) -> Result<()>
where
    F: Target<()>,
    F::Output: Returned,
{
    // The function is known by its type; its value has no bytes.
    let _ = function;
    start::set_forkserver_preload(entry::code_of::<F, ()>()?)
}
