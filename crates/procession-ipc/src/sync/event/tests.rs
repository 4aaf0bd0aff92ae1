//! Set, clear, wait.

#![cfg(not(loom))]

use super::*;
use crate::roster::{ROSTER_BYTES, tests::rosters};

fn events(count: usize) -> Vec<Event> {
    rosters(count, 64).into_iter().map(|roster| Event::new(roster, ROSTER_BYTES)).collect()
}

#[test]
fn all_who_wait_see_it_set_also_if_it_is_cleared_again() {
    let events = events(4);
    std::thread::scope(|scope| {
        let waiting: Vec<_> = events.iter().map(|event| scope.spawn(|| event.wait(None))).collect();
        // Until each has seen it, be it before or after it began to wait.
        while waiting.iter().any(|one| !one.is_finished()) {
            events[0].set();
            events[1].clear();
        }
    });
    assert!(!events[2].is_set());
}

#[test]
fn nobody_waits_for_what_is_set() {
    let events = events(2);
    assert!(!events[0].wait(Some(Duration::from_millis(2))));
    events[0].set();
    events[0].set();
    assert!(events[1].is_set() && events[1].wait(None));
    events[1].clear();
    events[1].clear();
    assert!(!events[0].is_set() && !events[0].wait(Some(Duration::ZERO)));
}
