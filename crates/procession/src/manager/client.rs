//! The callers' side: connections to managers, which all proxies of a process share.

use super::wire::{self, HEAD_BYTES, answer, ask};
use crate::connection::{Address, Dialled, dial};
use parking_lot::Mutex;
use procession_core::authkey::AuthKey;
use procession_core::message::PanicReport;
use procession_core::{Error, Result};
use procession_ipc::queue::{Got, Put};
use procession_os::image;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// A manager, as a process that calls it knows it.
#[derive(Debug)]
pub(super) struct Server {
    address: Address,
    key: AuthKey,
}

/// Connections that nobody uses now.
#[derive(Default)]
struct Idle {
    /// The process whose they are: a forked copy must not speak over its parent's.
    owner: u32,
    /// By their manager's address, and the key that it was given.
    kept: HashMap<(String, AuthKey), Vec<Dialled>>,
}

static IDLE: LazyLock<Mutex<Idle>> = LazyLock::new(Mutex::default);

/// Most connections to one manager that are kept.
const IDLE_MAX: usize = 64;

/// A number for this process, among all that call.
fn own_number() -> u64 {
    static OWN: Mutex<(u32, u64)> = Mutex::new((0, 0));
    let mut own = OWN.lock();
    if own.0 != std::process::id() {
        *own = (std::process::id(), fresh_number());
    }
    own.1
}

/// A number that nobody else has.
pub(super) fn fresh_number() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness no key could be made, and so there would be no manager.
    getrandom::fill(&mut bytes).expect("the system's source of randomness");
    u64::from_le_bytes(bytes)
}

impl Server {
    pub(super) fn new(address: Address, key: AuthKey) -> Self {
        Self { address, key }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Makes sure that it is there.
    pub(super) fn ping(&self) -> Result<()> {
        self.connect().map(|connection| self.put_back(connection))
    }

    fn place(&self) -> (String, AuthKey) {
        (self.address.to_string(), self.key.clone())
    }

    fn connect(&self) -> Result<Dialled> {
        let connection = dial(&self.address, &self.key)?;
        let mut frame = Vec::new();
        wire::begin(&mut frame, ask::HELLO, own_number(), 0);
        frame.extend_from_slice(image::identity().as_bytes());
        exchange(&connection, &mut frame).map_err(Trouble::into_error)??;
        Ok(connection)
    }

    /// A connection for one call.
    fn take(&self) -> Result<Dialled> {
        {
            let mut idle = IDLE.lock();
            if idle.owner != std::process::id() {
                *idle = Idle { owner: std::process::id(), kept: HashMap::new() };
            }
            let kept = idle.kept.get_mut(&self.place());
            if let Some(connection) = kept.and_then(Vec::pop) {
                return Ok(connection);
            }
        }
        self.connect()
    }

    fn put_back(&self, connection: Dialled) {
        let mut idle = IDLE.lock();
        let kept = idle.kept.entry(self.place()).or_default();
        if kept.len() < IDLE_MAX {
            kept.push(connection);
        }
    }

    /// Asks, and waits for the answer, whose payload is left in `frame` behind its head.
    ///
    /// # Errors
    /// What the answer says; [`Error::is_closed`] when the manager has ended.
    pub(super) fn ask(&self, frame: &mut Vec<u8>) -> Result<()> {
        let mut connection = self.take()?;
        let asked = frame.clone();
        let answered = match exchange(&connection, frame) {
            // Kept from before the manager ended, or from another that had its name.
            Err(Trouble::NeverSent) => {
                self.forget();
                connection = self.take()?;
                *frame = asked;
                exchange(&connection, frame)
            }
            answered => answered,
        };
        // Whatever it says: with this process's last connection the manager lets go of all that it has.
        let answer = answered.map_err(Trouble::into_error)?;
        self.put_back(connection);
        answer
    }

    /// Lets go of connections that nobody uses.
    pub(super) fn forget(&self) {
        let kept = IDLE.lock().kept.remove(&self.place());
        drop(kept);
    }
}

/// Why there is no answer.
enum Trouble {
    /// The connection had ended before it was asked.
    NeverSent,
    Error(Error),
}

impl Trouble {
    fn into_error(self) -> Error {
        match self {
            Self::NeverSent => ended(),
            Self::Error(error) => error,
        }
    }
}

fn ended() -> Error {
    Error::closed("the manager has ended")
}

/// Asks and is answered, with a value or an error.
fn exchange(connection: &Dialled, frame: &mut Vec<u8>) -> std::result::Result<Result<()>, Trouble> {
    let failed = |source| Trouble::Error(Error::system("cannot call a manager", source));
    if connection.send(frame).map_err(failed)? != Put::Done {
        return Err(Trouble::NeverSent);
    }
    if connection.recv(frame, None).map_err(failed)? != Got::Item {
        return Err(Trouble::Error(ended()));
    }
    let Some((kind, _, _, payload)) = wire::split(frame) else {
        return Err(Trouble::Error(Error::codec("a manager's answer is cut off")));
    };
    let text = || String::from_utf8_lossy(payload).into_owned();
    Ok(Err(match kind {
        answer::VALUE => return Ok(Ok(())),
        answer::PANIC => {
            let report = postcard::from_bytes::<PanicReport>(payload);
            report.map_or_else(
                |_| Error::codec("a panic's report cannot be read"),
                |report| Error::panicked(None, report),
            )
        }
        answer::CODEC => Error::codec(text()),
        answer::GONE => super::gone(),
        answer::REFUSED => Error::refused(text()),
        _ => Error::codec("a manager's answer is of no known kind"),
    }))
}

/// The payload of an answer.
pub(super) fn payload(frame: &[u8]) -> &[u8] {
    frame.get(HEAD_BYTES..).unwrap_or_default()
}

/// Shared by all proxies of a manager.
pub(super) type Shared = Arc<Server>;
