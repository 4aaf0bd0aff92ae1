//! Where so many wait for one another.

use super::place::{Object, Place, cannot, check_bytes, travels};
use procession_core::{Error, Result};
use procession_ipc::sync::{self as ipc, BARRIER_BYTES, PARTIES_MAX, Passed};
use std::time::Duration;

const CANNOT: &str = "cannot take part in a shared barrier";

/// Where so many processes or threads wait until all are there: Python's `Barrier`.
///
/// It can be used again and again. It breaks when somebody waits too long at it, dies there, or says so;
/// then nobody waits in vain: all get an error for which
/// [`is_broken_barrier`](Error::is_broken_barrier), until it is [reset](Self::reset).
///
/// ```
/// use procession::{Barrier, Process};
///
/// fn meet(all: Barrier) -> procession::Result<u32> {
///     all.wait()
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let all = Barrier::new(2)?;
///     let mut other = Process::new(meet, (all.clone(),));
///     other.start()?;
///     let (here, there) = (all.wait()?, other.join()??);
///     assert_eq!(here + there, 1); // one came as number 0, one as number 1
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Barrier {
    place: Place,
    barrier: ipc::Barrier,
}

impl Object for Barrier {
    fn at_place(place: Place) -> std::result::Result<Self, String> {
        check_bytes(&place, BARRIER_BYTES)?;
        let barrier = ipc::Barrier::new(place.roster().clone(), place.at());
        Ok(Self { place, barrier })
    }

    fn place(&self) -> &Place {
        &self.place
    }
}

travels!(Barrier);

impl Barrier {
    /// Makes a barrier for so many, 1 to 1000.
    ///
    /// # Errors
    /// When it is for none or too many, or the system is out of memory or descriptors.
    pub fn new(parties: u32) -> Result<Self> {
        if !(1..=PARTIES_MAX).contains(&parties) {
            return Err(Error::usage(format!(
                "a barrier is for 1 to {PARTIES_MAX} parties, not {parties}"
            )));
        }
        let barrier = Self::at_place(Place::new::<Self>(BARRIER_BYTES)?).map_err(Error::usage)?;
        barrier.barrier.begin(parties);
        Ok(barrier)
    }

    /// Waits until all are there. Each gets another number, from 0 in the order in which they came.
    ///
    /// Woken by the last one, by whoever breaks the barrier, and by the death of one who waits.
    ///
    /// # Errors
    /// When the barrier is broken, or this process cannot take part.
    pub fn wait(&self) -> Result<u32> {
        self.wait_at_most(None, || ())
    }

    /// As [`wait`](Self::wait); if not all have come in this time, the barrier breaks.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<u32> {
        self.wait_at_most(Some(timeout), || ())
    }

    /// As [`wait`](Self::wait). The one who comes last runs `action` before all go on: Python's `action` of
    /// the constructor. If it panics, the barrier breaks.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_with(&self, action: impl FnOnce()) -> Result<u32> {
        self.wait_at_most(None, action)
    }

    fn wait_at_most(&self, timeout: Option<Duration>, action: impl FnOnce()) -> Result<u32> {
        match self.barrier.wait(timeout, action).map_err(cannot(CANNOT))? {
            Passed::As(number) => Ok(number),
            Passed::Broken => Err(Error::broken_barrier(self.parties())),
        }
    }

    /// Breaks the barrier, for those who wait and for those who come.
    ///
    /// # Errors
    /// When this process cannot take part.
    pub fn abort(&self) -> Result<()> {
        self.barrier.abort().map_err(cannot(CANNOT))
    }

    /// Makes the barrier as it was at first. Those who wait at it find it broken.
    ///
    /// # Errors
    /// When this process cannot take part.
    pub fn reset(&self) -> Result<()> {
        self.barrier.reset().map_err(cannot(CANNOT))
    }

    /// Whether it is broken.
    pub fn broken(&self) -> bool {
        self.barrier.is_broken()
    }

    /// How many wait at it now.
    pub fn n_waiting(&self) -> u32 {
        self.barrier.waiting()
    }

    /// How many it is for.
    pub fn parties(&self) -> u32 {
        self.barrier.parties()
    }
}
