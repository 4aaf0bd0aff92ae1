//! Exactly as many wake as are notified.

#![cfg(not(loom))]

use super::*;
use crate::roster::{ROSTER_BYTES, tests::rosters};
use std::sync::mpsc;

const CONDITION_AT: usize = ROSTER_BYTES + 64;

fn conditions(count: usize) -> Vec<Condition> {
    rosters(count, 64 + CONDITION_BYTES)
        .into_iter()
        .map(|roster| {
            let lock = Lock::new(roster.clone(), ROSTER_BYTES);
            Condition::new(lock, roster, CONDITION_AT)
        })
        .collect()
}

fn waiting(condition: &Condition) -> usize {
    condition
        .places()
        .filter(|place| condition.holder(*place).is_some() && condition.state(*place) == WAITS)
        .count()
}

fn locked<R>(condition: &Condition, run: impl FnOnce() -> R) -> R {
    let _ = condition.lock.acquire(None).unwrap();
    let result = run();
    condition.lock.release();
    result
}

fn until_waiting(condition: &Condition, count: usize) {
    while locked(condition, || waiting(condition)) != count {
        std::thread::yield_now();
    }
}

#[test]
fn those_who_wait_longest_wake_first_and_no_others() {
    let all = conditions(5);
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        for (index, condition) in all[1..].iter().enumerate() {
            let tell = tell.clone();
            scope.spawn(move || {
                let (_, is_notified) = {
                    let _ = condition.lock.acquire(None).unwrap();
                    condition.wait(None).unwrap()
                };
                condition.lock.release();
                tell.send((index, is_notified)).unwrap();
            });
            until_waiting(&all[0], index + 1);
        }
        assert_eq!(locked(&all[0], || all[0].notify(2)), 2);
        let mut first = [told.recv().unwrap(), told.recv().unwrap()];
        first.sort_unstable();
        assert_eq!(first, [(0, true), (1, true)]);
        assert_eq!(locked(&all[0], || waiting(&all[0])), 2);
        assert!(told.try_recv().is_err());
        assert_eq!(locked(&all[0], || all[0].notify(usize::MAX)), 2);
        let mut rest = [told.recv().unwrap(), told.recv().unwrap()];
        rest.sort_unstable();
        assert_eq!(rest, [(2, true), (3, true)]);
    });
    assert_eq!(locked(&all[0], || all[0].notify(1)), 0);
}

#[test]
fn who_waits_too_long_has_the_lock_again() {
    let all = conditions(2);
    let _ = all[0].lock.acquire(None).unwrap();
    let (how, is_notified) = all[0].wait(Some(Duration::from_millis(3))).unwrap();
    assert_eq!((how, is_notified), (Acquired::Clean, false));
    assert!(all[0].lock.is_own() && waiting(&all[0]) == 0);
}

#[test]
fn a_notification_does_not_die_with_the_one_it_was_for() {
    let mut all = conditions(3);
    let dying = all.pop().unwrap();
    // It is notified, and never comes to see it.
    let place = locked(&dying, || dying.take_place(dying.roster().token().unwrap()).unwrap());
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| locked(&all[1], || all[1].wait(None).unwrap()));
        until_waiting(&all[0], 2);
        assert_eq!(locked(&all[0], || all[0].notify(1)), 1);
        assert_eq!(dying.state(place), NOTIFIED);
        drop(dying);
        assert!(waits.join().unwrap().1);
    });
}

#[test]
fn the_dead_are_not_notified() {
    let mut all = conditions(3);
    let dying = all.pop().unwrap();
    locked(&dying, || dying.take_place(dying.roster().token().unwrap()).unwrap());
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| locked(&all[1], || all[1].wait(None).unwrap()));
        until_waiting(&all[0], 2);
        drop(dying);
        assert_eq!(locked(&all[0], || all[0].notify(1)), 1);
        assert!(waits.join().unwrap().1);
    });
}
