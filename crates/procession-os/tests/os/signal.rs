//! Signals: their names, and how workers take them.

use procession_os::process::Exit;
use procession_os::signal::{KILL, TERMINATE, describe, name};

use crate::support::{Watchdog, end_of, start};

#[test]
fn signals_have_names_and_meanings() {
    assert_eq!(name(libc::SIGSEGV), Some("SIGSEGV"));
    assert_eq!(describe(libc::SIGSEGV), "SIGSEGV (segmentation fault)");
    assert_eq!(name(KILL), Some("SIGKILL"));
    assert_eq!(name(TERMINATE), Some("SIGTERM"));
    assert!((1..32).filter(|&number| number != 16).all(|number| name(number).is_some()));
}

#[test]
fn numbers_without_a_name_are_still_described() {
    for number in [i32::MIN, 0, 64, i32::MAX] {
        assert_eq!(name(number), None);
        assert_eq!(describe(number), format!("signal {number}"));
    }
}

#[test]
fn a_child_starts_deaf_to_interrupts_and_a_worker_takes_no_notice_of_them() {
    let _watchdog = Watchdog::start();
    let (child, _control) = start("check signals");
    assert_eq!(end_of(&child), Exit::Code(0));
}
