//! So many at a time.

use super::place::{Object, Place, cannot, check_bytes, travels};
use procession_core::{Error, Result};
use procession_ipc::sync::{self as ipc, Acquired, SEMAPHORE_BYTES};
use std::time::Duration;

const CANNOT: &str = "cannot take part in a shared semaphore";

/// Permits that processes and threads take and give back: Python's `Semaphore`.
///
/// A [`Permit`] comes back when it is dropped, and when the process that has it dies, however it dies. What
/// is taken by [`acquire_raw`](Self::acquire_raw) is in nobody's name, and comes back when anybody calls
/// [`release`](Self::release): so one process can count what another takes.
///
/// ```
/// use procession::{Pool, Semaphore};
///
/// fn fetch(at_once: Semaphore, page: u32) -> procession::Result<u32> {
///     let _permit = at_once.acquire()?; // no more than two at a time
///     Ok(page * 2)
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let at_once = Semaphore::new(2)?;
///     let pool = Pool::new(2)?;
///     let pages = pool.starmap(fetch, (0..10).map(|page| (at_once.clone(), page)))?;
///     assert_eq!(pages.len(), 10);
///     assert_eq!(at_once.get_value(), 2);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Semaphore {
    place: Place,
    semaphore: ipc::Semaphore,
}

impl Object for Semaphore {
    fn at_place(place: Place) -> std::result::Result<Self, String> {
        check_bytes(&place, SEMAPHORE_BYTES)?;
        let semaphore = ipc::Semaphore::new(place.roster().clone(), place.at());
        Ok(Self { place, semaphore })
    }

    fn place(&self) -> &Place {
        &self.place
    }
}

travels!(Semaphore);

impl Semaphore {
    /// Makes a semaphore with so many permits.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors.
    pub fn new(permits: u32) -> Result<Self> {
        Self::bounded(permits, None)
    }

    fn bounded(permits: u32, bound: Option<u32>) -> Result<Self> {
        let semaphore = Self::at_place(Place::new::<Self>(SEMAPHORE_BYTES)?);
        let semaphore = semaphore.map_err(Error::usage)?;
        semaphore.semaphore.begin(permits, bound);
        Ok(semaphore)
    }

    fn take(&self, named: bool, timeout: Option<Duration>) -> Result<Option<Acquired>> {
        self.semaphore.acquire(named, timeout).map_err(cannot(CANNOT))
    }

    fn permit(&self, how: Acquired) -> Permit<'_> {
        Permit { semaphore: self, owner_died: how == Acquired::Inherited }
    }

    /// Waits for a permit, and has it as long as the guard lives.
    ///
    /// Woken by a release and by the death of a process that has permits.
    ///
    /// # Errors
    /// When this process cannot take part: more than 1023 processes do, or it can start no thread.
    pub fn acquire(&self) -> Result<Permit<'_>> {
        loop {
            if let Some(how) = self.take(true, None)? {
                return Ok(self.permit(how));
            }
        }
    }

    /// As [`acquire`](Self::acquire), for at most so long; `None` when that has passed.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Option<Permit<'_>>> {
        Ok(self.take(true, Some(timeout))?.map(|how| self.permit(how)))
    }

    /// As [`acquire`](Self::acquire), without waiting; `None` when there is none.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    pub fn try_acquire(&self) -> Result<Option<Permit<'_>>> {
        self.acquire_timeout(Duration::ZERO)
    }

    /// Takes a permit in nobody's name, as Python's `acquire`; `false` when `timeout` has passed.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    pub fn acquire_raw(&self, timeout: Option<Duration>) -> Result<bool> {
        Ok(self.take(false, timeout)?.is_some())
    }

    /// Gives so many permits more: those that were taken by [`acquire_raw`](Self::acquire_raw), here or
    /// anywhere, or new ones.
    ///
    /// # Errors
    /// When more would be free than fit into a `u32`; and as [`acquire`](Self::acquire).
    pub fn release(&self, permits: u32) -> Result<()> {
        if self.semaphore.release(false, permits).map_err(cannot(CANNOT))? {
            return Ok(());
        }
        Err(Error::usage("a semaphore is released more often than it may be"))
    }

    /// How many permits are free; another number a moment later.
    pub fn get_value(&self) -> u32 {
        self.semaphore.value()
    }
}

/// Has a permit of a [`Semaphore`] or [`BoundedSemaphore`] until it is dropped.
#[derive(Debug)]
#[must_use = "the permit is given back where the guard is dropped"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    owner_died: bool,
}

impl Permit<'_> {
    /// Whether it comes from a process that died with it.
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // This process takes part, so it fails only where something has written over the semaphore.
        let _ = self.semaphore.semaphore.release(true, 1);
    }
}

/// A [`Semaphore`] that is never given more permits than it had at first: Python's `BoundedSemaphore`.
///
/// ```
/// let semaphore = procession::BoundedSemaphore::new(1)?;
/// assert!(semaphore.release(1).is_err());
/// # Ok::<(), procession::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BoundedSemaphore(Semaphore);

impl Object for BoundedSemaphore {
    fn at_place(place: Place) -> std::result::Result<Self, String> {
        Semaphore::at_place(place).map(Self)
    }

    fn place(&self) -> &Place {
        self.0.place()
    }
}

impl serde::Serialize for BoundedSemaphore {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for BoundedSemaphore {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        Semaphore::deserialize(deserializer).map(Self)
    }
}

impl BoundedSemaphore {
    /// Makes a semaphore with so many permits, at least one.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors, or there are to be no permits.
    pub fn new(permits: u32) -> Result<Self> {
        if permits == 0 {
            return Err(Error::usage("a bounded semaphore has at least one permit"));
        }
        Semaphore::bounded(permits, Some(permits)).map(Self)
    }
}

impl std::ops::Deref for BoundedSemaphore {
    type Target = Semaphore;

    fn deref(&self) -> &Semaphore {
        &self.0
    }
}
