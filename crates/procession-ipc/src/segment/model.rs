//! The segment under loom: words are loom atomics, bytes are tracked cells, and a wait word is a
//! mutex with a condition variable, so that loom finds both races and lost wake-ups.

#[cfg(test)]
use crate::primitive::mortal::Fate;
use crate::primitive::mortal::{is_over, stored};
use crate::primitive::{AtomicU32, AtomicU64, Ordering};
use loom::cell::UnsafeCell;
use loom::sync::{Condvar, Mutex};
use procession_os::life;
use std::collections::HashMap;
use std::io;
use std::sync::Mutex as Plain;
use std::time::Duration;

/// The bit of a mark whose process has ended, or is not announced.
const ENDED: u32 = 1 << 30;

/// What sleepers of a word wake for.
#[derive(Debug, Default)]
struct Calls {
    /// How often all were to be woken.
    wakes: usize,
    /// How many sleep, and how many of them are to wake, whichever.
    sleepers: usize,
    chosen: usize,
    /// How often those who sleep for a time only wake by themselves from now on. There is no time in a
    /// model: a tick comes at once, but none before somebody has ended, so that it is seen who waits for
    /// one. And they come to an end, so that a model does.
    ticks: usize,
}

/// As many as it takes to see what one that has ended has left behind.
#[cfg(test)]
const TICKS: usize = 3;

/// A modelled segment. The words that a model uses are named when it is made.
#[derive(Debug)]
pub struct Segment {
    words32: HashMap<usize, (AtomicU32, Mutex<Calls>, Condvar)>,
    words64: HashMap<usize, AtomicU64>,
    data_at: usize,
    data: Vec<UnsafeCell<u8>>,
    /// How often sleepers were to be woken: system calls.
    wakes: Plain<usize>,
}

// SAFETY: the bytes are what keeps it from being `Sync`; they are reached through loom's tracked
// cells alone, and loom stops a model in which two threads reach one at a time.
#[allow(unsafe_code)]
unsafe impl Sync for Segment {}

impl Segment {
    /// A segment with the given control words and `data_bytes` of data from offset `data_at`.
    pub fn model(words32: &[usize], words64: &[usize], data_at: usize, data_bytes: usize) -> Self {
        Self {
            words32: words32
                .iter()
                .map(|at| (*at, (AtomicU32::new(0), Mutex::new(Calls::default()), Condvar::new())))
                .collect(),
            words64: words64.iter().map(|at| (*at, AtomicU64::new(0))).collect(),
            data_at,
            data: (0..data_bytes).map(|_| UnsafeCell::new(0)).collect(),
            wakes: Plain::new(0),
        }
    }

    /// Size of the segment in bytes.
    pub fn bytes(&self) -> usize {
        self.data_at + self.data.len()
    }

    /// The 32-bit control word at `offset`.
    pub fn word32(&self, offset: usize) -> &AtomicU32 {
        &self.words32[&offset].0
    }

    /// The 64-bit control word at `offset`.
    pub fn word64(&self, offset: usize) -> &AtomicU64 {
        &self.words64[&offset]
    }

    /// A hint that a model has no use for.
    pub fn prefetch_for_write(&self, _offset: usize) {}

    /// Copies `from` into the data at `offset`.
    #[allow(unsafe_code)]
    pub fn copy_in(&self, offset: usize, from: &[u8]) {
        if is_over() {
            return;
        }
        for (index, byte) in from.iter().enumerate() {
            // SAFETY: loom checks this very access for races.
            self.data[offset - self.data_at + index].with_mut(|cell| unsafe { *cell = *byte });
        }
        stored();
    }

    /// Copies data at `offset` into `to`.
    #[allow(unsafe_code)]
    pub fn copy_out(&self, offset: usize, to: &mut [u8]) {
        for (index, byte) in to.iter_mut().enumerate() {
            // SAFETY: loom checks this very access for races.
            *byte = self.data[offset - self.data_at + index].with(|cell| unsafe { *cell });
        }
    }

    /// Copies data at `offset` into fresh memory.
    pub fn to_vec<N: bytemuck::Pod>(&self, offset: usize, count: usize) -> Option<Vec<N>> {
        let mut numbers = vec![N::zeroed(); count];
        self.copy_out(offset, bytemuck::cast_slice_mut(&mut numbers));
        Some(numbers)
    }

    /// Sleeps while the word holds `expected`, as a futex does. A lost wake-up is a deadlock that
    /// loom reports.
    pub fn wait(&self, offset: usize, expected: u32, timeout: Option<Duration>) -> bool {
        self.wait_any(&[(offset, expected)], timeout)
    }

    /// Sleeps on the first of the words while each holds the value beside it. Whoever changes another one
    /// wakes the sleepers of the first: [`end_holder`](Self::end_holder).
    pub fn wait_any(&self, words: &[(usize, u32)], timeout: Option<Duration>) -> bool {
        if is_over() {
            return true;
        }
        let (_, mutex, condition) = &self.words32[&words[0].0];
        let mut calls = mutex.lock().unwrap();
        let is_unchanged =
            |(at, expected): &(usize, u32)| self.word32(*at).load(Ordering::SeqCst) == *expected;
        let before = calls.wakes;
        let may_sleep = words.iter().all(is_unchanged);
        if !may_sleep {
            return true;
        }
        calls.sleepers += 1;
        while calls.wakes == before {
            if calls.chosen > 0 {
                calls.chosen -= 1;
                break;
            }
            if timeout.is_some() && calls.ticks > 0 {
                calls.ticks -= 1;
                calls.sleepers -= 1;
                drop(calls);
                loom::thread::yield_now();
                return true;
            }
            calls = condition.wait(calls).unwrap();
        }
        calls.sleepers -= 1;
        true
    }

    /// Wakes one that sleeps on the word at `offset`.
    pub fn wake_one(&self, offset: usize) {
        if is_over() {
            return;
        }
        let (_, mutex, condition) = &self.words32[&offset];
        let mut calls = mutex.lock().unwrap();
        calls.chosen = (calls.chosen + 1).min(calls.sleepers);
        condition.notify_one();
    }

    /// The value of a mark on which somebody may sleep.
    pub fn prepare_to_sleep(&self, offset: usize) -> u32 {
        self.word32(offset).load(Ordering::SeqCst)
    }

    /// Takes a mark that is nobody's.
    ///
    /// # Errors
    /// None, in a model.
    pub fn take_mark(&self, mark: usize) -> io::Result<bool> {
        let word = self.word32(mark * life::MARK_BYTES);
        let seen = word.load(Ordering::Relaxed);
        let taken = ENDED | mark as u32;
        Ok(life::is_free(seen)
            && word.compare_exchange(seen, taken, Ordering::SeqCst, Ordering::Relaxed).is_ok())
    }

    /// Says that the holder of a mark lives.
    pub fn announce_mark(&self, mark: usize) {
        // ORDER(announce): what was stored behind the mark is seen by who sees that it lives.
        self.word32(mark * life::MARK_BYTES).swap(mark as u32, Ordering::Release);
    }

    /// What the system does when a process ends: changes its mark, and wakes who sleeps on it, which are
    /// those that sleep on the word at `offset`.
    #[cfg(test)]
    pub fn end_holder(&self, mark_at: usize, offset: usize) {
        let (_, mutex, condition) = &self.words32[&offset];
        let mut calls = mutex.lock().unwrap();
        calls.wakes += 1;
        calls.chosen = 0;
        self.word32(mark_at).swap(ENDED, Ordering::SeqCst);
        condition.notify_all();
    }

    /// How often all sleepers of a word were to be woken.
    #[cfg(test)]
    pub fn wakes(&self) -> usize {
        *self.wakes.lock().unwrap()
    }

    /// Those that sleep for a time only on the word at `offset` wake by themselves, now and a few times more.
    #[cfg(test)]
    pub fn tick(&self, offset: usize) {
        let (_, mutex, condition) = &self.words32[&offset];
        let mut calls = mutex.lock().unwrap();
        calls.ticks = TICKS;
        condition.notify_all();
    }

    /// Wakes everything that sleeps on the word at `offset`.
    pub fn wake(&self, offset: usize) {
        if is_over() {
            return;
        }
        *self.wakes.lock().unwrap() += 1;
        let (_, mutex, condition) = &self.words32[&offset];
        let mut calls = mutex.lock().unwrap();
        calls.wakes += 1;
        calls.chosen = 0;
        condition.notify_all();
    }
}

/// So many fewer preemptions have models in which a process ends: there is one for each of its stores.
#[cfg(test)]
const SPARED: usize = 2;

/// Runs a model in every interleaving with at most three preemptions, or as many as
/// `LOOM_MAX_PREEMPTIONS` says.
#[cfg(test)]
pub(crate) fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(3);
    builder.check(model);
}

/// As [`explore`], for models that have far more to interleave: with at most two preemptions.
#[cfg(test)]
pub(crate) fn explore_large(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

/// Explores a model with a process that vanishes after its first store, its second and so on, until it comes
/// to its end in every interleaving; with fewer preemptions, but two at least.
#[cfg(test)]
pub(crate) fn explore_ends(model: impl Fn(&Fate) + Sync + Send + Copy + 'static) {
    for stores in 0.. {
        let fate = Fate::after(stores);
        let strikes = fate.clone();
        let mut builder = loom::model::Builder::new();
        let bound = builder.preemption_bound.unwrap_or(3);
        builder.preemption_bound = Some(bound.saturating_sub(SPARED).max(2));
        builder.check(move || model(&fate));
        if !strikes.has_struck() {
            assert!(stores > 0, "it stores something");
            break;
        }
    }
}
