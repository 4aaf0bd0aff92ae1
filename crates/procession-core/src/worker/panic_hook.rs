//! Catching a task's panic with its place and backtrace.

use crate::message::PanicReport;
use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

thread_local! {
    /// Whether a task runs on this thread.
    static RUNNING: Cell<bool> = const { Cell::new(false) };
    /// The panic that the hook saw last while one did.
    static SEEN: RefCell<Option<PanicReport>> = const { RefCell::new(None) };
}

/// Installs a hook that remembers a task's panic instead of printing it; with `print`, as well as
/// printing it. Panics of other threads print as ever.
pub(super) fn install(print: bool) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let ours = RUNNING.get();
        if ours {
            // While the thread ends there is nobody left to tell.
            let _ = SEEN.try_with(|seen| seen.replace(Some(report(panic))));
        }
        if print || !ours {
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
    RUNNING.set(true);
    // What the code leaves half-changed is the user's own state, as with a thread that panics.
    let result = catch_unwind(AssertUnwindSafe(run));
    let result = result.map_err(|payload| {
        let report = SEEN.take().unwrap_or_else(|| PanicReport {
            message: message_of(&*payload),
            ..PanicReport::default()
        });
        // A payload may panic when it is dropped; that must not take the worker down.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        report
    });
    RUNNING.set(false);
    result
}
