//! One at a time.

use super::place::{Object, Place, cannot, check_bytes, travels};
use procession_core::{Error, Result};
use procession_ipc::sync::{self as ipc, Acquired, LOCK_BYTES};
use std::time::Duration;

const CANNOT: &str = "cannot take part in a shared lock";

/// A lock that processes and threads take turns by: Python's `Lock`.
///
/// It lies in shared memory and is an argument like any other. A handle that is cloned or sent is another
/// handle of the same lock. Without contention taking it costs about as much as a `std::sync::Mutex`.
///
/// If its holder dies, however it dies, the next one gets it, and is told by
/// [`owner_died`](LockGuard::owner_died): what the lock protects may be half changed.
///
/// ```
/// use procession::{Lock, Pool, Value};
///
/// fn add(lock: Lock, sum: Value<u64>, x: u64) -> procession::Result<()> {
///     let _guard = lock.lock()?;
///     sum.set(sum.get()? + x)
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let (lock, sum) = (Lock::new()?, Value::new(0_u64)?);
///     let pool = Pool::new(2)?;
///     let calls = (1..=100).map(|x| (lock.clone(), sum.clone(), x));
///     for added in pool.starmap(add, calls)? {
///         added?;
///     }
///     assert_eq!(sum.get()?, 5050);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Lock {
    place: Place,
    lock: ipc::Lock,
}

impl Object for Lock {
    fn at_place(place: Place) -> std::result::Result<Self, String> {
        check_bytes(&place, LOCK_BYTES)?;
        let lock = ipc::Lock::new(place.roster().clone(), place.at());
        Ok(Self { place, lock })
    }

    fn place(&self) -> &Place {
        &self.place
    }
}

travels!(Lock);

impl Lock {
    /// Makes a lock that nobody holds.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors.
    pub fn new() -> Result<Self> {
        Self::at_place(Place::new::<Self>(LOCK_BYTES)?).map_err(Error::usage)
    }

    /// Waits until nobody holds the lock, and holds it as long as the guard lives.
    ///
    /// Woken by the release of the lock and by the death of its holder. A thread that holds it already
    /// waits for itself for ever; see [`RLock`](crate::RLock).
    ///
    /// # Errors
    /// When this process cannot take part: more than 1023 processes do, or it can start no thread.
    pub fn lock(&self) -> Result<LockGuard<'_>> {
        let how = self.lock.acquire(None).map_err(cannot(CANNOT))?;
        // Without a timeout there is no other end than the lock.
        Ok(self.guard(how.unwrap_or(Acquired::Inherited)))
    }

    /// As [`lock`](Self::lock), for at most so long; `None` when that has passed.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<Option<LockGuard<'_>>> {
        let how = self.lock.acquire(Some(timeout)).map_err(cannot(CANNOT))?;
        Ok(how.map(|how| self.guard(how)))
    }

    /// As [`lock`](Self::lock), without waiting; `None` when somebody holds it.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn try_lock(&self) -> Result<Option<LockGuard<'_>>> {
        let how = self.lock.try_acquire().map_err(cannot(CANNOT))?;
        Ok(how.map(|how| self.guard(how)))
    }

    fn guard(&self, how: Acquired) -> LockGuard<'_> {
        LockGuard { lock: self, owner_died: how == Acquired::Inherited }
    }

    /// Gets the lock without a guard, as Python's `acquire`: it is held until somebody calls
    /// [`release`](Self::release), or this process dies. `false` when `timeout` has passed; without one
    /// there is no end to the wait but the lock.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn acquire(&self, timeout: Option<Duration>) -> Result<bool> {
        Ok(self.lock.acquire(timeout).map_err(cannot(CANNOT))?.is_some())
    }

    /// Lets go of a lock that was [acquired](Self::acquire) without a guard, here or anywhere: as in
    /// Python, it need not be its holder who says so.
    ///
    /// # Errors
    /// When nobody holds it.
    pub fn release(&self) -> Result<()> {
        if self.lock.release() {
            return Ok(());
        }
        Err(Error::usage("a lock is released that nobody holds"))
    }

    /// Whether somebody living holds it; it may be otherwise a moment later.
    pub fn is_locked(&self) -> bool {
        self.lock.is_held()
    }

    pub(super) fn raw(&self) -> &ipc::Lock {
        &self.lock
    }
}

/// Holds a [`Lock`] until it is dropped.
#[derive(Debug)]
#[must_use = "the lock is released where the guard is dropped"]
pub struct LockGuard<'a> {
    lock: &'a Lock,
    owner_died: bool,
}

impl LockGuard<'_> {
    /// Whether the one who held the lock before died with it, so that what it protects may be half changed.
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl Drop for LockGuard<'_> {
    fn drop(&mut self) {
        self.lock.lock.release();
    }
}
