//! The exit watch: who is reported, when, and how often.

use std::io;
use std::thread;
use std::time::Duration;

use procession_os::control::Control;
use procession_os::exit_watch::Watcher;
use procession_os::process::{Child, Exit};

use crate::support::{Watchdog, end_of, receive, start};

fn watcher() -> Watcher {
    Watcher::new().expect("a watcher")
}

fn next(watcher: &Watcher) -> Vec<u64> {
    let mut exited = vec![99];
    watcher.wait(&mut exited, None).expect("a wait");
    exited
}

#[test]
fn each_of_three_children_is_reported_when_it_ends() {
    let _watchdog = Watchdog::start();
    let watcher = watcher();
    let mut children: Vec<(u64, Child, Control)> = (0..3)
        .map(|token| {
            let (child, control) = start("serve");
            watcher.add(&child, token).expect("a watch");
            (token, child, control)
        })
        .collect();
    for index in [1, 0, 0] {
        let (token, child, control) = children.remove(index);
        drop(control);
        assert_eq!(next(&watcher), [token]);
        let exit = child.try_reap().expect("an answer");
        assert_eq!(exit, Some(Exit::Code(0)));
    }
}

#[test]
fn a_child_that_ends_is_reported_once() {
    let _watchdog = Watchdog::start();
    let watcher = watcher();
    let (child, control) = start("serve");
    watcher.add(&child, 7).expect("a watch");
    drop(control);
    assert_eq!(next(&watcher), [7]);
    watcher.wake();
    assert_eq!(next(&watcher), [], "even though it is not reaped yet");
}

#[test]
fn a_child_that_has_ended_before_is_reported() {
    let _watchdog = Watchdog::start();
    let (child, _control) = start("exit with 3");
    end_of(&child);
    let watcher = watcher();
    watcher.add(&child, 7).expect("a watch");
    assert_eq!(next(&watcher), [7]);
}

#[test]
fn a_child_that_is_no_longer_watched_is_not_reported() {
    let _watchdog = Watchdog::start();
    let watcher = watcher();
    let (child, control) = start("serve");
    watcher.add(&child, 7).expect("a watch");
    watcher.remove(&child);
    watcher.remove(&child);
    drop(control);
    end_of(&child);
    watcher.wake();
    assert_eq!(next(&watcher), []);
}

#[test]
fn a_child_is_watched_once_and_under_an_allowed_token() {
    let watcher = watcher();
    let (child, _control) = start("serve");
    watcher.add(&child, 1).expect("a watch");
    let error = watcher.add(&child, 2).expect_err("it is watched already");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{error}");
    let error = watcher.add(&child, Watcher::TOKEN_RESERVED);
    let error = error.expect_err("the token is reserved");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
}

#[test]
fn many_wake_ups_before_a_wait_are_as_one() {
    let _watchdog = Watchdog::start();
    let watcher = watcher();
    for _ in 0..1000 {
        watcher.wake();
    }
    assert_eq!(next(&watcher), []);
    let (child, control) = start("serve");
    watcher.add(&child, 7).expect("a watch");
    drop(control);
    assert_eq!(next(&watcher), [7], "no wake-up is left");
}

#[test]
fn a_waiting_thread_is_woken_and_sees_children_added_meanwhile() {
    let _watchdog = Watchdog::start();
    let watcher = watcher();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| next(&watcher));
        watcher.wake();
        assert_eq!(waiter.join().expect("no panic"), []);

        let waiter = scope.spawn(|| next(&watcher));
        let (child, control) = start("serve");
        watcher.add(&child, 7).expect("a watch");
        drop(control);
        assert_eq!(waiter.join().expect("no panic"), [7]);
    });
}

#[test]
fn a_child_that_dies_under_a_tracer_is_reported_at_once_and_when_it_is_let_go() {
    let _watchdog = Watchdog::start();
    let watcher = watcher();
    let (child, _control) = start("serve");
    watcher.add(&child, 7).expect("a watch");
    let (tracer, traced) = start("trace");
    traced.send(&child.pid().to_ne_bytes(), &[]).expect("the tracer listens");
    let answer = String::from_utf8(receive(&traced).0).expect("text");
    if answer != "traced" {
        eprintln!("skipped: no process may trace another here: {answer}");
        return;
    }
    child.kill().expect("it can be killed");
    assert_eq!(next(&watcher), [7]);
    assert_eq!(child.try_reap().expect("an answer"), None, "its status is the tracer's first");
    let withheld = loop {
        match child.try_reap().expect("an answer") {
            None => thread::sleep(Duration::from_millis(5)),
            Some(exit) => break exit,
        }
    };
    assert_eq!(withheld, Exit::Withheld, "and is not waited for without end");
    let mut exited = Vec::new();
    watcher.wait(&mut exited, Some(Duration::ZERO)).expect("a wait");
    assert_eq!(exited, [], "nothing has changed");
    drop(traced);
    assert_eq!(next(&watcher), [7], "it is reported again when its status can be had");
    assert_eq!(
        child.try_reap().expect("an answer").map(|exit| exit.to_string()),
        Some("SIGKILL (killed)".into())
    );
    end_of(&tracer);
}
