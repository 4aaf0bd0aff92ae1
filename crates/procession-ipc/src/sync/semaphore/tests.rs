//! Permits: never more than there are, and none lost with the dead.

#![cfg(not(loom))]

use super::*;
use crate::primitive::AtomicU32 as Counter;
use crate::primitive::Ordering;
use crate::roster::{ROSTER_BYTES, tests::rosters};

fn semaphores(count: usize, permits: u32, bound: Option<u32>) -> Vec<Semaphore> {
    let all: Vec<_> = rosters(count, SEMAPHORE_BYTES)
        .into_iter()
        .map(|roster| Semaphore::new(roster, ROSTER_BYTES))
        .collect();
    all[0].begin(permits, bound);
    all
}

const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

#[test]
fn never_more_are_inside_than_there_are_permits() {
    let all = semaphores(4, 2, Some(2));
    let (inside, most) = (Counter::new(0), Counter::new(0));
    std::thread::scope(|scope| {
        for (index, semaphore) in all.iter().enumerate() {
            let (inside, most) = (&inside, &most);
            scope.spawn(move || {
                let named = index % 2 == 0;
                for _ in 0..3000 {
                    let _ = semaphore.acquire(named, None).unwrap().unwrap();
                    most.fetch_max(inside.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                    inside.fetch_sub(1, Ordering::Relaxed);
                    assert!(semaphore.release(named, 1).unwrap());
                }
            });
        }
    });
    assert!(most.into_inner() <= 2);
    assert_eq!(all[0].value(), 2);
}

#[test]
fn the_permits_of_one_that_is_gone_come_back() {
    let mut all = semaphores(3, 2, None);
    let holder = all.pop().unwrap();
    for _ in 0..2 {
        assert_eq!(holder.acquire(true, None).unwrap(), Some(Acquired::Clean));
    }
    assert_eq!(all[0].acquire(true, AT_ONCE).unwrap(), None);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| all[0].acquire(true, None).unwrap());
        drop(holder);
        assert_eq!(waiting.join().unwrap(), Some(Acquired::Inherited));
    });
    assert_eq!(all[1].acquire(true, AT_ONCE).unwrap(), Some(Acquired::Clean));
    assert_eq!(all[1].acquire(true, AT_ONCE).unwrap(), None);
}

#[test]
fn permits_in_nobodys_name_are_given_back_by_anybody_and_stay_with_the_dead() {
    let mut all = semaphores(3, 1, None);
    let holder = all.pop().unwrap();
    assert!(holder.acquire(false, None).unwrap().is_some());
    drop(holder);
    assert_eq!(all[0].acquire(false, AT_ONCE).unwrap(), None);
    assert!(all[1].release(false, 3).unwrap());
    assert_eq!(all[1].value(), 3);
    assert_eq!(all[0].acquire(false, AT_ONCE).unwrap(), Some(Acquired::Clean));
}

#[test]
fn no_more_come_back_than_may_be_free() {
    let all = semaphores(1, 2, Some(2));
    assert!(!all[0].release(false, 1).unwrap());
    assert!(all[0].acquire(true, None).unwrap().is_some());
    assert!(all[0].release(true, 1).unwrap() && !all[0].release(true, 1).unwrap());
    assert_eq!(all[0].value(), 2);
}

#[test]
fn what_one_left_half_changed_is_added_up() {
    let mut all = semaphores(2, 5, None);
    let holder = all.pop().unwrap();
    assert!(holder.acquire(true, None).unwrap().is_some());
    assert!(all[0].acquire(true, None).unwrap().is_some());
    let _ = holder.lock.acquire(None).unwrap();
    holder.set(FREE, 77);
    drop(holder);
    assert!(all[0].acquire(true, None).unwrap().is_some());
    let left = std::iter::from_fn(|| all[0].acquire(true, AT_ONCE).unwrap()).count();
    assert_eq!(left, 3, "of five it has two, and those of the dead one are back");
}
