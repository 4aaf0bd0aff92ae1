//! A flag that is waited for.

use super::place::{Object, Place, check_bytes, travels};
use procession_core::{Error, Result};
use procession_ipc::sync::{self as ipc, EVENT_BYTES};
use std::time::Duration;

/// A flag that processes and threads set, clear and wait for: Python's `Event`.
///
/// Who waits while it is set sees that, also if it is cleared at once.
///
/// ```
/// use procession::{Event, Process};
///
/// fn wait_for(start: Event) {
///     start.wait();
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let start = Event::new()?;
///     let mut process = Process::new(wait_for, (start.clone(),));
///     process.start()?;
///     start.set();
///     process.join()
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Event {
    place: Place,
    event: ipc::Event,
}

impl Object for Event {
    fn at_place(place: Place) -> std::result::Result<Self, String> {
        check_bytes(&place, EVENT_BYTES)?;
        let event = ipc::Event::new(place.roster().clone(), place.at());
        Ok(Self { place, event })
    }

    fn place(&self) -> &Place {
        &self.place
    }
}

travels!(Event);

impl Event {
    /// Makes an event that is not set.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors.
    pub fn new() -> Result<Self> {
        Self::at_place(Place::new::<Self>(EVENT_BYTES)?).map_err(Error::usage)
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.event.is_set()
    }

    /// Sets it, and wakes all who wait for it.
    pub fn set(&self) {
        self.event.set();
    }

    /// Clears it.
    pub fn clear(&self) {
        self.event.clear();
    }

    /// Waits until it is set. Woken by [`set`](Self::set) and nothing else.
    pub fn wait(&self) {
        self.event.wait(None);
    }

    /// Waits until it is set, at most so long; whether it was. Woken by [`set`](Self::set), or when the time
    /// has passed.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.event.wait(Some(timeout))
    }
}
