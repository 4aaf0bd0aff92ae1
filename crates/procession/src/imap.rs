//! Maps whose results are taken one by one.

use crate::map::Arrived;
use crate::stream::Stream;
use procession_core::Result;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// The results of [`imap`](crate::Pool::imap), in the order of the items.
///
/// `next` takes items from the iterator, then waits for the next result, woken by that: each item that was
/// taken has a result or an error, also when its worker dies or the pool ends. No more are taken once the
/// pool takes none.
#[must_use = "the iterator feeds the workers as its results are taken"]
pub struct Imap<I: Iterator, R> {
    stream: Stream<I, R>,
    early: BTreeMap<u64, Arrived<R>>,
}

impl<I: Iterator, R> fmt::Debug for Imap<I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap").field("taken", &self.stream.taken()).finish_non_exhaustive()
    }
}

impl<I: Iterator, R> Imap<I, R> {
    pub(crate) fn new(stream: Stream<I, R>) -> Self {
        Self { stream, early: BTreeMap::new() }
    }
}

impl<I: Iterator, R> Iterator for Imap<I, R> {
    type Item = Result<R>;

    fn next(&mut self) -> Option<Result<R>> {
        loop {
            let stream = &mut self.stream;
            stream.feed();
            if let Some(error) = stream.take_refusal_due() {
                return Some(Err(error));
            }
            if stream.is_over() {
                return None;
            }
            while !self.early.contains_key(&stream.taken())
                && stream.take_delivery(&mut |index, result| {
                    self.early.insert(index, result);
                })
            {}
            if let Some(result) = self.early.remove(&stream.taken()) {
                stream.count_taken();
                return Some(result.map_err(|failure| failure.look()));
            }
            stream.wait();
        }
    }
}

/// The results of [`imap_unordered`](crate::Pool::imap_unordered), as they come.
///
/// `next` takes items from the iterator, then waits for a result, woken by the first that comes: as
/// [`Imap`], but for the order.
#[must_use = "the iterator feeds the workers as its results are taken"]
pub struct ImapUnordered<I: Iterator, R> {
    stream: Stream<I, R>,
    ready: VecDeque<Arrived<R>>,
}

impl<I: Iterator, R> fmt::Debug for ImapUnordered<I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapUnordered").field("taken", &self.stream.taken()).finish_non_exhaustive()
    }
}

impl<I: Iterator, R> ImapUnordered<I, R> {
    pub(crate) fn new(stream: Stream<I, R>) -> Self {
        Self { stream, ready: VecDeque::new() }
    }
}

impl<I: Iterator, R> Iterator for ImapUnordered<I, R> {
    type Item = Result<R>;

    fn next(&mut self) -> Option<Result<R>> {
        loop {
            let stream = &mut self.stream;
            stream.feed();
            if let Some(error) = stream.take_refusal() {
                return Some(Err(error));
            }
            if let Some(result) = self.ready.pop_front() {
                stream.count_taken();
                return Some(result.map_err(|failure| failure.look()));
            }
            if stream.is_over() {
                return None;
            }
            if !stream.take_delivery(&mut |_, result| self.ready.push_back(result)) {
                stream.wait();
            }
        }
    }
}
