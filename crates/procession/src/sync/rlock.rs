//! One thread at a time, as often as it likes.

use super::place::{Object, Place, cannot, check_bytes, travels};
use procession_core::{Error, Result};
use procession_ipc::primitive::{AtomicU32, AtomicU64, Ordering};
use procession_ipc::sync::{self as ipc, Acquired};
use std::marker::PhantomData;
use std::time::Duration;

const CANNOT: &str = "cannot take part in a shared lock";

/// Behind the lock: whose it is, and how many times.
const OWNER: usize = 8;
const COUNT: usize = 16;
const BYTES: usize = 20;

/// Numbers the threads of this process that hold such locks.
static THREADS: AtomicU32 = AtomicU32::new(1);

thread_local! {
    static THREAD: u32 = THREADS.fetch_add(1, Ordering::Relaxed);
}

/// A lock that the thread which holds it can take again: Python's `RLock`.
///
/// It is free again when it was released as often as it was taken. Apart from that it is a
/// [`Lock`](crate::Lock), the death of its holder included.
///
/// ```
/// let lock = procession::RLock::new()?;
/// let outer = lock.lock()?;
/// let inner = lock.lock()?;
/// drop((inner, outer));
/// assert!(!lock.is_locked());
/// # Ok::<(), procession::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RLock {
    place: Place,
    lock: ipc::Lock,
}

impl Object for RLock {
    fn at_place(place: Place) -> std::result::Result<Self, String> {
        check_bytes(&place, BYTES)?;
        let lock = ipc::Lock::new(place.roster().clone(), place.at());
        Ok(Self { place, lock })
    }

    fn place(&self) -> &Place {
        &self.place
    }
}

travels!(RLock);

impl RLock {
    /// Makes a lock that nobody holds.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors.
    pub fn new() -> Result<Self> {
        Self::at_place(Place::new::<Self>(BYTES)?).map_err(Error::usage)
    }

    fn owner(&self) -> &AtomicU64 {
        self.place.segment().word64(self.place.at() + OWNER)
    }

    fn count(&self) -> &AtomicU32 {
        self.place.segment().word32(self.place.at() + COUNT)
    }

    /// This thread, among all threads of all processes.
    fn me(&self) -> Result<u64> {
        let token = self.place.roster().token().map_err(cannot(CANNOT))?;
        Ok(u64::from(token.word()) << 32 | u64::from(THREAD.with(|thread| *thread)))
    }

    fn take(&self, timeout: Option<Duration>) -> Result<Option<RLockGuard<'_>>> {
        let me = self.me()?;
        // Only this thread writes its own name here, so it reads it if and only if it holds the lock.
        if self.owner().load(Ordering::Relaxed) == me && self.lock.is_own() {
            let count = self.count().load(Ordering::Relaxed);
            let more = count.checked_add(1);
            let more = more.ok_or_else(|| Error::usage("a lock was taken again too often"))?;
            self.count().store(more, Ordering::Relaxed);
            return Ok(Some(self.guard(false)));
        }
        let how = self.lock.acquire(timeout).map_err(cannot(CANNOT))?;
        Ok(how.map(|how| {
            self.owner().store(me, Ordering::Relaxed);
            self.count().store(1, Ordering::Relaxed);
            self.guard(how == Acquired::Inherited)
        }))
    }

    fn guard(&self, owner_died: bool) -> RLockGuard<'_> {
        RLockGuard { lock: self, owner_died, stays: PhantomData }
    }

    /// Waits until no other thread holds the lock, and holds it once more as long as the guard lives.
    ///
    /// Woken by the release of the lock and by the death of its holder.
    ///
    /// # Errors
    /// As [`Lock::lock`](crate::Lock::lock).
    pub fn lock(&self) -> Result<RLockGuard<'_>> {
        loop {
            if let Some(guard) = self.take(None)? {
                return Ok(guard);
            }
        }
    }

    /// As [`lock`](Self::lock), for at most so long; `None` when that has passed.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<Option<RLockGuard<'_>>> {
        self.take(Some(timeout))
    }

    /// As [`lock`](Self::lock), without waiting; `None` when another thread holds it.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn try_lock(&self) -> Result<Option<RLockGuard<'_>>> {
        self.take(Some(Duration::ZERO))
    }

    /// Gets the lock without a guard, as Python's `acquire`; `false` when `timeout` has passed.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn acquire(&self, timeout: Option<Duration>) -> Result<bool> {
        Ok(self.take(timeout)?.map(std::mem::forget).is_some())
    }

    /// Lets go once of a lock that this thread [acquired](Self::acquire) without a guard.
    ///
    /// # Errors
    /// When this thread does not hold it.
    pub fn release(&self) -> Result<()> {
        if self.owner().load(Ordering::Relaxed) != self.me()? || !self.lock.is_own() {
            return Err(Error::usage("a lock is released by a thread that does not hold it"));
        }
        let left = self.count().load(Ordering::Relaxed).saturating_sub(1);
        self.count().store(left, Ordering::Relaxed);
        if left == 0 {
            self.owner().store(0, Ordering::Relaxed);
            self.lock.release();
        }
        Ok(())
    }

    /// Whether somebody living holds it; it may be otherwise a moment later.
    pub fn is_locked(&self) -> bool {
        self.lock.is_held()
    }
}

/// Holds an [`RLock`] until it is dropped, by the thread that took it.
#[derive(Debug)]
#[must_use = "the lock is released where the guard is dropped"]
pub struct RLockGuard<'a> {
    lock: &'a RLock,
    owner_died: bool,
    /// A thread that did not take the lock cannot release it.
    stays: PhantomData<*const ()>,
}

impl RLockGuard<'_> {
    /// Whether the one who held the lock before died with it, so that what it protects may be half changed.
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl Drop for RLockGuard<'_> {
    fn drop(&mut self) {
        // It fails only where something has written over the lock, and then there is nothing to let go of.
        let _ = self.lock.release();
    }
}
