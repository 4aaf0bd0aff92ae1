//! Maps whose results are taken one by one.

use crate::args::Args;
use crate::map::{Feeder, unpack};
use crate::target::Returned;
use procession_core::face::Code;
use procession_core::pool::Pool;
use procession_core::task::Batch;
use procession_core::{Error, Result};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

/// Work that is kept ahead of the consumer, for each worker, once the time of an item is known.
const AHEAD_NS: f64 = 4_000_000.0;
/// Items ahead for each worker before it is.
const AHEAD_UNKNOWN: usize = 4;
/// Most items ahead.
const AHEAD_MAX: usize = 32 * 1024;

/// What both kinds share: a batch that is fed as results are taken.
struct Stream<I> {
    pool: Pool,
    batch: Arc<Batch>,
    feeder: Feeder<I>,
    chunk: usize,
    /// Items pushed, and results handed to the consumer.
    pushed: u64,
    taken: u64,
    /// Items that could not be encoded: before which pushed item they stood, and why.
    refused: VecDeque<(u64, Error)>,
    over: bool,
}

impl<A: Args, I: Iterator<Item = A>> Stream<I> {
    fn new(pool: &Pool, code: Result<Code>, chunk: Option<usize>, items: I) -> Self {
        let mut refused = VecDeque::new();
        let over = code.is_err();
        let code = code.unwrap_or_else(|error| {
            refused.push_back((0, error));
            0
        });
        Self {
            pool: pool.clone(),
            batch: Arc::new(Batch::new(code, chunk)),
            feeder: Feeder::new(items),
            chunk: chunk.unwrap_or(1),
            pushed: 0,
            taken: 0,
            refused,
            over,
        }
    }

    /// How many items may be on their way: enough to keep the workers busy, whatever the iterator's
    /// length.
    fn window(&self) -> u64 {
        let workers = self.pool.workers();
        let known = self.batch.item_ns().map(|ns| (AHEAD_NS / ns.max(1.0)) as usize);
        let each = known.unwrap_or(0).max(AHEAD_UNKNOWN).max(2 * self.chunk);
        (each * workers).min(AHEAD_MAX.max(2 * self.chunk * workers)) as u64
    }

    /// Pushes items until the window is full.
    fn feed(&mut self) {
        let window = self.window();
        // Topped up in strides: one by one each result would cost a submission.
        if self.pushed - self.taken > window - window / 4 {
            return;
        }
        while !self.over && !self.feeder.is_done() && self.pushed - self.taken < window {
            let room = window - (self.pushed - self.taken);
            let before = self.batch.pushed();
            let stepped = self.feeder.step(&self.pool, &self.batch, room as usize);
            self.pushed += self.batch.pushed() - before;
            if let Err(error) = stepped {
                self.refused.push_back((self.pushed, error));
                return;
            }
            if let Some(error) = self.batch.given_up() {
                self.refused.push_back((self.pushed, error));
                self.over = true;
            }
        }
    }

    /// Whether everything that was pushed was taken and no more will come.
    fn is_over(&self) -> bool {
        (self.over || self.feeder.is_done()) && self.pushed == self.taken && self.refused.is_empty()
    }
}

impl<I> Drop for Stream<I> {
    fn drop(&mut self) {
        self.batch.abandon();
    }
}

/// The results of [`imap`](crate::Pool::imap), in the order of the items.
#[must_use = "the iterator feeds the workers as its results are taken"]
pub struct Imap<I, R> {
    stream: Stream<I>,
    early: BTreeMap<u64, Result<R>>,
}

impl<I, R> fmt::Debug for Imap<I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap").field("taken", &self.stream.taken).finish_non_exhaustive()
    }
}

impl<A: Args, I: Iterator<Item = A>, R: Returned> Imap<I, R> {
    pub(crate) fn new(pool: &Pool, code: Result<Code>, chunk: Option<usize>, items: I) -> Self {
        Self { stream: Stream::new(pool, code, chunk, items), early: BTreeMap::new() }
    }
}

impl<A: Args, I: Iterator<Item = A>, R: Returned> Iterator for Imap<I, R> {
    type Item = Result<R>;

    fn next(&mut self) -> Option<Result<R>> {
        loop {
            let stream = &mut self.stream;
            stream.feed();
            if stream.refused.front().is_some_and(|(before, _)| *before == stream.taken) {
                return stream.refused.pop_front().map(|(_, error)| Err(error));
            }
            if stream.is_over() {
                return None;
            }
            while !self.early.contains_key(&stream.taken)
                && let Some(delivery) = stream.batch.take_delivery()
            {
                unpack(delivery, |index, result| {
                    self.early.insert(index, result);
                });
            }
            if let Some(result) = self.early.remove(&stream.taken) {
                stream.taken += 1;
                return Some(result);
            }
            stream.pool.wait_until(&*stream.batch, None);
        }
    }
}

/// The results of [`imap_unordered`](crate::Pool::imap_unordered), as they come.
#[must_use = "the iterator feeds the workers as its results are taken"]
pub struct ImapUnordered<I, R> {
    stream: Stream<I>,
    ready: VecDeque<Result<R>>,
}

impl<I, R> fmt::Debug for ImapUnordered<I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapUnordered").field("taken", &self.stream.taken).finish_non_exhaustive()
    }
}

impl<A: Args, I: Iterator<Item = A>, R: Returned> ImapUnordered<I, R> {
    pub(crate) fn new(pool: &Pool, code: Result<Code>, chunk: Option<usize>, items: I) -> Self {
        Self { stream: Stream::new(pool, code, chunk, items), ready: VecDeque::new() }
    }
}

impl<A: Args, I: Iterator<Item = A>, R: Returned> Iterator for ImapUnordered<I, R> {
    type Item = Result<R>;

    fn next(&mut self) -> Option<Result<R>> {
        loop {
            let stream = &mut self.stream;
            stream.feed();
            if let Some((_, error)) = stream.refused.pop_front() {
                return Some(Err(error));
            }
            if let Some(result) = self.ready.pop_front() {
                stream.taken += 1;
                return Some(result);
            }
            if stream.is_over() {
                return None;
            }
            if let Some(delivery) = stream.batch.take_delivery() {
                unpack(delivery, |_, result| self.ready.push_back(result));
            } else {
                stream.pool.wait_until(&*stream.batch, None);
            }
        }
    }
}
