//! What the tests share.

use std::ffi::OsString;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use procession_os::control::{Control, Received};
use procession_os::exit_watch::Watcher;
use procession_os::handle::Handle;
use procession_os::process::{Child, Exit, Launch, launch};

use crate::roles::{ROLE, TOKEN};

/// Longer than any of these tests takes on any machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Ends the test run if the test that holds this hangs.
pub(crate) struct Watchdog {
    _calls_off: Sender<()>,
}

impl Watchdog {
    pub(crate) fn start() -> Watchdog {
        let test = thread::current().name().unwrap_or_default().to_owned();
        let (calls_off, called_off) = mpsc::channel::<()>();
        thread::spawn(move || {
            if called_off.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{test} hangs");
                std::process::abort();
            }
        });
        Watchdog { _calls_off: calls_off }
    }
}

/// A child that plays a role, and our end of its channel.
pub(crate) fn start(role: &str) -> (Child, Control) {
    start_with(role, &[])
}

/// As [`start`], with more variables in its environment.
pub(crate) fn start_with(role: &str, more: &[(&str, Option<&str>)]) -> (Child, Control) {
    let (ours, theirs) = Control::pair().expect("a channel");
    let own = [(ROLE, Some(role.to_owned())), (TOKEN, Some(theirs.inherit_token()))];
    let more = more.iter().map(|&(name, value)| (name, value.map(str::to_owned)));
    let variables: Vec<_> = own
        .into_iter()
        .chain(more)
        .map(|(name, value)| (OsString::from(name), value.map(OsString::from)))
        .collect();
    let child = launch(&Launch {
        executable: None,
        arguments: &[],
        variables: &variables,
        control: &theirs,
    });
    (child.expect("a child"), ours)
}

/// Waits for the end of a child.
pub(crate) fn end_of(child: &Child) -> Exit {
    let watcher = Watcher::new().expect("a watcher");
    watcher.add(child, 1).expect("a watch");
    let mut exited = Vec::new();
    while exited.is_empty() {
        watcher.wait(&mut exited, None).expect("a wait");
    }
    let exit = child.try_reap().expect("a child can be reaped");
    exit.expect("a child that has ended has a status")
}

/// Receives a message, waiting for it.
pub(crate) fn receive(control: &Control) -> (Vec<u8>, Vec<Handle>) {
    let (mut bytes, mut handles) = (Vec::new(), Vec::new());
    let received = control.recv(&mut bytes, &mut handles, true);
    assert_eq!(received.expect("a message"), Received::Message);
    (bytes, handles)
}

/// Waits until the peer is gone.
pub(crate) fn await_closed(control: &Control) {
    let (mut bytes, mut handles) = (Vec::new(), Vec::new());
    let received = control.recv(&mut bytes, &mut handles, true);
    assert_eq!(received.expect("an end"), Received::Closed);
}
