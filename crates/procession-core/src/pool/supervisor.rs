//! The one thread of a pool that sleeps until something needs it: an end of a worker, a start that
//! takes too long, a worker that rings because nobody collects.

use super::inner::{Inner, State};
use super::shared::Shared;
use super::slot::Phase;
use super::wait::wait_any;
use procession_ipc::lane::LaneWatch;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time between two looks for stalled workers, while one is possible.
const STALL_CHECK: Duration = Duration::from_millis(1);

/// Runs until the pool has ended and its last worker with it.
pub(super) fn run(shared: &Arc<Shared>) {
    let mut checked = Instant::now();
    loop {
        let seen = shared.supervisor.seen();
        let (watches, urgent) = {
            let inner = shared.lock();
            let watches = inner.watches.clone();
            let urgent: Vec<u32> = watches.iter().map(|watch| urgent_of(watch)).collect();
            (watches, urgent)
        };
        let exits = std::mem::take(&mut *shared.exits.lock());
        let timeout = {
            let mut inner = shared.lock();
            for exited in exits {
                shared.bury(&mut inner, exited);
            }
            shared.collect(&mut inner);
            shared.tell_leader(&mut inner);
            if is_over(&inner) {
                inner.supervisor_done = true;
                shared.changed.notify_all();
                return;
            }
            let mut timeout = check_starts(&mut inner);
            if inner.watches_for_stalls && checked.elapsed() >= STALL_CHECK {
                checked = Instant::now();
                shared.check_stalls(&mut inner);
            }
            if inner.watches_for_stalls {
                timeout = Some(timeout.unwrap_or(STALL_CHECK).min(STALL_CHECK));
            }
            if !Arc::ptr_eq(&watches, &inner.watches) {
                continue;
            }
            timeout
        };
        sleep(shared, &watches, &urgent, seen, timeout);
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

/// Gives up starts that take too long; gives the time until the next one would.
fn check_starts(inner: &mut Inner) -> Option<Duration> {
    let now = Instant::now();
    let mut next: Option<Instant> = None;
    for slot in &mut inner.slots {
        if let Phase::Starting(deadline) = slot.phase
            && slot.start_error.is_none()
        {
            if deadline <= now {
                slot.give_up_start();
            } else {
                next = Some(next.map_or(deadline, |next| next.min(deadline)));
            }
        }
    }
    next.map(|next| next.saturating_duration_since(now))
}

fn sleep(
    shared: &Shared,
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
        wait_any(shared.supervisor.word(), seen, words, timeout);
    }
    for watch in watches {
        watch.lower_supervisor();
    }
    shared.supervisor.set_asleep(false);
}
