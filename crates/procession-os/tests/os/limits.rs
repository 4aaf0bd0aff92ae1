//! Limits that a process sets for itself, and what it uses, seen from inside and from outside.

use procession_os::limits;
use procession_os::process::Exit;

use crate::support::{Watchdog, end_of, receive, start};

/// A child in this role finds everything as it should be.
fn plays(role: &str) {
    let _watchdog = Watchdog::start();
    let (child, _control) = start(role);
    assert_eq!(end_of(&child), Exit::Code(0), "{role}");
}

#[test]
fn private_memory_is_seen_from_inside_and_from_outside() {
    let _watchdog = Watchdog::start();
    let (child, control) = start("hold memory");
    assert_eq!(receive(&control).0, b"held");
    let bytes = limits::private_bytes_of(&child).expect("the kernel tells").expect("it runs");
    assert!((44 << 20..90 << 20).contains(&bytes), "{bytes}");
    drop(control);
    assert_eq!(end_of(&child), Exit::Code(0));
    assert_eq!(limits::private_bytes_of(&child).expect("the kernel tells"), None, "it has ended");
}

#[test]
fn a_memory_limit_holds_for_private_memory_and_no_other() {
    plays("be short of memory");
}

#[test]
fn a_memory_limit_below_what_is_there_is_told() {
    plays("have no room");
}

#[test]
fn niceness_holds_for_later_threads() {
    plays("be nice");
}

#[test]
fn a_choice_of_processors_holds_for_later_threads() {
    plays("run on one processor");
}
