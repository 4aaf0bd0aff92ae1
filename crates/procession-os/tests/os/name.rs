//! Names: who has them, who gets what, and when they are free again.

use std::io;
use std::thread;
use std::time::Duration;

use procession_os::exit_watch::Watcher;
use procession_os::memory::{Access, Memory};
use procession_os::name::{Claim, NAME_BYTES_MAX, ask};

use crate::support::{PATIENCE, Watchdog};

/// A name that no other test, and no other run, has.
fn fresh(what: &str) -> String {
    format!("test-{}-{what}", std::process::id())
}

fn kind_of<T: std::fmt::Debug>(result: io::Result<T>) -> io::ErrorKind {
    result.expect_err("this is refused").kind()
}

#[test]
fn who_asks_for_a_name_gets_its_handle() {
    let _watchdog = Watchdog::start();
    let name = fresh("handle");
    let claim = Claim::new(&name).expect("a name");
    let (memory, mapping) = Memory::create_shared("test", 100).expect("memory");
    let watcher = Watcher::new().expect("a watcher");
    watcher.add_claim(&claim, 7).expect("a watch");
    thread::scope(|scope| {
        let askers: Vec<_> = (0..3).map(|_| scope.spawn(|| ask(&name, PATIENCE))).collect();
        let mut answered = Vec::new();
        while askers.iter().any(|asker| !asker.is_finished()) {
            watcher.wait(&mut answered, Some(Duration::from_millis(5))).expect("a wait");
            if !answered.is_empty() {
                assert_eq!(answered, [7]);
                let asker = claim.next().expect("no fault").expect("one that asks");
                asker.answer(memory.handle());
            }
        }
        for asker in askers {
            let handle = asker.join().expect("no panic").expect("an answer").expect("a handle");
            let got = Memory::accept(handle).expect("memory").map(Access::ReadWrite);
            assert_eq!(got.expect("a mapping").len(), mapping.len());
        }
    });
    watcher.remove_claim(&claim);
    watcher.remove_claim(&claim);
}

#[test]
fn a_name_is_had_once_and_is_free_when_it_is_dropped() {
    let _watchdog = Watchdog::start();
    let name = fresh("once");
    assert_eq!(kind_of(ask(&name, PATIENCE)), io::ErrorKind::NotFound);
    let claim = Claim::new(&name).expect("a name");
    assert_eq!(kind_of(Claim::new(&name)), io::ErrorKind::AlreadyExists);
    drop(claim);
    assert_eq!(kind_of(ask(&name, PATIENCE)), io::ErrorKind::NotFound);
    drop(Claim::new(&name).expect("a name that is free"));
}

#[test]
fn names_that_cannot_be_are_refused() {
    let long = "x".repeat(NAME_BYTES_MAX + 1);
    for name in ["", "a\0b", &long] {
        assert_eq!(kind_of(Claim::new(name)), io::ErrorKind::InvalidInput, "{name:?}");
        assert_eq!(kind_of(ask(name, PATIENCE)), io::ErrorKind::InvalidInput, "{name:?}");
    }
    drop(Claim::new(&long[1..]).expect("the longest name"));
}

#[test]
fn who_is_not_answered_is_told_after_the_time_or_when_the_name_goes() {
    let _watchdog = Watchdog::start();
    let name = fresh("late");
    let claim = Claim::new(&name).expect("a name");
    assert_eq!(kind_of(ask(&name, Duration::from_millis(5))), io::ErrorKind::TimedOut);
    let watcher = Watcher::new().expect("a watcher");
    thread::scope(|scope| {
        // The one before has left a connection, which is taken in first.
        let (memory, _mapping) = Memory::create_shared("test", 1).expect("memory");
        claim.next().expect("no fault").expect("one that asked").answer(memory.handle());
        assert!(claim.next().expect("no fault").is_none());
        watcher.add_claim(&claim, 1).expect("a watch");
        let asker = scope.spawn(|| ask(&name, PATIENCE));
        let mut asks = Vec::new();
        watcher.wait(&mut asks, None).expect("a wait");
        drop(claim);
        assert!(asker.join().expect("no panic").expect("an answer").is_none());
    });
}
