//! Catching a task's panic with its place and backtrace.

use crate::message::PanicReport;
use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

/// What a thread does, as far as the hook cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing of ours.
    Elsewhere,
    /// It runs a task.
    Running,
    /// It runs a task, in which the hook has seen a panic.
    Panicked,
}

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::Elsewhere) };
    /// The panic that the hook saw last while a task ran.
    static SEEN: RefCell<Option<PanicReport>> = const { RefCell::new(None) };
}

/// Installs a hook that remembers a task's panic instead of printing it; with `print`, as well as
/// printing it. Panics of other threads print as ever.
pub(crate) fn install(print: bool) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let ours = STATE.get() != State::Elsewhere;
        if ours {
            STATE.set(State::Panicked);
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

/// What a panic says.
pub(crate) fn message_of(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic whose payload is not a string".to_owned()
    }
}

/// Whether the hook is there for the threads of this process's pools.
static BESIDE_THE_USERS: Once = Once::new();

/// Installs the hook in a process whose panics are the user's affair: it remembers a task's panic,
/// and the hook that was there runs as ever. Does so once.
///
/// A thread that panics at this moment may not change hooks; then a later call does it.
pub(crate) fn install_beside_the_users() {
    if !std::thread::panicking() {
        BESIDE_THE_USERS.call_once(|| install(true));
    }
}

/// Runs user code and turns its panic into a report. May be nested.
///
/// # Errors
/// The report, if it panicked.
pub fn catch<R>(run: impl FnOnce() -> R) -> Result<R, PanicReport> {
    let outer = STATE.replace(State::Running);
    // What the code leaves half-changed is the user's own state, as with a thread that panics.
    let result = catch_unwind(AssertUnwindSafe(run));
    let state = STATE.replace(outer);
    result.map_err(|payload| {
        // A panic that was resumed has passed no hook.
        let seen = if state == State::Panicked { SEEN.take() } else { None };
        let report = seen.unwrap_or_else(|| PanicReport {
            message: message_of(&*payload),
            ..PanicReport::default()
        });
        discard(payload);
        report
    })
}

/// Drops a payload, which may panic when it is; that must not take the process down.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}
