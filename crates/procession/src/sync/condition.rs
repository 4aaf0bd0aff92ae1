//! Waiting for what others change under a lock.

use super::lock::Lock;
use super::place::{Object, Place, cannot, check_bytes};
use procession_core::Result;
use procession_ipc::sync::{self as ipc, Acquired, CONDITION_BYTES};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::{Duration, Instant};

const CANNOT: &str = "cannot take part in a shared condition";

/// Waits for what other processes or threads change under a lock: Python's `Condition`.
///
/// Everything is done with the lock held: waiting lets go of it and gets it again. Exactly as many wake as
/// are notified, those that have waited longest first; the notification of one that dies is another's.
///
/// ```
/// use procession::{Condition, Process, Value};
///
/// fn produce(changed: Condition, count: Value<u32>) -> procession::Result<()> {
///     for _ in 0..3 {
///         let guard = changed.lock()?;
///         count.set(count.get()? + 1)?;
///         guard.notify_all();
///     }
///     Ok(())
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let (changed, count) = (Condition::new()?, Value::new(0)?);
///     let mut producer = Process::new(produce, (changed.clone(), count.clone()));
///     producer.start()?;
///     let mut guard = changed.lock()?;
///     guard.wait_for(|| count.get().is_ok_and(|count| count == 3))?;
///     drop(guard);
///     producer.join()?
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Condition {
    lock: Lock,
    place: Place,
    condition: ipc::Condition,
}

impl Condition {
    /// Makes a condition with a lock of its own.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors.
    pub fn new() -> Result<Self> {
        Self::with_lock(&Lock::new()?)
    }

    /// Makes a condition for what this lock protects.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors.
    pub fn with_lock(lock: &Lock) -> Result<Self> {
        let place = Place::new::<Waiters>(CONDITION_BYTES)?;
        Ok(Self::of(lock.clone(), place))
    }

    fn of(lock: Lock, place: Place) -> Self {
        let condition = ipc::Condition::new(lock.raw().clone(), place.roster().clone(), place.at());
        Self { lock, place, condition }
    }

    /// Gets the lock.
    ///
    /// # Errors
    /// As [`Lock::lock`].
    pub fn lock(&self) -> Result<ConditionGuard<'_>> {
        let guard = self.lock.lock()?;
        let owner_died = guard.owner_died();
        // The guard below releases it.
        std::mem::forget(guard);
        Ok(ConditionGuard { condition: self, owner_died })
    }

    /// The lock.
    pub fn get_lock(&self) -> &Lock {
        &self.lock
    }
}

/// Those who wait: what a condition is besides its lock, which may lie elsewhere.
struct Waiters(Place);

impl Object for Waiters {
    fn at_place(place: Place) -> std::result::Result<Self, String> {
        check_bytes(&place, CONDITION_BYTES)?;
        Ok(Self(place))
    }

    fn place(&self) -> &Place {
        &self.0
    }
}

super::place::travels!(Waiters);

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        (&self.lock, Waiters(self.place.clone())).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let (lock, Waiters(place)) = <(Lock, Waiters)>::deserialize(deserializer)?;
        Ok(Self::of(lock, place))
    }
}

/// Holds the lock of a [`Condition`] until it is dropped.
#[derive(Debug)]
#[must_use = "the lock is released where the guard is dropped"]
pub struct ConditionGuard<'a> {
    condition: &'a Condition,
    owner_died: bool,
}

impl ConditionGuard<'_> {
    /// Whether anyone who held the lock since this guard was there died with it.
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }

    fn wait_at_most(&mut self, timeout: Option<Duration>) -> Result<bool> {
        let waited = self.condition.condition.wait(timeout).map_err(cannot(CANNOT));
        let (how, is_notified) = waited?;
        self.owner_died |= how == Acquired::Inherited;
        Ok(is_notified)
    }

    /// Lets go of the lock, waits to be notified, and gets the lock again.
    ///
    /// Woken by [`notify`](Self::notify) and [`notify_all`](Self::notify_all) of anybody.
    ///
    /// # Errors
    /// When more than 255 wait already.
    pub fn wait(&mut self) -> Result<()> {
        while !self.wait_at_most(None)? {}
        Ok(())
    }

    /// As [`wait`](Self::wait), at most so long; whether it was notified. Then it gets the lock again,
    /// however long that takes.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<bool> {
        self.wait_at_most(Some(timeout))
    }

    /// Waits until `is_so`, looking whenever it is notified.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_for(&mut self, mut is_so: impl FnMut() -> bool) -> Result<()> {
        while !is_so() {
            self.wait()?;
        }
        Ok(())
    }

    /// As [`wait_for`](Self::wait_for), at most so long; whether it is so.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_for_timeout(
        &mut self,
        timeout: Duration,
        mut is_so: impl FnMut() -> bool,
    ) -> Result<bool> {
        let start = Instant::now();
        while !is_so() {
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            self.wait_at_most(Some(left))?;
        }
        Ok(true)
    }

    /// Wakes up to so many of those who wait; how many there were. They go on when they get the lock.
    pub fn notify(&self, count: usize) -> usize {
        self.condition.condition.notify(count)
    }

    /// Wakes all who wait; how many there were.
    pub fn notify_all(&self) -> usize {
        self.condition.condition.notify(usize::MAX)
    }
}

impl Drop for ConditionGuard<'_> {
    fn drop(&mut self) {
        self.condition.lock.raw().release();
    }
}
