//! Catching a task's panic with its place and backtrace.

use crate::message::PanicReport;
use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

thread_local! {
    /// What the hook saw last on this thread, and whether a task runs on it.
    static SEEN: RefCell<(bool, Option<PanicReport>)> = const { RefCell::new((false, None)) };
}

/// Installs a hook that remembers a task's panic instead of printing it; with `print`, as well as
/// printing it. Panics of other threads print as ever.
pub(super) fn install(print: bool) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let ours = SEEN.try_with(|seen| {
            let Ok(mut seen) = seen.try_borrow_mut() else { return false };
            if seen.0 {
                seen.1 = Some(report(panic));
            }
            seen.0
        });
        if print || !matches!(ours, Ok(true)) {
            before(panic);
        }
    }));
}

fn report(panic: &PanicHookInfo<'_>) -> PanicReport {
    let backtrace = Backtrace::capture();
    PanicReport {
        message: message_of(panic.payload()),
        location: panic.location().map(ToString::to_string),
        backtrace: (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string()),
    }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic whose payload is not a string".to_owned()
    }
}

/// Runs user code and turns its panic into a report.
pub(super) fn catch<R>(run: impl FnOnce() -> R) -> Result<R, PanicReport> {
    SEEN.with(|seen| *seen.borrow_mut() = (true, None));
    // What the code leaves half-changed is the user's own state, as with a thread that panics.
    let result = catch_unwind(AssertUnwindSafe(run));
    let seen = SEEN.with(|seen| seen.borrow_mut().1.take());
    let result = result.map_err(|payload| {
        let report = seen.unwrap_or_else(|| PanicReport {
            message: message_of(&*payload),
            ..PanicReport::default()
        });
        // A payload may panic when it is dropped; that must not take the worker down.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        report
    });
    SEEN.with(|seen| *seen.borrow_mut() = (false, None));
    result
}
