//! The segment under loom: words are loom atomics, bytes are tracked cells, and a wait word is a
//! mutex with a condition variable, so that loom finds both races and lost wake-ups.

use crate::primitive::{AtomicU32, AtomicU64, Ordering};
use loom::cell::UnsafeCell;
use loom::sync::{Condvar, Mutex};
use std::collections::HashMap;
use std::time::Duration;

/// A modelled segment. The words that a model uses are named when it is made.
#[derive(Debug)]
pub struct Segment {
    words32: HashMap<usize, (AtomicU32, Mutex<()>, Condvar)>,
    words64: HashMap<usize, AtomicU64>,
    data_at: usize,
    data: Vec<UnsafeCell<u8>>,
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
                .map(|at| (*at, (AtomicU32::new(0), Mutex::new(()), Condvar::new())))
                .collect(),
            words64: words64.iter().map(|at| (*at, AtomicU64::new(0))).collect(),
            data_at,
            data: (0..data_bytes).map(|_| UnsafeCell::new(0)).collect(),
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
        for (index, byte) in from.iter().enumerate() {
            // SAFETY: loom checks this very access for races.
            self.data[offset - self.data_at + index].with_mut(|cell| unsafe { *cell = *byte });
        }
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
    pub fn wait(&self, offset: usize, expected: u32, _timeout: Option<Duration>) -> bool {
        let (word, mutex, condition) = &self.words32[&offset];
        let guard = mutex.lock().unwrap();
        if word.load(Ordering::SeqCst) == expected {
            drop(condition.wait(guard).unwrap());
        }
        true
    }

    /// Sleeps on the first of the words while each holds the value beside it. Whoever changes another one
    /// wakes the sleepers of the first: [`end_holder`](Self::end_holder).
    pub fn wait_any(&self, words: &[(usize, u32)], _timeout: Option<Duration>) -> bool {
        let (_, mutex, condition) = &self.words32[&words[0].0];
        let guard = mutex.lock().unwrap();
        let is_unchanged =
            |(at, expected): &(usize, u32)| self.word32(*at).load(Ordering::SeqCst) == *expected;
        if words.iter().all(is_unchanged) {
            drop(condition.wait(guard).unwrap());
        }
        true
    }

    /// Wakes one that sleeps on the word at `offset`.
    pub fn wake_one(&self, offset: usize) {
        let (_, mutex, condition) = &self.words32[&offset];
        let _guard = mutex.lock().unwrap();
        condition.notify_one();
    }

    /// The value of a mark on which somebody may sleep.
    pub fn prepare_to_sleep(&self, offset: usize) -> u32 {
        self.word32(offset).load(Ordering::SeqCst)
    }

    /// What the system does when a process ends: changes its mark, and wakes who sleeps on it, which are
    /// those that sleep on the word at `offset`.
    #[cfg(test)]
    pub fn end_holder(&self, mark_at: usize, offset: usize) {
        let (_, mutex, condition) = &self.words32[&offset];
        let _guard = mutex.lock().unwrap();
        self.word32(mark_at).store(1 << 30, Ordering::SeqCst);
        condition.notify_all();
    }

    /// Wakes everything that sleeps on the word at `offset`.
    pub fn wake(&self, offset: usize) {
        let (_, mutex, condition) = &self.words32[&offset];
        let _guard = mutex.lock().unwrap();
        condition.notify_all();
    }
}

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
