//! Which threads have nothing to do, and who is woken.
//!
//! A thread is busy, searching or asleep. One that finds the queue empty searches: it looks for a
//! while, if that has paid lately, and falls asleep. One word counts those that search and those
//! that sleep:
//!
//! | bits | what they count | raised by | lowered by |
//! |---|---|---|---|
//! | 0..16 | threads that search | the thread; who wakes it | the thread |
//! | 16..32 | threads that sleep | the thread, holding the lock | who removes it from the list, holding the lock |
//!
//! Whoever queues something wakes a sleeper only if nobody searches: a thread that searches will
//! find it. A thread that finds something and was the last to search wakes the next if there is
//! more. So a burst of tasks wakes thread after thread, never all for one task, and a submitter that
//! is faster than the threads makes no system calls. (The scheme is that of Go's and tokio's
//! schedulers.)
//!
//! # Why no wake-up is lost
//!
//! Let P queue something and W stop searching, be it that it has found something or that it falls
//! asleep.
//!
//! | P | W |
//! |---|---|
//! | 1. queues | 1. lowers the count of those that search (and raises the one of those that sleep) |
//! | 2. fence | 2. fence |
//! | 3. reads the counts | 3. looks into the queue |
//!
//! The fences are in one order. If P's is first, W sees the entry: it wakes another thread, or does
//! not fall asleep. If W's is first, P sees the lowered count, and a sleeper if W is one; unless
//! another thread searches it wakes one, and if another does, the same holds for that one.
//! A thread that is busy looks into the queue when it has finished, and goes through all this before
//! it sleeps.
//!
//! `procession-models` runs this file under loom.

use super::engine::Padded;
use super::primitive::{AtomicBool, AtomicU32, Mutex, OnceLock, Ordering, Thread};
use super::primitive::{current_thread, fence, park};

const SEARCHING: u32 = 1;
const ASLEEP: u32 = 1 << 16;

/// The two counts, as they were.
#[derive(Debug, Clone, Copy)]
struct Counts(u32);

impl Counts {
    fn searching(self) -> u32 {
        self.0 % ASLEEP
    }

    fn asleep(self) -> u32 {
        self.0 / ASLEEP
    }
}

/// Where one thread sleeps.
#[derive(Debug, Default)]
struct Bed {
    thread: OnceLock<Thread>,
    occupied: AtomicBool,
}

/// Who searches and who sleeps.
#[derive(Debug)]
pub(super) struct Sleep {
    counts: Padded<AtomicU32>,
    /// Places of those that sleep, in the order in which they fell asleep.
    sleepers: Mutex<Vec<usize>>,
    beds: Box<[Bed]>,
    searching_max: u32,
}

impl Sleep {
    pub(super) fn new(threads: usize) -> Self {
        Self {
            counts: Padded(AtomicU32::new(0)),
            sleepers: Mutex::new(Vec::with_capacity(threads)),
            beds: (0..threads).map(|_| Bed::default()).collect(),
            searching_max: (threads as u32).div_ceil(2),
        }
    }

    fn counts(&self) -> Counts {
        Counts(self.counts.0.load(Ordering::Relaxed))
    }

    /// Lets the thread of a place be woken. Each thread calls this before anything else.
    pub(super) fn move_in(&self, place: usize) {
        self.beds[place].thread.get_or_init(current_thread);
    }

    /// Whether a thread has nothing to do.
    pub(super) fn has_idle(&self) -> bool {
        self.counts().0 != 0
    }

    /// Wakes a thread for something that was queued, unless one that searches will find it.
    pub(super) fn notify(&self) {
        // ORDER(threads-search): step 2 of P in the module's proof; partner: `end_search`, `sleep`.
        fence(Ordering::SeqCst);
        let counts = self.counts();
        if counts.searching() == 0 && counts.asleep() > 0 {
            self.wake_one();
        }
    }

    #[cold]
    fn wake_one(&self) {
        let mut sleepers = self.sleepers.lock();
        if self.counts().searching() > 0 {
            return;
        }
        // The last to fall asleep has the warmest cache.
        let Some(place) = sleepers.pop() else { return };
        self.leave_bed(place);
        drop(sleepers);
        self.unpark(place);
    }

    /// Wakes all, for good: they find out why.
    pub(super) fn wake_all(&self) {
        let mut sleepers = self.sleepers.lock();
        for place in sleepers.drain(..) {
            self.leave_bed(place);
            self.unpark(place);
        }
    }

    /// What whoever removes a place from the list does before the lock is given up: a thread that
    /// finds work by itself meanwhile, and falls asleep again, must not be woken for this time.
    fn leave_bed(&self, place: usize) {
        self.counts.0.fetch_sub(ASLEEP - SEARCHING, Ordering::Relaxed);
        // ORDER(threads-bed): releases what was queued before to the thread that wakes.
        self.beds[place].occupied.store(false, Ordering::Release);
    }

    fn unpark(&self, place: usize) {
        if let Some(thread) = self.beds[place].thread.get() {
            thread.unpark();
        }
    }

    /// Begins to search; `false` when enough threads do.
    pub(super) fn begin_search(&self) -> bool {
        if self.counts().searching() >= self.searching_max {
            return false;
        }
        self.counts.0.fetch_add(SEARCHING, Ordering::Relaxed);
        true
    }

    /// Ends the search of a thread that has found something; wakes the next one if there is more to
    /// do and nobody else searches.
    pub(super) fn end_search(&self, has_work: impl Fn() -> bool) {
        let before = Counts(self.counts.0.fetch_sub(SEARCHING, Ordering::Relaxed));
        if before.searching() == 1 {
            // ORDER(threads-search): step 2 of W in the module's proof; partner: `notify`.
            fence(Ordering::SeqCst);
            if has_work() {
                self.notify();
            }
        }
    }

    /// Sleeps until it is woken; returns at once when there is work after all. The thread searches
    /// when this returns, whether or not it did before.
    pub(super) fn sleep(&self, place: usize, is_searching: bool, has_work: impl Fn() -> bool) {
        let bed = &self.beds[place];
        let from = if is_searching { SEARCHING } else { 0 };
        {
            let mut sleepers = self.sleepers.lock();
            sleepers.push(place);
            bed.occupied.store(true, Ordering::Relaxed);
            self.counts.0.fetch_add(ASLEEP - from, Ordering::Relaxed);
        }
        // ORDER(threads-search): step 2 of W in the module's proof; partner: `notify`.
        fence(Ordering::SeqCst);
        if has_work() {
            let mut sleepers = self.sleepers.lock();
            // Who is not in the list any more was woken meanwhile, and counted.
            if let Some(at) = sleepers.iter().rposition(|sleeper| *sleeper == place) {
                sleepers.remove(at);
                self.leave_bed(place);
            }
            return;
        }
        // ORDER(threads-bed): acquires what was queued before. `park` alone says nothing: user code
        // and wake-ups that came too late leave tokens.
        while bed.occupied.load(Ordering::Acquire) {
            park();
        }
    }
}
