//! Copies of processes, and leashes.

use procession_os::control::{Control, Received};
use procession_os::copy::{adopt, adopt_strays};
use procession_os::leash::Leash;
use procession_os::process::{Child, Exit};
use procession_os::signal;
use procession_os::surroundings::{Streams, Surroundings};

use crate::support::{Watchdog, end_of, receive, start};

/// Orders a copy; gives the end of its channel.
fn order(template: &Control) -> Control {
    let (ours, theirs) = Control::pair().expect("a channel");
    let streams = Streams::own();
    let changes = Surroundings::now().changes().expect("nothing has changed");
    assert!(changes.handle().is_none());
    let mut bytes = vec![streams.open()];
    bytes.extend(changes.to_bytes());
    let mut handles = vec![theirs.handle()];
    handles.extend_from_slice(streams.handles());
    template.send(&bytes, &handles).expect("the template listens");
    ours
}

fn copy_of(template: &Control) -> (Child, Control) {
    let ours = order(template);
    let pid = u32::from_ne_bytes(receive(template).0.try_into().expect("a process id"));
    (adopt(pid).expect("it is a child of this process"), ours)
}

#[test]
fn a_copy_is_a_child_of_the_parent() {
    let _watchdog = Watchdog::start();
    let (template, control) = start("be copied");
    let copies: Vec<_> = (0..3).map(|_| copy_of(&control)).collect();
    drop(control);
    assert_eq!(end_of(&template), Exit::Code(0));
    for (copy, control) in copies {
        let found = String::from_utf8(receive(&control).0).expect("text");
        // As a thread of its own says: the copy's own id, this process's, and how many there are.
        assert_eq!(found, format!("{} {} 2", copy.pid(), std::process::id()));
        drop(control);
        assert_eq!(end_of(&copy), Exit::Code(7));
    }
}

#[test]
fn a_copy_that_was_not_told_of_is_found() {
    let _watchdog = Watchdog::start();
    let (template, control) = start("be copied");
    let copy = order(&control);
    // It runs.
    let found = String::from_utf8(receive(&copy).0).expect("text");
    let pid: u32 = found.split(' ').next().and_then(|pid| pid.parse().ok()).expect("a process id");
    template.kill().expect("it can be killed");
    end_of(&template);
    let name = format!("strays{}", template.pid());
    assert_eq!(adopt_strays(&name, |known| known == pid).len(), 0, "it is known");
    let strays = adopt_strays(&name, |_| false);
    assert_eq!(strays.iter().map(Child::pid).collect::<Vec<_>>(), [pid]);
    strays[0].kill().expect("it can be killed");
    assert_eq!(end_of(&strays[0]).code_like_python(), Some(-signal::KILL));
}

#[test]
fn a_stranger_is_not_adopted() {
    for pid in [0, 1, std::process::id(), u32::MAX] {
        adopt(pid).expect_err("it is no child of this process");
    }
}

#[test]
fn a_process_with_threads_is_not_copied() {
    let _watchdog = Watchdog::start();
    let (child, _control) = start("be copied with a thread");
    assert_eq!(end_of(&child), Exit::Code(0));
}

#[test]
fn who_is_on_a_leash_goes_when_it_is_let_go() {
    let _watchdog = Watchdog::start();
    let (child, control) = start("be on a leash");
    let (hold, leash) = Leash::pair().expect("a leash");
    control.send(b"wear it", &[leash.handle()]).expect("the child listens");
    drop(leash);
    assert_eq!(receive(&control).0, b"worn");
    assert_eq!(child.try_reap().expect("an answer"), None);
    let received = control.recv(&mut Vec::new(), &mut Vec::new(), false);
    assert_eq!(received.expect("an answer"), Received::Empty, "it lives");
    drop(hold);
    assert_eq!(end_of(&child).code_like_python(), Some(-signal::KILL));
}

#[test]
fn a_leash_that_nobody_holds_is_told() {
    let _watchdog = Watchdog::start();
    let (child, _control) = start("wear what nobody holds");
    assert_eq!(end_of(&child), Exit::Code(0));
}

#[test]
fn a_forked_copy_lets_go_of_what_is_the_parents() {
    let _watchdog = Watchdog::start();
    let (child, control) = start("be forked");
    assert_eq!(receive(&control).0, b"done");
    assert_eq!(end_of(&child), Exit::Code(0));
}

#[test]
fn a_process_with_threads_is_not_forked() {
    let _watchdog = Watchdog::start();
    let (one, _other) = Control::pair().expect("a channel");
    let (hold, leash) = Leash::pair().expect("a leash");
    let forked = procession_os::copy::fork(&one, &hold, leash);
    let error = forked.expect_err("this is a test's thread");
    assert!(error.to_string().contains("other thread"), "{error}");
}
