//! The manager's own process.

use super::wire::{self, answer, ask};
use crate::codec::{self, CodecError};
use crate::connection::{Dialled, Listener, Sender};
use crate::entry::{self, Object};
use parking_lot::Mutex;
use procession_core::face::Code;
use procession_core::payload::{Input, Output};
use procession_core::worker::catch_panic;
use procession_ipc::queue::Got;
use procession_os::image;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Time before another try to take somebody in.
const TRY_AGAIN: Duration = Duration::from_millis(10);

/// What the manager has.
#[derive(Default)]
struct State {
    next: u64,
    objects: HashMap<u64, Entry>,
    callers: HashMap<u64, Caller>,
}

/// An object, and who has it.
struct Entry {
    object: Arc<dyn Object>,
    /// Processes that have proxies of it, and proxies on their way.
    holds: u64,
    /// The numbers of those on their way.
    lent: Vec<u64>,
}

/// A process that calls.
#[derive(Default)]
struct Caller {
    connections: u64,
    /// What it has, and how many times.
    has: HashMap<u64, u64>,
}

impl State {
    fn hold(&mut self, caller: u64, id: u64) {
        *self.callers.entry(caller).or_default().has.entry(id).or_default() += 1;
    }

    /// Gives the object if that was the last hold of it, to be dropped where nothing is locked.
    #[must_use]
    fn let_go(&mut self, id: u64, holds: u64) -> Option<Arc<dyn Object>> {
        let entry = self.objects.get_mut(&id)?;
        entry.holds = entry.holds.saturating_sub(holds);
        if entry.holds > 0 { None } else { self.objects.remove(&id).map(|entry| entry.object) }
    }

    fn come(&mut self, caller: u64) {
        self.callers.entry(caller).or_default().connections += 1;
    }

    /// One connection of a process has ended; with the last, it has.
    #[must_use]
    fn go(&mut self, caller: u64) -> Vec<Arc<dyn Object>> {
        let Some(known) = self.callers.get_mut(&caller) else { return Vec::new() };
        known.connections -= 1;
        if known.connections > 0 {
            return Vec::new();
        }
        let has = self.callers.remove(&caller).map(|caller| caller.has).unwrap_or_default();
        has.into_iter().filter_map(|(id, count)| self.let_go(id, count)).collect()
    }
}

/// Says where it is found, and serves until it is killed.
pub(super) fn serve(told: Sender<String>) {
    let listening = Listener::new().and_then(|listener| {
        let address = listener.address()?;
        told.send(&address.to_string())?;
        Ok(listener)
    });
    let listener = match listening {
        Ok(listener) => listener,
        // The one that has started it gets the message with its end.
        Err(error) => panic!("{error}"),
    };
    drop(told);
    let state = Arc::new(Mutex::new(State::default()));
    loop {
        let Ok(came) = listener.accept_unproved() else {
            // There is no descriptor for it now. It waits, and is there at the next try.
            std::thread::sleep(TRY_AGAIN);
            continue;
        };
        let state = state.clone();
        let talk = move || {
            if let Ok(connection) = came.prove() {
                converse(&state, &connection);
            }
        };
        // Without a thread for it, it is told so by the end of its connection.
        let _ = std::thread::Builder::new().name("Manager-caller".into()).spawn(talk);
    }
}

/// Talks to one caller until it has gone.
fn converse(state: &Mutex<State>, connection: &Dialled) {
    let mut frame = Vec::new();
    let Ok(Got::Item) = connection.recv(&mut frame, None) else { return };
    let (kind, caller) = match wire::split(&frame) {
        Some((ask::HELLO, caller, _, identity)) if identity == image::identity().as_bytes() => {
            (answer::VALUE, caller)
        }
        _ => (answer::REFUSED, 0),
    };
    wire::begin(&mut frame, kind, 0, 0);
    if kind == answer::REFUSED {
        frame.extend_from_slice(b"the manager is of another build of this program");
    }
    let is_sent = connection.send(&frame).is_ok();
    if kind == answer::REFUSED || !is_sent {
        return;
    }
    state.lock().come(caller);
    while let Ok(Got::Item) = connection.recv(&mut frame, None) {
        respond(state, caller, &mut frame);
        if connection.send(&frame).is_err() {
            break;
        }
    }
    let unwanted = state.lock().go(caller);
    let _ = catch_panic(|| drop(unwanted));
}

/// What came of a request.
enum Outcome {
    Value(Vec<u8>),
    Refused(u8, Vec<u8>),
}

impl Outcome {
    fn number(number: u64) -> Self {
        codec::encode_item(&number, Vec::new())
            .map_or_else(Self::codec, |(bytes, _)| Self::Value(bytes))
    }

    fn codec(error: CodecError) -> Self {
        Self::Refused(answer::CODEC, error.to_string().into_bytes())
    }

    fn gone() -> Self {
        Self::Refused(answer::GONE, Vec::new())
    }
}

/// Puts the answer in place of the request.
fn respond(state: &Mutex<State>, caller: u64, frame: &mut Vec<u8>) {
    let outcome = match wire::split(frame) {
        Some((ask::MAKE, code, _, args)) => make(state, caller, code, args),
        Some((ask::CALL, id, code, args)) => call(state, id, code, args),
        Some((ask::LEND, id, number, _)) => lend(state, id, number),
        Some((ask::ADOPT, id, number, _)) => adopt(state, caller, id, number),
        Some((ask::DROP, id, ..)) => let_go(state, caller, id),
        _ => Outcome::Refused(answer::REFUSED, b"a request of no known kind".to_vec()),
    };
    match outcome {
        Outcome::Value(bytes) => {
            wire::begin(frame, answer::VALUE, 0, 0);
            frame.extend_from_slice(&bytes);
        }
        Outcome::Refused(kind, bytes) => {
            wire::begin(frame, kind, 0, 0);
            frame.extend_from_slice(&bytes);
        }
    }
}

/// Runs the program's code, and says what came of it.
fn run<R>(call: impl FnOnce() -> Result<R, CodecError>) -> Result<R, Outcome> {
    match catch_panic(call) {
        Ok(returned) => returned.map_err(Outcome::codec),
        Err(report) => {
            let report = postcard::to_allocvec(&report).unwrap_or_default();
            Err(Outcome::Refused(answer::PANIC, report))
        }
    }
}

fn make(state: &Mutex<State>, caller: u64, code: Code, args: &[u8]) -> Outcome {
    match run(|| entry::make(code, &mut Input::Slice(args))) {
        Ok(object) => {
            let mut state = state.lock();
            state.next += 1;
            let id = state.next;
            state.objects.insert(id, Entry { object, holds: 1, lent: Vec::new() });
            state.hold(caller, id);
            Outcome::number(id)
        }
        Err(outcome) => outcome,
    }
}

fn call(state: &Mutex<State>, id: u64, code: Code, args: &[u8]) -> Outcome {
    let object = state.lock().objects.get(&id).map(|entry| entry.object.clone());
    let Some(object) = object else { return Outcome::gone() };
    let mut output = Output::new(Vec::new(), None);
    let called = run(|| entry::call_method(code, &*object, &mut Input::Slice(args), &mut output));
    let returned = match called {
        Ok(()) => Outcome::Value(std::mem::take(output.bytes())),
        Err(outcome) => outcome,
    };
    // Its last proxy may have gone meanwhile.
    let _ = catch_panic(|| drop(object));
    returned
}

fn lend(state: &Mutex<State>, id: u64, number: u64) -> Outcome {
    let mut state = state.lock();
    let Some(entry) = state.objects.get_mut(&id) else { return Outcome::gone() };
    entry.holds += 1;
    entry.lent.push(number);
    Outcome::Value(Vec::new())
}

fn adopt(state: &Mutex<State>, caller: u64, id: u64, number: u64) -> Outcome {
    let mut state = state.lock();
    let Some(entry) = state.objects.get_mut(&id) else { return Outcome::gone() };
    match entry.lent.iter().position(|lent| *lent == number) {
        Some(place) => drop(entry.lent.swap_remove(place)),
        // The arguments of a task that is tried again arrive more than once.
        None => entry.holds += 1,
    }
    state.hold(caller, id);
    Outcome::Value(Vec::new())
}

fn let_go(state: &Mutex<State>, caller: u64, id: u64) -> Outcome {
    let unwanted = {
        let mut state = state.lock();
        let has = state.callers.get_mut(&caller).and_then(|caller| caller.has.get_mut(&id));
        match has {
            Some(count) if *count > 0 => {
                *count -= 1;
                state.let_go(id, 1)
            }
            _ => None,
        }
    };
    let _ = catch_panic(|| drop(unwanted));
    Outcome::Value(Vec::new())
}
