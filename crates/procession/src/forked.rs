//! Closures that capture: they run in a forked copy of the program, which has them already.

use crate::codec::{self, CodecError};
use crate::target::Returned;
use procession_core::payload::Output;
use std::cell::RefCell;

/// What a forked child runs: calls the closure and encodes what it returned.
pub(crate) type Run =
    Box<dyn FnOnce(&mut Output<'_>) -> std::result::Result<(), CodecError> + Send>;

thread_local! {
    /// What a copy that this thread forks now is to run.
    static NEXT: RefCell<Option<Run>> = const { RefCell::new(None) };
}

/// Turns a closure into what a forked child runs.
pub(crate) fn run_of<F, R>(closure: F) -> Run
where
    F: FnOnce() -> R + Send + 'static,
    R: Returned,
{
    Box::new(move |output| codec::encode_result(&closure(), output))
}

/// Forks within `fork`, so that the copy has `run` to run.
pub(crate) fn with<T>(run: Run, fork: impl FnOnce() -> T) -> T {
    NEXT.set(Some(run));
    let forked = fork();
    // The copy has its own.
    drop(NEXT.take());
    forked
}

/// Where a forked child's only call leads to.
pub(crate) fn run_next(output: &mut Output<'_>) -> std::result::Result<(), CodecError> {
    let run = NEXT.take().ok_or_else(CodecError::unknown_function)?;
    run(output)
}
