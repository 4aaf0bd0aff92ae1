//! A thread of a pool.

use super::engine::Engine;
use crate::error::Error;
use crate::worker::panic_hook;
use procession_ipc::spin::Spin;
use std::cell::OnceCell;
use std::sync::{Arc, OnceLock};

thread_local! {
    /// The pool that this thread belongs to, and its place there.
    static CURRENT: OnceCell<(Arc<Engine>, usize)> = const { OnceCell::new() };
}

/// A side that has not waited yet. The number of processors is asked for once: that takes as long as
/// to start a thread.
pub(super) fn fresh_spin() -> Spin {
    static FRESH: OnceLock<Spin> = OnceLock::new();
    *FRESH.get_or_init(Spin::new)
}

/// Prepares the thread and runs tasks until the pool stops.
pub(super) fn run(engine: &Arc<Engine>, place: usize) {
    CURRENT.with(|current| current.get_or_init(|| (engine.clone(), place)).1);
    engine.sleep.move_in(place);
    if let Some(initializer) = &engine.config.initializer {
        let prepared = panic_hook::catch(|| initializer());
        let prepared = prepared.unwrap_or_else(|report| Err(Error::panicked(None, report)));
        if let Err(error) = prepared {
            engine.break_down(error);
            return;
        }
    }
    let mut spin = fresh_spin();
    // What a task returned and nobody wants is dropped here, and so are wakers that were woken: user
    // code, outside of any task.
    while let Err(report) = panic_hook::catch(|| work(engine, place, &mut spin)) {
        engine.note_error(Error::panicked(None, report));
    }
}

fn work(engine: &Arc<Engine>, place: usize, spin: &mut Spin) {
    while let Some(entry) = engine.next(place, spin) {
        entry.run(engine, place);
    }
}

/// Whether this is a thread of a pool.
pub(super) fn is_one() -> bool {
    CURRENT.try_with(|current| current.get().is_some()).unwrap_or(false)
}

/// Whether this is a thread of the pool of this id.
pub(super) fn is_one_of(id: u64) -> bool {
    with(id, |_, _| true).unwrap_or(false)
}

/// Calls `run` with the pool of this id and this thread's place in it, if this is a thread of it.
pub(super) fn with<T>(id: u64, run: impl FnOnce(&Engine, usize) -> T) -> Option<T> {
    CURRENT
        .try_with(|current| match current.get() {
            Some((engine, place)) if engine.id == id => Some(run(engine, *place)),
            _ => None,
        })
        .ok()
        .flatten()
}
