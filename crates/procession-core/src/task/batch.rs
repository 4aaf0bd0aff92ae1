//! Many calls of one function: what the map family is made of.
//!
//! The caller pushes encoded items; the scheduler cuts chunks off the front, as large as the
//! measured time of an item says; what comes back is delivered in pieces that name their items.

use super::{Failure, Guide, Subscribers, Terms};
use crate::attachment::Attachments;
use crate::error::Error;
use crate::face::Code;
use crate::payload::{Bytes, Value};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

/// A growing sequence of calls of one function.
#[derive(Debug)]
pub struct Batch {
    code: Code,
    terms: Terms,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Items not yet cut, each behind its length.
    bytes: Vec<u8>,
    /// Where in `bytes` the front item begins.
    bytes_at: usize,
    /// Length of each item in `bytes`, with its length word.
    lengths: VecDeque<u32>,
    /// What items not yet cut mention, in their order; mostly nothing.
    mentions: VecDeque<Mention>,
    /// Index of the front item.
    next: u64,
    /// Items that were pushed in all.
    pushed: u64,
    /// Items whose outcome was delivered.
    finished: u64,
    sealed: bool,
    /// Whether the batch stands in the injector.
    queued: bool,
    given_up: Option<Error>,
    /// It was cancelled, be it after it was given up.
    is_cancelled: bool,
    deliveries: VecDeque<Delivery>,
    guide: Guide,
    subscribers: Subscribers,
    has_failed: bool,
    /// Somebody has looked at what became of the whole: nothing of it is news any more.
    looked_at: bool,
}

impl Inner {
    /// Whether every item has its outcome and no more will come.
    fn is_done(&self) -> bool {
        self.sealed && self.finished == self.pushed
    }

    /// Bytes of the items not yet cut.
    fn uncut_bytes(&self) -> usize {
        self.bytes.len() - self.bytes_at
    }

    /// Whether something waits to be taken, or nothing more will come.
    fn has_news(&self) -> bool {
        !self.deliveries.is_empty() || self.is_done()
    }

    /// Takes in what the item mentions that stands so far behind the front one; `false` when that is too
    /// much for one request.
    #[cold]
    fn mention_of(&mut self, behind: u64, attachments: &mut Attachments) -> bool {
        let index = self.next + behind;
        let end = |mention: &Mention| mention.first + mention.count;
        while self.mentions.front().is_some_and(|mention| end(mention) <= index) {
            self.mentions.pop_front();
        }
        match self.mentions.front() {
            Some(mention) if mention.first <= index => attachments.join(&mention.attachments),
            _ => true,
        }
    }

    /// Counts what was not cut yet as finished; gives the index of the first such item, and how
    /// many there were.
    fn drop_uncut(&mut self) -> (u64, u64) {
        let (first, count) = (self.next, self.lengths.len() as u64);
        self.lengths.clear();
        self.mentions.clear();
        self.bytes.clear();
        self.bytes_at = 0;
        self.next += count;
        self.finished += count;
        (first, count)
    }
}

/// Items in a row that mention the same attachments.
#[derive(Debug)]
pub struct Mention {
    /// Index of the first: in what is pushed, and later in the batch.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// What they mention.
    pub attachments: Attachments,
}

/// What came back for some items.
#[derive(Debug)]
pub enum Delivery {
    /// Results of `count` items from `first` on, as records.
    Part {
        /// Index of the first item.
        first: u64,
        /// How many items.
        count: u64,
        /// The [`Record`](crate::message::Record)s.
        records: Bytes,
        /// What they may mention, so that it stays until they are decoded.
        kept: Attachments,
    },
    /// The result of one item, a large one.
    Item {
        /// Index of the item.
        index: u64,
        /// Its encoded result.
        value: Value,
    },
    /// Items that have no result, for one reason.
    Failed {
        /// Index of the first item.
        first: u64,
        /// How many items.
        count: u64,
        /// Why.
        failure: Arc<Failure>,
    },
}

impl Delivery {
    /// So many items, from `first` on, that have no result.
    pub(crate) fn failed(first: u64, count: u64, error: Error) -> Self {
        Self::Failed { first, count, failure: Failure::of_many(error, count) }
    }
}

/// What can be said of a chunk before it is cut.
#[derive(Debug)]
pub(crate) struct NextChunk {
    /// Nanoseconds that it will take; `None` before an item was measured.
    pub(crate) ns: Option<f64>,
    /// Bytes that it may have, unless a single item is larger.
    pub(crate) bytes: usize,
}

/// Some items of a batch, cut for one worker.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Index of the first item.
    pub(crate) first: u64,
    /// How many items.
    pub(crate) count: u64,
    /// The items, each behind its length.
    pub(crate) bytes: Vec<u8>,
    /// What they mention.
    pub(crate) attachments: Attachments,
}

impl Chunk {
    /// Removes the first `count` items.
    pub(crate) fn drop_front(&mut self, count: u64) {
        let mut at = 0;
        for _ in 0..count.min(self.count) {
            let Some((length, _)) = self.bytes[at..].split_first_chunk::<4>() else { break };
            at += 4 + u32::from_le_bytes(*length) as usize;
        }
        self.bytes.drain(..at.min(self.bytes.len()));
        self.first += count;
        self.count -= count.min(self.count);
    }

    /// Takes the first item out, as a chunk of its own.
    pub(crate) fn split_first(&mut self) -> Self {
        let (first, count) = (self.first, 1);
        let mut bytes = self.bytes.clone();
        self.drop_front(1);
        bytes.truncate(bytes.len() - self.bytes.len());
        Self { first, count, bytes, attachments: self.attachments.clone() }
    }
}

impl Batch {
    /// An empty batch of calls of `code` on these terms; `chunk_items` overrides the measured chunk
    /// size.
    pub fn new(code: Code, terms: Terms, chunk_items: Option<usize>) -> Self {
        let inner = Inner { guide: Guide::new(chunk_items), ..Inner::default() };
        Self { code, terms, inner: Mutex::new(inner) }
    }

    /// On what terms each item runs.
    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What the items are arguments of.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// Appends encoded items, each behind its length (`u32`, little-endian), with their total lengths
    /// and what they mention. Gives how many it took: none if it was given up.
    pub fn push(&self, bytes: &[u8], lengths: &[u32], mentions: &mut Vec<Mention>) -> u64 {
        let mut inner = self.inner.lock();
        if inner.given_up.is_some() {
            mentions.clear();
            return 0;
        }
        let at = inner.bytes_at;
        if at > inner.bytes.len() / 2 {
            inner.bytes.drain(..at);
            inner.bytes_at = 0;
        }
        inner.bytes.extend_from_slice(bytes);
        inner.lengths.extend(lengths);
        let pushed = inner.pushed;
        for mention in mentions.drain(..) {
            inner.mentions.push_back(Mention { first: pushed + mention.first, ..mention });
        }
        inner.pushed += lengths.len() as u64;
        lengths.len() as u64
    }

    /// No more items will come.
    pub fn seal(&self) {
        self.inner.lock().sealed = true;
    }

    /// Takes what came back next.
    pub fn take_delivery(&self) -> Option<Delivery> {
        self.inner.lock().deliveries.pop_front()
    }

    /// Notes that somebody has looked at what became of the whole, and so of each item.
    pub fn look_at_all(&self) {
        let mut inner = self.inner.lock();
        inner.looked_at = true;
        for delivery in &inner.deliveries {
            if let Delivery::Failed { failure, .. } = delivery {
                failure.look_at_all();
            }
        }
    }

    /// Whether something waits to be taken, or nothing more will come.
    pub fn has_news(&self) -> bool {
        self.inner.lock().has_news()
    }

    /// Whether every item has its outcome.
    pub fn is_done(&self) -> bool {
        self.inner.lock().is_done()
    }

    /// Items pushed and not yet cut into chunks.
    pub fn uncut(&self) -> usize {
        self.inner.lock().lengths.len()
    }

    /// Nanoseconds that an item takes, as measured; `None` before the first came back.
    pub fn item_ns(&self) -> Option<f64> {
        self.inner.lock().guide.item_ns()
    }

    /// What the next chunk will be like; `None` when nothing is left to cut.
    pub(crate) fn next_chunk(&self, target_ns: f64, bytes_max: usize) -> Option<NextChunk> {
        let inner = self.inner.lock();
        if inner.lengths.is_empty() {
            return None;
        }
        let uncut_bytes = inner.uncut_bytes();
        let ns = inner.guide.item_ns().map(|item_ns| match inner.guide.chunk_items() {
            Some(items) => items as f64 * item_ns,
            None => {
                let item_bytes = uncut_bytes / inner.lengths.len();
                let fitting_ns = (bytes_max / item_bytes.max(1)) as f64 * item_ns;
                target_ns.min(fitting_ns.max(item_ns))
            }
        });
        Some(NextChunk { ns, bytes: uncut_bytes.min(bytes_max) })
    }

    /// Notes that the batch is put into the injector; `false` when it need not be.
    pub(crate) fn enqueue(&self) -> bool {
        let mut inner = self.inner.lock();
        let wanted = !inner.queued && !inner.lengths.is_empty();
        inner.queued |= wanted;
        wanted
    }

    /// Notes that the batch has left the injector.
    pub(crate) fn dequeue(&self) {
        self.inner.lock().queued = false;
    }

    /// Cuts the next chunk, of no more than `items_max`; `bytes_max` bounds it unless a single item is
    /// larger.
    pub(crate) fn cut(
        &self,
        workers: usize,
        target_ns: f64,
        bytes_max: usize,
        items_max: u64,
    ) -> Option<Chunk> {
        let mut inner = self.inner.lock();
        let left = inner.sealed.then_some(inner.lengths.len());
        let items_max = items_max.min(inner.guide.next(target_ns, left, workers) as u64) as usize;
        let start = inner.bytes_at;
        let (mut count, mut end) = (0, start);
        let mut attachments = Attachments::default();
        let mentions_nothing = inner.mentions.is_empty();
        while count < items_max
            && let Some(length) = inner.lengths.front().map(|length| *length as usize)
            && (count == 0 || end - start + length <= bytes_max)
            && (mentions_nothing || inner.mention_of(count as u64, &mut attachments))
        {
            inner.lengths.pop_front();
            end += length;
            count += 1;
        }
        if count == 0 {
            return None;
        }
        let chunk = Chunk {
            first: inner.next,
            count: count as u64,
            bytes: inner.bytes[start..end].to_vec(),
            attachments,
        };
        if inner.lengths.is_empty() {
            inner.mentions.clear();
        }
        inner.bytes_at = end;
        inner.next += count as u64;
        Some(chunk)
    }

    /// Learns that `count` items took `ns` in all.
    pub(crate) fn measure(&self, count: u64, ns: u64) {
        self.inner.lock().guide.measure(count, ns as f64);
    }

    /// Hands a piece of the outcome over; gives the waker that is due.
    pub(crate) fn deliver(&self, delivery: Delivery) -> Option<Waker> {
        let mut inner = self.inner.lock();
        inner.finished += match &delivery {
            Delivery::Part { count, .. } | Delivery::Failed { count, .. } => *count,
            Delivery::Item { .. } => 1,
        };
        if let Delivery::Failed { failure, .. } = &delivery {
            inner.has_failed = true;
            if inner.looked_at {
                failure.look_at_all();
            }
        }
        inner.deliveries.push_back(delivery);
        inner.subscribers.wake()
    }

    /// Fails everything that was not cut yet and refuses more; what runs delivers as usual. Gives
    /// how many items that were, their failure, and the waker that is due.
    pub(crate) fn give_up(&self, error: &Error) -> (u64, Arc<Failure>, Option<Waker>) {
        let mut inner = self.inner.lock();
        inner.given_up.get_or_insert_with(|| error.clone());
        inner.is_cancelled |= error.is_cancelled();
        inner.sealed = true;
        let (first, count) = inner.drop_uncut();
        let seen = if inner.looked_at { 0 } else { count };
        let failure = Failure::of_many(error.clone(), seen);
        if count > 0 {
            inner.has_failed = true;
            inner.deliveries.push_back(Delivery::Failed { first, count, failure: failure.clone() });
        }
        (count, failure, inner.subscribers.wake())
    }

    /// Refuses the items that were pushed last, so many, and any more: those before them go on. Gives how
    /// many of them were not cut yet, their failure, and the waker that is due.
    pub(crate) fn refuse(&self, items: u64, error: &Error) -> (u64, Arc<Failure>, Option<Waker>) {
        let mut inner = self.inner.lock();
        inner.given_up.get_or_insert_with(|| error.clone());
        inner.sealed = true;
        let count = items.min(inner.lengths.len() as u64);
        for _ in 0..count {
            let length = inner.lengths.pop_back().expect("as many as that");
            let kept = inner.bytes.len() - length as usize;
            inner.bytes.truncate(kept);
        }
        inner.finished += count;
        let seen = if inner.looked_at { 0 } else { count };
        let failure = Failure::of_many(error.clone(), seen);
        if count > 0 {
            inner.has_failed = true;
            let first = inner.pushed - count;
            inner.deliveries.push_back(Delivery::Failed { first, count, failure: failure.clone() });
        }
        (count, failure, inner.subscribers.wake())
    }

    /// Whether the whole batch was cancelled: what was not begun is not to be.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.inner.lock().is_cancelled
    }

    /// Nobody wants the rest: what was not cut yet never runs. Gives how many items that are, and the
    /// waker that is due.
    pub(crate) fn abandon(&self) -> (u64, Option<Waker>) {
        let mut inner = self.inner.lock();
        let (_, count) = inner.drop_uncut();
        inner.sealed = true;
        for delivery in &inner.deliveries {
            if let Delivery::Failed { failure, .. } = delivery {
                failure.forget_if_closed();
            }
        }
        (count, inner.subscribers.wake())
    }

    /// Items pushed so far.
    pub fn pushed(&self) -> u64 {
        self.inner.lock().pushed
    }

    /// Whether an item has failed, be that taken by now or not.
    pub fn has_failed(&self) -> bool {
        let inner = self.inner.lock();
        inner.given_up.is_some() || inner.has_failed
    }

    /// Why the batch takes no more items, if it was given up.
    pub fn given_up(&self) -> Option<Error> {
        self.inner.lock().given_up.clone()
    }

    /// Runs `change` on the subscribers unless every item has its outcome (`false`).
    pub(crate) fn subscribe_whole(&self, change: &mut dyn FnMut(&mut Subscribers)) -> bool {
        let mut inner = self.inner.lock();
        let pending = !inner.is_done();
        if pending {
            change(&mut inner.subscribers);
        }
        pending
    }

    /// Bytes of the items that were pushed and not yet cut into chunks.
    pub fn uncut_bytes(&self) -> usize {
        self.inner.lock().uncut_bytes()
    }

    /// Runs `change` on the subscribers unless there is news (`false`).
    pub(crate) fn subscribe_news(&self, change: &mut dyn FnMut(&mut Subscribers)) -> bool {
        let mut inner = self.inner.lock();
        let pending = !inner.has_news();
        if pending {
            change(&mut inner.subscribers);
        }
        pending
    }
}
