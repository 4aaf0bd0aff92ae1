//! What the threads of a pool share.

use super::config::Config;
use super::inner::Inner;
use super::slot::Load;
use crate::message::PanicReport;
use crate::payload::BulkSource;
use crate::rest::{self, Condition};
use crate::start::WorkerSource;
use crate::worker::panic_hook;
use parking_lot::{Mutex, MutexGuard};
use procession_ipc::bulk::{Bulk, BulkStore};
use procession_os::process::Exit;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Waker;
use std::thread::ThreadId;
use std::time::{Duration, Instant};

/// A worker's end, as the launcher saw it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exited {
    /// Place of the process in the pool.
    pub(super) index: usize,
    pub(super) generation: u32,
    pub(super) exit: Exit,
}

/// A wait word of this process and whether anybody sleeps on it.
#[derive(Debug, Default)]
pub(super) struct Nudge {
    word: AtomicU32,
    asleep: AtomicBool,
}

impl Nudge {
    /// The word, to sleep on.
    pub(super) fn word(&self) -> &AtomicU32 {
        &self.word
    }

    /// What the word holds: read before looking for work.
    pub(super) fn seen(&self) -> u32 {
        // ORDER(nudge): acquires what the nudger did before.
        self.word.load(Ordering::Acquire)
    }

    /// Says that the sleeper sleeps, or no longer does. It looks at the word again in between.
    pub(super) fn set_asleep(&self, asleep: bool) {
        self.asleep.store(asleep, Ordering::SeqCst);
    }

    /// Makes the sleeper look again.
    pub(super) fn nudge(&self) {
        // ORDER(nudge): releases what there is to see. Sequentially consistent with `asleep`: either
        // the sleeper sees the word or we see that it sleeps.
        self.word.fetch_add(1, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) {
            procession_os::wait::wake_all(&self.word);
        }
    }
}

/// The pool's lock. When it is given up, the wakers that were due are woken: a waker is the user's
/// code and may come straight back here.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    guard: Option<MutexGuard<'a, Inner>>,
}

impl Locked<'_> {
    /// Gives the lock up until `condition` is notified or the deadline passes; `true` when it passed. If
    /// wakers were due it returns when they are woken: the condition may have been notified meanwhile.
    pub(super) fn wait_until(&mut self, condition: &Condition, deadline: Instant) -> bool {
        let guard = self.guard.as_mut().expect("held until dropped");
        if !guard.due_wakers.is_empty() {
            let wakers = std::mem::take(&mut guard.due_wakers);
            let panics = MutexGuard::unlocked(guard, || wake_all(wakers));
            panics.into_iter().for_each(|panic| guard.note_panic(panic));
            return false;
        }
        condition.wait_until(guard, deadline)
    }
}

impl Deref for Locked<'_> {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        self.guard.as_ref().expect("held until dropped")
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Inner {
        self.guard.as_mut().expect("held until dropped")
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if let Some(mut guard) = self.guard.take()
            && !guard.due_wakers.is_empty()
        {
            let mutex = MutexGuard::mutex(&guard);
            let wakers = std::mem::take(&mut guard.due_wakers);
            drop(guard);
            let panics = wake_all(wakers);
            if !panics.is_empty() {
                let mut inner = mutex.lock();
                panics.into_iter().for_each(|panic| inner.note_panic(panic));
            }
        }
    }
}

/// Wakes them all, with no lock held; gives how some have panicked. That is nothing to the thread that
/// happens to wake them, and must not keep the others from being woken.
fn wake_all(wakers: Vec<Waker>) -> Vec<PanicReport> {
    wakers.into_iter().filter_map(|waker| panic_hook::catch(|| waker.wake()).err()).collect()
}

/// What the threads of a pool share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: Config,
    /// Where the workers come from.
    pub(super) source: Box<dyn WorkerSource>,
    pub(super) inner: Mutex<Inner>,
    /// Notified when a worker has ended or the supervisor is done.
    pub(super) changed: Condition,
    pub(super) exits: Mutex<Vec<Exited>>,
    pub(super) leader: Nudge,
    pub(super) supervisor: Nudge,
    /// The thread that supervises, once it does.
    supervisor_thread: OnceLock<ThreadId>,
    bulk: Mutex<BulkStore>,
    /// Bulk segments that were given up and that workers still have.
    given_up: Mutex<Vec<u64>>,
    /// Whether there may be any.
    has_given_up: AtomicBool,
}

impl Shared {
    pub(super) fn new(config: Config, source: Box<dyn WorkerSource>) -> Self {
        let Config { workers, threads, retirement, .. } = config;
        Self {
            config,
            source,
            inner: Mutex::new(Inner::new(workers, threads, retirement)),
            changed: Condition::default(),
            exits: Mutex::default(),
            leader: Nudge::default(),
            supervisor: Nudge::default(),
            supervisor_thread: OnceLock::new(),
            bulk: Mutex::new(BulkStore::new(2 * workers * threads + 6)),
            given_up: Mutex::default(),
            has_given_up: AtomicBool::new(false),
        }
    }

    /// Notes that this thread supervises.
    pub(super) fn begin_supervising(&self) {
        // There is one.
        let _ = self.supervisor_thread.set(std::thread::current().id());
    }

    /// Whether this thread is the one that supervises: it wakes who polls, and a waker is the user's code.
    pub(super) fn is_supervising(&self) -> bool {
        self.supervisor_thread.get() == Some(&std::thread::current().id())
    }

    /// Takes the pool's lock.
    pub(super) fn lock(&self) -> Locked<'_> {
        rest::before_lock();
        Locked { guard: Some(self.inner.lock()) }
    }

    /// As [`lock`](Self::lock), for at most so long.
    pub(super) fn lock_within(&self, patience: Duration) -> Option<Locked<'_>> {
        self.inner.try_lock_for(patience).map(|guard| Locked { guard: Some(guard) })
    }

    /// Lets the leader look again if something was settled behind its back.
    pub(super) fn tell_leader(&self, inner: &mut Inner) {
        if std::mem::take(&mut inner.settled) && inner.leadership.is_taken {
            self.leader.nudge();
        }
        inner.wake_drain_waiters();
    }

    fn give_up(&self, segment: Option<u64>) {
        if let Some(id) = segment {
            self.given_up.lock().push(id);
            self.has_given_up.store(true, Ordering::Relaxed);
        }
    }

    /// A segment filled with `bytes`, be it one more than there should be: a request that is first in
    /// line must not wait for those behind it, which may have all of them.
    ///
    /// # Errors
    /// That the system has no memory or no descriptor for one.
    pub(super) fn fill_anyway(&self, bytes: &[u8]) -> io::Result<Bulk> {
        let (mut bulk, given_up) = self.bulk.lock().take_anyway(bytes.len())?;
        self.give_up(given_up);
        let fits = bulk.append(bytes);
        assert!(fits, "the segment was made for these bytes");
        Ok(bulk)
    }

    /// Lets go of a payload that is not sent any more.
    pub(super) fn put_load(&self, load: Load) {
        if let Load::Bulk(bulk) = load {
            self.put_bulk(*bulk);
        }
    }

    /// Tells the workers about segments that will not be used any more.
    pub(super) fn forget_given_up(&self, inner: &mut Inner) {
        // Seldom set; if it is set just now the next dispatch sees it.
        if !self.has_given_up.load(Ordering::Relaxed) {
            return;
        }
        self.has_given_up.store(false, Ordering::Relaxed);
        for id in self.given_up.lock().drain(..) {
            for live in inner.leads().filter_map(|slot| slot.live.as_ref()) {
                live.process.forget_bulk(id);
            }
        }
    }
}

impl BulkSource for Shared {
    fn take_bulk(&self, bytes: usize) -> Option<Bulk> {
        // Without shared memory the payload stays private until there is some.
        let (bulk, given_up) = self.bulk.lock().take(bytes).ok().flatten()?;
        self.give_up(given_up);
        Some(bulk)
    }

    fn put_bulk(&self, bulk: Bulk) {
        let given_up = self.bulk.lock().put_back(bulk);
        self.give_up(given_up);
    }
}
