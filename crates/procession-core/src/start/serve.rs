//! The template's side: a process of the program that is forked for each child.
//!
//! It has one thread, so a copy of it is whole. It runs the program's preload function, then takes
//! orders over its control channel. For each it forks itself; the copy is a child of the program, not
//! its own, and goes on to become a worker like any other child. It ends with the program.

use super::bootstrap::{self, REFUSED};
use super::template::name_of;
use crate::face::{self, Code};
use crate::message::{OrderHead, Parcel};
use crate::payload::{Input, Output};
use crate::worker::panic_hook::{discard, message_of};
use procession_os::control::{Control, Received};
use procession_os::copy::{self, Copied, Ties};
use procession_os::handle::Handle;
use procession_os::leash::Leash;
use procession_os::process::exit_now;
use std::io::{ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Longest wait for threads to vanish that the preload function has waited for itself: the system
/// says that a thread is gone a little before it has taken it off its list.
const THREADS_PATIENCE: Duration = Duration::from_millis(500);

/// Serves the program until it is gone. Returns in each copy, with its control channel. Copies live no
/// longer than the program, and where `parent` is given, no longer than the thread of it that launches.
pub(super) fn serve(control: Control, preload: Option<Code>, parent: Option<u32>) -> Control {
    procession_os::process::set_name(&name_of(std::process::id()));
    if let Err(why) = prepare(preload) {
        bootstrap::refuse(&control, why);
    }
    send(&control, &Parcel::Ready);
    let (mut bytes, mut handles) = (Vec::new(), Vec::new());
    loop {
        match control.recv(&mut bytes, &mut handles, true) {
            Ok(Received::Message) => {}
            Ok(Received::Empty) => continue,
            // The program is gone, or wants no more of this template.
            Ok(Received::Closed) => exit_now(0),
            // This order is lost for want of descriptors; the next one may find some.
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                send(&control, &Parcel::NotForked(error.to_string()));
                continue;
            }
            Err(_) => exit_now(REFUSED),
        }
        let order = Parcel::from_bytes(&bytes).and_then(|received| received.parcel);
        let Some(Parcel::Order(head, surroundings)) = order else { exit_now(REFUSED) };
        if handles.len() < 2 {
            exit_now(REFUSED);
        }
        let leash = Some(Leash::from_handle(handles.remove(1)));
        match copy::fork_sibling(Ties { parent, leash }) {
            Ok(Copied::Copy) => {
                drop(control);
                return become_copy(head, &surroundings, handles);
            }
            Ok(Copied::Original(pid)) => send(&control, &Parcel::Forked(pid)),
            Err(error) => send(&control, &Parcel::NotForked(error.to_string())),
        }
        // The copy has its own; here, the end of a worker's channel would keep it open.
        handles.clear();
    }
}

/// Runs the preload function, and sees to it that this process can be copied after it.
fn prepare(preload: Option<Code>) -> Result<(), String> {
    if let Some(code) = preload {
        run_preload(code)?;
    }
    // Once for all copies.
    let _ = procession_ipc::spin::Spin::new().wait(|| true);
    // What it has left in a buffer would be written by every copy. A stream that does not take it
    // now does not take it later.
    let _ = std::io::stdout().flush();
    let deadline = Instant::now() + THREADS_PATIENCE;
    loop {
        let others = copy::thread_count().map_or(0, |count| count.saturating_sub(1));
        if others == 0 {
            break;
        }
        if Instant::now() >= deadline {
            return Err(format!(
                "the preload function, or what the program does before it calls procession, left \
                 {others} {} running in the template, which would not exist in its children: end \
                 and join what is started there",
                if others == 1 { "thread" } else { "threads" }
            ));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    copy::prepare().map_err(|error| format!("a template cannot be forked here: {error}"))
}

fn run_preload(code: Code) -> Result<(), String> {
    let call =
        || face::installed().call(code, &mut Input::Slice(&[]), &mut Output::new(Vec::new(), None));
    // What it leaves half-changed is the program's own.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("the preload function cannot be called: {error}")),
        Err(payload) => {
            let why = format!("the preload function panicked: {}", message_of(&*payload));
            discard(payload);
            Err(why)
        }
    }
}

fn send(control: &Control, parcel: &Parcel) {
    if control.send(&parcel.to_bytes(), &[]).is_err() {
        // The program is gone, or does not listen: it will find this template dead.
        exit_now(REFUSED);
    }
}

/// Takes on what the order says: the child's end of its own control channel, and what the program
/// has around it.
fn become_copy(head: OrderHead, surroundings: &[u8], mut handles: Vec<Handle>) -> Control {
    let Ok(control) = Control::from_handle(handles.remove(0)) else { exit_now(REFUSED) };
    if let Err(error) = procession_os::surroundings::apply(surroundings, head.streams, handles) {
        bootstrap::refuse(&control, format!("a child cannot take its surroundings: {error}"));
    }
    control
}
