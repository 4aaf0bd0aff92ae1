//! Many calls of one function: what the map family is made of.

use super::Threads;
use super::chunk::{Chunk, Delivery, Made};
use super::ending::{Ending, Left};
use super::engine::{End, Engine};
use super::outcome::{Deliveries, Goal, Outcome};
use super::queue::Entry;
use super::worker;
use super::workers::Name;
use crate::error::{Error, Fault, Result};
use crate::task::{Failure, Guide, Subscribers};
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;

/// How long a chunk should take, once the time of an item is known.
const CHUNK_NS: f64 = 200_000.0;

/// A growing sequence of calls of one function.
pub(super) struct Batch<F, A, R> {
    /// The pool's id.
    pool: u64,
    threads: usize,
    name: Name,
    function: F,
    ending: Ending,
    inner: Mutex<Inner<A, R>>,
}

struct Inner<A, R> {
    /// Items that were pushed and not yet cut.
    items: VecDeque<A>,
    /// Index of the first of them.
    next: u64,
    /// What threads gave back of their chunks; cut first.
    shared: Vec<Chunk<A>>,
    /// Of each chunk that runs, what was not begun.
    left: Vec<Left>,
    pushed: u64,
    /// Items whose outcome was delivered.
    finished: u64,
    sealed: bool,
    /// Whether the batch stands in the pool's queue.
    queued: bool,
    given_up: Option<Error>,
    deliveries: VecDeque<Delivery<R>>,
    guide: Guide,
    /// Who wants to know of every delivery, and who of the last.
    news: Subscribers,
    whole: Subscribers,
    has_failed: bool,
    /// Somebody has looked at what became of the whole: nothing of it is news any more.
    looked_at: bool,
    is_taken: bool,
}

impl<A, R> Inner<A, R> {
    /// Whether every item has its outcome and no more will come.
    fn is_done(&self) -> bool {
        self.sealed && self.finished == self.pushed
    }

    fn has_uncut(&self) -> bool {
        !self.items.is_empty() || !self.shared.is_empty()
    }

    /// Takes what nobody has begun, counted as finished.
    fn take_uncut(&mut self) -> Vec<Chunk<A>> {
        let mut chunks = std::mem::take(&mut self.shared);
        let items = Vec::from(std::mem::take(&mut self.items));
        let (first, count) = (self.next, items.len() as u64);
        if count > 0 {
            chunks.push(Chunk { first, items });
            self.next += count;
        }
        self.finished += count_of(&chunks);
        chunks
    }

    /// Takes in what came of a chunk.
    fn deliver(&mut self, deliveries: Vec<Delivery<R>>) {
        for delivery in deliveries {
            self.finished += delivery.count();
            if let Delivery::Failed { failure, .. } = &delivery {
                self.has_failed = true;
                if self.looked_at {
                    failure.look_at_all();
                }
            }
            self.deliveries.push_back(delivery);
        }
    }

    /// Has a chunk fail that counts as finished.
    fn fail(&mut self, engine: &Engine, chunk: &Chunk<A>, error: &Error) {
        let (first, count) = (chunk.first, chunk.items.len() as u64);
        let failure = Failure::of_many(error.clone(), if self.looked_at { 0 } else { count });
        engine.note(&failure);
        self.has_failed = true;
        self.deliveries.push_back(Delivery::Failed { first, count, failure });
    }

    /// Notes that somebody has looked at what became of the whole, and so of each item.
    fn look_at_all(&mut self) {
        self.looked_at = true;
        for delivery in &self.deliveries {
            if let Delivery::Failed { failure, .. } = delivery {
                failure.look_at_all();
            }
        }
    }

    /// Who is to be woken: the wakers, once no lock is held.
    fn wake(&mut self) -> [Option<Waker>; 2] {
        let news = self.news.wake();
        let whole = if self.is_done() { self.whole.wake() } else { None };
        [news, whole]
    }
}

fn cancelled() -> Error {
    Error::new(Fault::Cancelled { worker: None })
}

fn count_of<A>(chunks: &[Chunk<A>]) -> u64 {
    chunks.iter().map(|chunk| chunk.items.len() as u64).sum()
}

impl<F, A, R> fmt::Debug for Batch<F, A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner.lock();
        f.debug_struct("Batch")
            .field("pushed", &inner.pushed)
            .field("finished", &inner.finished)
            .field("sealed", &inner.sealed)
            .finish_non_exhaustive()
    }
}

impl<F, A, R> Batch<F, A, R>
where
    F: Fn(A) -> R + Send + Sync + 'static,
    A: Send + 'static,
    R: Send + 'static,
{
    pub(super) fn new(
        engine: &Engine,
        name: Name,
        function: F,
        chunk_items: Option<usize>,
    ) -> Self {
        let inner = Inner {
            items: VecDeque::new(),
            next: 0,
            shared: Vec::new(),
            left: Vec::new(),
            pushed: 0,
            finished: 0,
            sealed: false,
            queued: false,
            given_up: None,
            deliveries: VecDeque::new(),
            guide: Guide::new(chunk_items),
            news: Subscribers::default(),
            whole: Subscribers::default(),
            looked_at: false,
            has_failed: false,
            is_taken: false,
        };
        let (pool, threads) = (engine.id, engine.config.threads);
        let (ending, inner) = (Ending::default(), Mutex::new(inner));
        Self { pool, threads, name, function, ending, inner }
    }

    /// Puts the batch into the queue if it has to stand there.
    fn enqueue(self: Arc<Self>, engine: &Engine) {
        let mut inner = self.inner.lock();
        if !inner.queued && inner.has_uncut() {
            inner.queued = true;
            drop(inner);
            engine.push(self);
        }
    }

    fn cut(&self, inner: &mut Inner<A, R>) -> Option<Chunk<A>> {
        if let Some(chunk) = inner.shared.pop() {
            return Some(chunk);
        }
        let left = inner.sealed.then_some(inner.items.len());
        let count = inner.guide.next(CHUNK_NS, left, self.threads).min(inner.items.len());
        if count == 0 {
            return None;
        }
        let first = inner.next;
        inner.next += count as u64;
        Some(Chunk { first, items: inner.items.drain(..count).collect() })
    }

    /// Runs the next chunk, after it has put the rest back for the other threads. `from_queue` says
    /// that the batch has just left the queue.
    fn run_chunk(self: &Arc<Self>, engine: &Engine, place: usize, from_queue: bool) -> bool {
        let chunk = {
            let mut inner = self.inner.lock();
            if from_queue {
                inner.queued = false;
            }
            self.cut(&mut inner).map(|chunk| {
                let left = Left::new(chunk.items.len());
                inner.left.push(left.clone());
                (chunk, left)
            })
        };
        self.clone().enqueue(engine);
        let Some((chunk, left)) = chunk else { return false };
        let share = |chunk| {
            self.inner.lock().shared.push(chunk);
            self.clone().enqueue(engine);
        };
        let asked = (&self.ending, &left);
        let made = chunk.run((engine, place), asked, share, self.name, &self.function);
        self.count(engine, place, &made);
        let wakers = {
            let mut inner = self.inner.lock();
            inner.left.retain(|other| !other.is(&left));
            if made.ran > 0 {
                inner.guide.measure(made.ran, made.took.as_nanos() as f64);
            }
            inner.deliver(made.deliveries);
            if let Some(rest) = &made.rest {
                inner.finished += rest.items.len() as u64;
                inner.fail(engine, rest, &cancelled());
                engine.count(Some(place), End::Cancelled, rest.items.len() as u64);
            }
            inner.wake()
        };
        engine.wake(wakers.into_iter().flatten());
        if let Some(rest) = made.rest {
            engine.drop_quietly(vec![rest]);
        }
        true
    }

    fn count(self: &Arc<Self>, engine: &Engine, place: usize, made: &Made<A, R>) {
        let mut failed = 0;
        for delivery in &made.deliveries {
            if let Delivery::Failed { count, failure, .. } = delivery {
                // Before it is counted: who joins looks for failures when all is counted.
                engine.note(failure);
                failed += count;
            }
        }
        if failed > 0 {
            engine.count(Some(place), End::Failed, failed);
        }
        if made.ran > failed {
            engine.count(Some(place), End::Succeeded, made.ran - failed);
        }
    }

    /// Fails what nobody has begun and refuses more; what runs is delivered as usual.
    pub(super) fn give_up(&self, engine: &Engine, error: &Error) {
        let uncut = self.fail_uncut(self.inner.lock(), engine, error, End::Failed);
        engine.drop_quietly(uncut);
    }

    /// Fails what nobody has begun, which ends so, and refuses more; gives what there was.
    fn fail_uncut(
        &self,
        mut inner: MutexGuard<'_, Inner<A, R>>,
        engine: &Engine,
        error: &Error,
        end: End,
    ) -> Vec<Chunk<A>> {
        inner.given_up.get_or_insert_with(|| error.clone());
        inner.sealed = true;
        let uncut = inner.take_uncut();
        for chunk in &uncut {
            inner.fail(engine, chunk, error);
        }
        engine.count(None, end, count_of(&uncut));
        let wakers = inner.wake();
        drop(inner);
        engine.wake(wakers.into_iter().flatten());
        uncut
    }

    /// Fails so many items that the pool has not taken, and refuses more. Those before them go on, unless
    /// the pool has come to an end that fails what it has.
    fn refuse_items(&self, engine: &Engine, count: u64, error: &Error) {
        let failure = Failure::of_many(error.clone(), count);
        engine.note(&failure);
        let wakers = {
            let mut inner = self.inner.lock();
            inner.given_up.get_or_insert_with(|| error.clone());
            inner.sealed = true;
            if count > 0 {
                let first = inner.pushed;
                inner.pushed += count;
                inner.deliver(vec![Delivery::Failed { first, count, failure }]);
            }
            inner.wake()
        };
        engine.wake(wakers.into_iter().flatten());
    }

    /// Pushes items and lets the threads know; `is_last` says that no more will come.
    ///
    /// # Errors
    /// When the pool takes no more; the items have failed then.
    fn push_items(self: Arc<Self>, engine: &Engine, items: Vec<A>, is_last: bool) -> Result<()> {
        let count = items.len() as u64;
        if let Err(error) = engine.enter(count) {
            self.refuse_items(engine, count, &error);
            return Err(error);
        }
        let wakers = {
            let mut inner = self.inner.lock();
            inner.pushed += count;
            inner.items.extend(items);
            inner.sealed |= is_last;
            inner.is_done().then(|| inner.wake())
        };
        engine.wake(wakers.into_iter().flatten().flatten());
        self.enqueue(engine);
        Ok(())
    }
}

impl<F, A, R> Entry for Batch<F, A, R>
where
    F: Fn(A) -> R + Send + Sync + 'static,
    A: Send + 'static,
    R: Send + 'static,
{
    fn run(self: Arc<Self>, engine: &Engine, place: usize) {
        self.run_chunk(engine, place, true);
    }

    fn refuse(&self, engine: &Engine, error: &Error) {
        let is_due = {
            let mut inner = self.inner.lock();
            inner.queued = false;
            inner.has_uncut()
        };
        // Without any it stands in the queue for nothing: threads that waited for it ran the rest.
        if is_due {
            self.give_up(engine, error);
        }
    }
}

/// Every delivery being news; the goal of who takes results one by one.
impl<F, A, R> Goal for Batch<F, A, R>
where
    F: Fn(A) -> R + Send + Sync + 'static,
    A: Send + 'static,
    R: Send + 'static,
{
    fn is_over(&self) -> bool {
        let inner = self.inner.lock();
        !inner.deliveries.is_empty() || inner.is_done()
    }

    fn subscribe(&self, change: &mut dyn FnMut(&mut Subscribers)) -> bool {
        let mut inner = self.inner.lock();
        let is_pending = inner.deliveries.is_empty() && !inner.is_done();
        if is_pending {
            change(&mut inner.news);
        }
        is_pending
    }

    fn help(self: Arc<Self>) -> bool {
        worker::with(self.pool, |engine, place| self.run_chunk(engine, place, false))
            .unwrap_or(false)
    }
}

impl<F, A, R> Deliveries<A, R> for Batch<F, A, R>
where
    F: Fn(A) -> R + Send + Sync + 'static,
    A: Send + 'static,
    R: Send + 'static,
{
    fn push(self: Arc<Self>, pool: &Threads, items: Vec<A>, is_last: bool) -> Result<()> {
        self.push_items(pool.engine(), items, is_last)
    }

    fn take_delivery(&self) -> Option<Delivery<R>> {
        self.inner.lock().deliveries.pop_front()
    }

    fn item_ns(&self) -> Option<f64> {
        self.inner.lock().guide.item_ns()
    }

    fn abandon(&self, pool: &Threads) {
        let (wakers, uncut) = {
            let mut inner = self.inner.lock();
            let uncut = inner.take_uncut();
            inner.sealed = true;
            for delivery in &inner.deliveries {
                if let Delivery::Failed { failure, .. } = delivery {
                    failure.forget_if_closed();
                }
            }
            pool.engine().count(None, End::Dropped, count_of(&uncut));
            (inner.wake(), uncut)
        };
        pool.engine().wake(wakers.into_iter().flatten());
        drop(uncut);
    }
}

/// Every item of a batch having its outcome; the goal of who takes all results at once.
pub(super) struct Whole<F, A, R>(pub(super) Arc<Batch<F, A, R>>);

impl<F, A, R> Goal for Whole<F, A, R>
where
    F: Fn(A) -> R + Send + Sync + 'static,
    A: Send + 'static,
    R: Send + 'static,
{
    fn is_over(&self) -> bool {
        self.0.inner.lock().is_done()
    }

    fn subscribe(&self, change: &mut dyn FnMut(&mut Subscribers)) -> bool {
        let mut inner = self.0.inner.lock();
        let is_pending = !inner.is_done();
        if is_pending {
            change(&mut inner.whole);
        }
        is_pending
    }

    fn help(self: Arc<Self>) -> bool {
        self.0.clone().help()
    }
}

impl<F, A, R> Outcome<Vec<R>> for Whole<F, A, R>
where
    F: Fn(A) -> R + Send + Sync + 'static,
    A: Send + 'static,
    R: Send + 'static,
{
    fn take(&self) -> Option<Result<Vec<R>>> {
        let mut deliveries = {
            let mut inner = self.0.inner.lock();
            inner.look_at_all();
            if std::mem::replace(&mut inner.is_taken, true) {
                return None;
            }
            if let Some(error) = &inner.given_up {
                return Some(Err(error.clone()));
            }
            Vec::from(std::mem::take(&mut inner.deliveries))
        };
        deliveries.sort_unstable_by_key(Delivery::first);
        let count: u64 = deliveries.iter().map(Delivery::count).sum();
        let mut all = Vec::with_capacity(count as usize);
        for delivery in deliveries {
            match delivery {
                Delivery::Part { values, .. } => all.extend(values),
                Delivery::Failed { failure, .. } => return Some(Err(failure.look())),
            }
        }
        Some(Ok(all))
    }

    fn succeeded(&self) -> Option<bool> {
        let mut inner = self.0.inner.lock();
        if !inner.is_done() {
            return None;
        }
        inner.look_at_all();
        Some(inner.given_up.is_none() && !inner.has_failed)
    }

    fn cancel(&self, pool: &Threads, running: bool) -> bool {
        let inner = self.0.inner.lock();
        if running {
            self.0.ending.stop();
        }
        if !inner.has_uncut() && !inner.left.iter().any(Left::is_any) {
            // What runs goes on, unless it minds that it should not, and its results are the map's.
            return false;
        }
        self.0.ending.begin_no_more();
        let uncut = self.0.fail_uncut(inner, pool.engine(), &cancelled(), End::Cancelled);
        // On the thread of who cancels: a panic is its own.
        drop(uncut);
        true
    }
}

/// A batch having room for more items; the goal of who has many.
pub(super) struct Room<F, A, R>(pub(super) Arc<Batch<F, A, R>>);

/// Most items of a map that wait for a thread while its caller waits, too.
pub(super) const AHEAD_ITEMS: usize = 64 * 1024;

impl<A, R> Inner<A, R> {
    fn has_room(&self) -> bool {
        self.items.len() < AHEAD_ITEMS || self.sealed
    }
}

impl<F, A, R> Goal for Room<F, A, R>
where
    F: Fn(A) -> R + Send + Sync + 'static,
    A: Send + 'static,
    R: Send + 'static,
{
    fn is_over(&self) -> bool {
        self.0.inner.lock().has_room()
    }

    fn subscribe(&self, change: &mut dyn FnMut(&mut Subscribers)) -> bool {
        let mut inner = self.0.inner.lock();
        let is_pending = !inner.has_room();
        if is_pending {
            // There is room when a chunk was cut, and the next delivery tells of that early enough.
            change(&mut inner.news);
        }
        is_pending
    }

    fn help(self: Arc<Self>) -> bool {
        self.0.clone().help()
    }
}
