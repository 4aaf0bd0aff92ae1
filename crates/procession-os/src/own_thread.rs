//! Threads of this library's own, which a [fork](crate::copy::fork) takes into account.
//!
//! A forked copy has one thread, and what other threads held at that moment stays held in it for
//! ever. This library's own threads are no hindrance: they are at rest, in the system, whenever a
//! fork happens, and hold nothing then. To that end each of them passes a *gate* when it goes to
//! rest and when it wakes, and a fork waits until it has the gate to itself.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

/// Shared by own threads that are awake; a fork has it alone.
static GATE: RwLock<()> = RwLock::new(());

/// Own threads that there are. Changes only while the gate is shared.
static COUNT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this is one of them.
    static IS_OWN: Cell<bool> = const { Cell::new(false) };
}

/// Proof, for a thread, that it is one of the library's own.
#[derive(Debug)]
#[must_use]
pub struct OwnThread {
    awake: Option<RwLockReadGuard<'static, ()>>,
}

/// Starts a thread of the library's own, with a name and a stack of this many bytes.
///
/// # Errors
///
/// Fails when the system cannot make a thread.
pub fn spawn(
    name: &str,
    stack_bytes: usize,
    run: impl FnOnce(&mut OwnThread) + Send + 'static,
) -> io::Result<()> {
    // It is counted before a fork can count the process's threads.
    let _awake = GATE.read().unwrap_or_else(PoisonError::into_inner);
    let started = thread::Builder::new().name(name.into()).stack_size(stack_bytes).spawn(|| {
        IS_OWN.set(true);
        let mut own = OwnThread { awake: Some(pass()) };
        run(&mut own);
    });
    started.map(|_| {
        COUNT.fetch_add(1, Ordering::Relaxed);
    })
}

fn pass() -> RwLockReadGuard<'static, ()> {
    GATE.read().unwrap_or_else(PoisonError::into_inner)
}

impl OwnThread {
    /// Runs a call of the system that may block for long, holding no lock of this library or of the
    /// program meanwhile. (It may allocate: the heap's locks are the C library's affair in a fork.)
    pub fn rest<R>(&mut self, sleep: impl FnOnce() -> R) -> R {
        self.awake = None;
        let slept = sleep();
        self.awake = Some(pass());
        slept
    }
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        COUNT.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The gate for one alone, with every own thread at rest.
#[derive(Debug)]
pub(crate) struct Rest {
    _gate: RwLockWriteGuard<'static, ()>,
}

impl Rest {
    /// Waits until all are at rest, for at most `patience`.
    pub(crate) fn of_all(patience: Duration) -> io::Result<Rest> {
        if IS_OWN.get() {
            return Err(io::Error::other("a callback or waker cannot fork the process"));
        }
        let deadline = Instant::now() + patience;
        loop {
            // Not by queueing: one that is awake may wait for another that is about to wake.
            match GATE.try_write() {
                Ok(gate) => return Ok(Rest { _gate: gate }),
                Err(TryLockError::Poisoned(gate)) => return Ok(Rest { _gate: gate.into_inner() }),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(io::Error::other("the library's own threads do not come to rest"));
                }
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_micros(50)),
            }
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        COUNT.load(Ordering::Relaxed)
    }

    /// Forgets them: this process is a copy and has none.
    pub(crate) fn forget_all(&self) {
        COUNT.store(0, Ordering::Relaxed);
    }
}
