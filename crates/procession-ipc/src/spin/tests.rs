//! When a side spins.

use super::{PAUSE_MAX, Spin};
use std::cell::Cell;

fn spin() -> Spin {
    Spin { pause: 0, pause_next: 1, enabled: Some(true) }
}

#[test]
fn what_is_ready_is_seen_at_once() {
    let looks = Cell::new(0);
    let seen = spin().wait(|| {
        looks.set(looks.get() + 1);
        true
    });
    assert!(seen);
    assert_eq!(looks.get(), 1);
}

#[test]
fn failures_double_the_waits_that_sleep_at_once() {
    let mut spin = spin();
    let mut pause = 1;
    for _ in 0..10 {
        assert!(!spin.wait(|| false), "runs out");
        for _ in 0..pause {
            assert!(!spin.wait(|| panic!("a paused side does not look")));
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
    assert_eq!(pause, PAUSE_MAX);
    assert!(spin.wait(|| true), "and then it tries again");
}

#[test]
fn with_one_processor_nobody_spins() {
    let mut spin = Spin { enabled: Some(false), ..spin() };
    assert!(!spin.wait(|| panic!("does not look")));
}
