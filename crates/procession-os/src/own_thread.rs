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

use crate::sys;

/// Shared by own threads that are awake; a fork has it alone.
static GATE: RwLock<()> = RwLock::new(());

/// Own threads that there are. Changes only while the gate is shared.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Forks that want the gate.
static WANTED: AtomicUsize = AtomicUsize::new(0);

/// Longest time that a thread which has rested rests on because a fork wants the gate. It is bounded,
/// for another thread, awake, may wait for it.
const COURTESY: Duration = Duration::from_millis(2);

/// Time between two looks at the gate.
const LOOK_EVERY: Duration = Duration::from_micros(50);

/// Memory that a thread needs beside its stack, by far.
const BESIDE_STACK_BYTES: usize = 256 << 10;

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
    // A thread that starts and finds no room for what the standard library needs beside its stack does
    // not fail: it ends the program.
    if !sys::heap::has_room(stack_bytes + BESIDE_STACK_BYTES) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
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
    let start = Instant::now();
    while WANTED.load(Ordering::Relaxed) > 0 && start.elapsed() < COURTESY {
        thread::sleep(LOOK_EVERY);
    }
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
        WANTED.fetch_add(1, Ordering::Relaxed);
        let rest = Self::wait(patience);
        WANTED.fetch_sub(1, Ordering::Relaxed);
        rest
    }

    fn wait(patience: Duration) -> io::Result<Rest> {
        let deadline = Instant::now() + patience;
        loop {
            // Not by queueing: one that is awake may wait for another that is about to wake.
            match GATE.try_write() {
                Ok(gate) => return Ok(Rest { _gate: gate }),
                Err(TryLockError::Poisoned(gate)) => return Ok(Rest { _gate: gate.into_inner() }),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(io::Error::other("the library's own threads do not come to rest"));
                }
                Err(TryLockError::WouldBlock) => thread::sleep(LOOK_EVERY),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_fork_has_the_gate_when_all_are_at_rest() {
        let (wake, woken) = channel::<()>();
        let (tell, told) = channel();
        spawn("own", 64 * 1024, move |own| {
            tell.send("awake").expect("the test listens");
            let _ = woken.recv();
            own.rest(|| {
                tell.send("at rest").expect("the test listens");
                let _ = woken.recv();
            });
            assert!(Rest::of_all(Duration::ZERO).is_err(), "not by one of them");
            tell.send("awake again").expect("the test listens");
            let _ = woken.recv();
        })
        .expect("a thread");
        assert_eq!(told.recv(), Ok("awake"));
        assert!(Rest::of_all(Duration::from_millis(1)).is_err(), "it is awake");
        wake.send(()).expect("it listens");
        assert_eq!(told.recv(), Ok("at rest"));
        let rest = Rest::of_all(Duration::from_secs(60)).expect("it is at rest");
        assert_eq!(rest.count(), 1);
        wake.send(()).expect("it listens");
        assert!(told.recv_timeout(Duration::from_millis(20)).is_err(), "it waits for the fork");
        drop(rest);
        assert_eq!(told.recv(), Ok("awake again"));
        drop(wake);
        assert!(told.recv().is_err(), "it has ended");
        let is_gone = || Rest::of_all(Duration::from_secs(60)).is_ok_and(|rest| rest.count() == 0);
        while !is_gone() {
            thread::yield_now();
        }
    }
}
