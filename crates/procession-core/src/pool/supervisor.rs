//! The one thread of a pool that sleeps until something needs it: an end of a worker, a start that
//! takes too long, a worker that rings because nobody collects.

use super::inner::{Inner, State};
use super::shared::Shared;
use crate::rest;
use procession_ipc::lane::LaneWatch;
use procession_os::own_thread::OwnThread;
use std::sync::Arc;
use std::time::Duration;

/// Runs until the pool has ended and its last worker with it.
pub(super) fn run(shared: &Arc<Shared>, own: &mut OwnThread) {
    shared.begin_supervising();
    let mut checked = rest::now();
    loop {
        let seen = shared.supervisor.seen();
        let exits = std::mem::take(&mut *shared.exits.lock());
        let (watches, urgent, timeout) = {
            let mut inner = shared.lock();
            let watches = inner.watches.clone();
            // Before anything is taken: a call that comes later is seen as one.
            let urgent: Vec<u32> = watches.iter().map(|watch| urgent_of(watch)).collect();
            for exited in exits {
                shared.bury(&mut inner, exited);
            }
            // Whoever meant to look did not come in time.
            inner.is_attended = false;
            inner.is_fed = false;
            shared.collect(&mut inner);
            shared.tell_leader(&mut inner);
            if is_over(&inner) {
                inner.supervisor_done = true;
                shared.changed.notify_all();
                return;
            }
            fill_places(shared, &mut inner);
            let limits = shared.check_limits(&mut inner);
            if inner.has_pinned {
                shared.collect(&mut inner);
                shared.tell_leader(&mut inner);
            }
            let mut timeout = next_deadline(&inner).into_iter().chain(limits).min();
            if inner.stalls_look.is_some_and(|look| rest::now() >= checked + look) {
                checked = rest::now();
                shared.check_stalls(&mut inner);
            }
            if let Some(look) = inner.stalls_look {
                timeout = Some(timeout.unwrap_or(look).min(look));
            }
            if !Arc::ptr_eq(&watches, &inner.watches) {
                continue;
            }
            (watches, urgent, timeout)
        };
        sleep(shared, own, &watches, &urgent, seen, timeout);
    }
}

fn urgent_of(watch: &LaneWatch) -> u32 {
    // ORDER(urgent): acquires what the worker published before it called.
    watch.urgent_word().load(procession_ipc::primitive::Ordering::Acquire)
}

fn is_over(inner: &Inner) -> bool {
    !matches!(inner.state, State::Open)
        && inner.slots.iter().all(|slot| slot.live.is_none())
        && inner.is_idle()
}

/// Gives up starts that take too long, ends what goes on although it was cancelled, and launches workers
/// that the system refused before.
fn fill_places(shared: &Arc<Shared>, inner: &mut Inner) {
    let now = rest::now();
    for index in 0..inner.slots.len() {
        let slot = &mut inner.slots[index];
        if slot.start_deadline().is_some_and(|deadline| deadline <= now) {
            slot.give_up_start();
        }
        if slot.live.is_some() && slot.stop_by.is_some_and(|time| time <= now) {
            slot.stop_by = None;
            slot.kill();
        }
        shared.kill_if_unwanted(inner, index, now);
        let slot = &mut inner.slots[index];
        if slot.live.is_none() && slot.retry_at.is_some_and(|time| time <= now) {
            slot.retry_at = None;
            let process = slot.process;
            shared.fill_place(inner, process);
        }
    }
}

/// The time until the next start would be given up or tried again.
fn next_deadline(inner: &Inner) -> Option<Duration> {
    let own = inner
        .slots
        .iter()
        .filter_map(|slot| slot.start_deadline().or(slot.stop_by).or(slot.retry_at));
    let unwanted = inner.slots.iter().filter_map(|slot| slot.end_by.map(|(_, time)| time));
    own.chain(unwanted).min().map(|deadline| deadline.saturating_duration_since(rest::now()))
}

fn sleep(
    shared: &Shared,
    own: &mut OwnThread,
    watches: &[Arc<LaneWatch>],
    urgent: &[u32],
    seen: u32,
    timeout: Option<Duration>,
) {
    shared.supervisor.set_asleep(true);
    for (watch, urgent) in watches.iter().zip(urgent) {
        watch.raise_supervisor(*urgent);
    }
    let quiet = watches.iter().zip(urgent).all(|(watch, urgent)| urgent_of(watch) == *urgent);
    if quiet {
        let words = watches.iter().map(|watch| watch.urgent_word()).zip(urgent.iter().copied());
        own.rest(|| rest::wait_any(shared.supervisor.word(), seen, words, timeout));
    }
    for watch in watches {
        watch.lower_supervisor();
    }
    shared.supervisor.set_asleep(false);
}
