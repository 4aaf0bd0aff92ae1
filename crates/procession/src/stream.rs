//! A map that is fed as its results are taken, in processes or on threads.

use crate::args::Args;
use crate::map::{Arrived, Encoder, unpack};
use crate::target::Returned;
use procession_core::face::Code;
use procession_core::pool::Pool;
use procession_core::task::{Batch, Failure, Terms};
use procession_core::threads::{self, Deliveries, Delivery, Gatherer, Name, Threads};
use procession_core::{Error, Result};
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;

/// Work that is kept ahead of the consumer, for each worker, once the time of an item is known.
const AHEAD_NS: f64 = 4_000_000.0;
/// Items ahead for each worker before it is.
const AHEAD_UNKNOWN: usize = 4;
/// Most items ahead.
const AHEAD_MAX: usize = 32 * 1024;
/// Items of a chunk of fixed size for which more than that is kept ahead: an iterator may be endless
/// whatever the size.
const CHUNK_AHEAD_MAX: usize = 1 << 20;

/// A map, wherever its items run.
trait Work<A, R>: Send + Sync {
    /// Takes the next items from an iterator, at most `most`, and pushes them.
    fn push(&mut self, items: &mut dyn Iterator<Item = A>, most: usize) -> Pushed;

    /// How many workers there are, when all are there.
    fn workers(&self) -> usize;

    /// Nanoseconds that an item takes, as measured; `None` before the first came back.
    fn item_ns(&self) -> Option<f64>;

    /// Takes what came back next: `each` gets index and result of every item in it. `false` when
    /// nothing is there.
    fn take(&self, each: &mut dyn FnMut(u64, Arrived<R>)) -> bool;

    /// Something that failed before it could be pushed.
    fn note(&self, error: Error) -> Arc<Failure>;

    /// Waits until something has come back or nothing more will. Woken by that.
    fn wait(&self);

    /// Nobody wants the rest: what nobody has begun never runs.
    fn abandon(&self);
}

/// What a step of pushing has come to.
#[derive(Debug)]
struct Pushed {
    count: u64,
    /// The iterator is used up.
    is_last: bool,
    /// Why the next item was refused.
    refused: Option<Error>,
    /// No other item will be taken.
    is_over: bool,
}

/// Items encoded for processes.
#[derive(Debug)]
struct InProcesses<A, R> {
    pool: Pool,
    batch: Arc<Batch>,
    encoder: Encoder,
    items: PhantomData<fn(A) -> R>,
}

impl<A: Args, R: Returned> Work<A, R> for InProcesses<A, R> {
    fn push(&mut self, items: &mut dyn Iterator<Item = A>, most: usize) -> Pushed {
        let before = self.batch.pushed();
        let (is_last, result) = self.encoder.step(items, &self.pool, &self.batch, most);
        let count = self.batch.pushed() - before;
        let given_up = self.batch.given_up();
        let is_over = given_up.is_some();
        // The items that were pushed have failed then; so an error is missing only if there was none.
        let given_up = given_up.filter(|_| count == 0);
        Pushed { count, is_last, refused: result.err().or(given_up), is_over }
    }

    fn workers(&self) -> usize {
        self.pool.workers()
    }

    fn item_ns(&self) -> Option<f64> {
        self.batch.item_ns()
    }

    fn note(&self, error: Error) -> Arc<Failure> {
        self.pool.note(error)
    }

    fn take(&self, each: &mut dyn FnMut(u64, Arrived<R>)) -> bool {
        let delivery = self.batch.take_delivery();
        delivery.map(|delivery| unpack(delivery, each)).is_some()
    }

    fn wait(&self) {
        self.pool.wait_until(&*self.batch, None);
    }

    fn abandon(&self) {
        self.pool.abandon(&self.batch);
    }
}

/// Items as they are, for threads.
struct OnThreads<A, R> {
    pool: Threads,
    batch: Arc<dyn Deliveries<A, R>>,
    gatherer: Gatherer,
}

impl<A, R> Work<A, R> for OnThreads<A, R> {
    fn push(&mut self, items: &mut dyn Iterator<Item = A>, most: usize) -> Pushed {
        let (items, is_last) = self.gatherer.next(items, most);
        let count = items.len() as u64;
        match self.batch.clone().push(&self.pool, items, is_last) {
            Ok(()) => Pushed { count, is_last, refused: None, is_over: false },
            // The items have failed; so an error is missing only if there was none.
            Err(error) => {
                let refused = Some(error).filter(|_| count == 0);
                Pushed { count, is_last, refused, is_over: true }
            }
        }
    }

    fn workers(&self) -> usize {
        self.pool.threads()
    }

    fn item_ns(&self) -> Option<f64> {
        self.batch.item_ns()
    }

    fn note(&self, error: Error) -> Arc<Failure> {
        self.pool.note(error)
    }

    fn take(&self, each: &mut dyn FnMut(u64, Arrived<R>)) -> bool {
        match self.batch.take_delivery() {
            None => return false,
            Some(Delivery::Part { first, values }) => {
                (first..).zip(values).for_each(|(index, value)| each(index, Ok(value)));
            }
            Some(Delivery::Failed { first, count, failure }) => {
                (first..first + count).for_each(|index| each(index, Err(failure.clone())));
            }
        }
        true
    }

    fn wait(&self) {
        threads::wait_until(&self.batch, None);
    }

    fn abandon(&self) {
        self.batch.abandon(&self.pool);
    }
}

/// What both kinds of lazy maps share: work that is fed as results are taken.
pub(crate) struct Stream<I: Iterator, R> {
    items: Option<I>,
    work: Box<dyn Work<I::Item, R>>,
    chunk: usize,
    /// Items pushed, and results handed to the consumer.
    pushed: u64,
    taken: u64,
    /// Items that could not be encoded: before which pushed item they stood, and why.
    refused: VecDeque<(u64, Arc<Failure>)>,
}

impl<I: Iterator, R> Stream<I, R> {
    /// A map in processes.
    pub(crate) fn in_processes(
        pool: &Pool,
        code: Result<Code>,
        (terms, chunk): (Terms, Option<usize>),
        items: I,
    ) -> Self
    where
        I::Item: Args,
        R: Returned,
    {
        let (code, error) = code.map_or_else(|error| (0, Some(error)), |code| (code, None));
        let work = InProcesses {
            pool: pool.clone(),
            batch: Arc::new(Batch::new(code, terms, chunk)),
            encoder: Encoder::new(),
            items: PhantomData,
        };
        let mut stream = Self::new(Box::new(work), chunk, items);
        if let Some(error) = error {
            stream.refuse(error, true);
        }
        stream
    }

    /// A map on threads.
    pub(crate) fn on_threads<F>(
        pool: &Threads,
        named: (Name, F),
        chunk: Option<usize>,
        items: I,
    ) -> Self
    where
        F: Fn(I::Item) -> R + Send + Sync + 'static,
        I::Item: Send + 'static,
        R: Send + 'static,
    {
        let work = OnThreads {
            pool: pool.clone(),
            batch: pool.stream(named, chunk),
            gatherer: Gatherer::default(),
        };
        Self::new(Box::new(work), chunk, items)
    }

    fn new(work: Box<dyn Work<I::Item, R>>, chunk: Option<usize>, items: I) -> Self {
        Self {
            items: Some(items),
            work,
            chunk: chunk.unwrap_or(1),
            pushed: 0,
            taken: 0,
            refused: VecDeque::new(),
        }
    }

    pub(crate) fn refuse(&mut self, error: Error, is_over: bool) {
        self.refused.push_back((self.pushed, self.work.note(error)));
        if is_over {
            self.items = None;
        }
    }

    /// How many items may be on their way: enough to keep the workers busy, whatever the iterator's
    /// length.
    fn window(&self) -> u64 {
        let workers = self.work.workers();
        let chunk = self.chunk.min(CHUNK_AHEAD_MAX);
        let known = self.work.item_ns().map(|ns| (AHEAD_NS / ns.max(1.0)) as usize);
        let each = known.unwrap_or(0).max(AHEAD_UNKNOWN).max(2 * chunk);
        each.saturating_mul(workers).min(AHEAD_MAX.max(2 * chunk * workers)) as u64
    }

    /// Pushes items until the window is full.
    pub(crate) fn feed(&mut self) {
        let window = self.window();
        // Topped up in strides: one by one each result would cost a submission.
        if self.pushed - self.taken > window - window / 4 {
            return;
        }
        while self.pushed - self.taken < window
            && let Some(items) = &mut self.items
        {
            let room = window - (self.pushed - self.taken);
            let pushed = self.work.push(items, room as usize);
            self.pushed += pushed.count;
            if pushed.is_last || pushed.is_over {
                self.items = None;
            }
            if let Some(error) = pushed.refused {
                self.refuse(error, pushed.is_over);
                return;
            }
        }
    }

    /// Whether everything that was pushed was taken and no more will come.
    pub(crate) fn is_over(&self) -> bool {
        self.items.is_none() && self.pushed == self.taken && self.refused.is_empty()
    }

    /// Results handed to the consumer.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Notes that a result is handed to the consumer.
    pub(crate) fn count_taken(&mut self) {
        self.taken += 1;
    }

    /// Why the next item in order was refused, if it was.
    pub(crate) fn take_refusal_due(&mut self) -> Option<Error> {
        let is_due = self.refused.front().is_some_and(|(before, _)| *before == self.taken);
        if is_due { self.take_refusal() } else { None }
    }

    /// Why an item was refused.
    pub(crate) fn take_refusal(&mut self) -> Option<Error> {
        self.refused.pop_front().map(|(_, failure)| failure.look())
    }

    /// Takes what came back next; `false` when nothing is there.
    pub(crate) fn take_delivery(&self, each: &mut dyn FnMut(u64, Arrived<R>)) -> bool {
        self.work.take(&mut |index, arrived| {
            if let Err(failure) = &arrived {
                // Whoever takes results has it now, and knows by the first of them.
                failure.forget_if_closed();
            }
            each(index, arrived);
        })
    }

    /// Waits until something has come back or nothing more will.
    pub(crate) fn wait(&self) {
        self.work.wait();
    }
}

impl<I: Iterator, R> Drop for Stream<I, R> {
    fn drop(&mut self) {
        // What was not sent is dropped: also what could not be, since the pool was closed.
        self.refused.iter().for_each(|(_, failure)| failure.forget_if_closed());
        self.work.abandon();
    }
}
