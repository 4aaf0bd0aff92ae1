//! Many calls at once: what `map` and its kin share.

use crate::args::Args;
use crate::codec;
use crate::target::Returned;
use procession_core::attachment::{Attachment, Attachments};
use procession_core::face::Code;
use procession_core::message::Record;
use procession_core::payload::{Input, Output};
use procession_core::pool::{Pool, Whole};
use procession_core::task::{Batch, Delivery, Failure, Mention, Terms};
use procession_core::{Error, Result};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most items that are encoded ahead of the workers.
const AHEAD_ITEMS: usize = 64 * 1024;
/// Most bytes that are encoded ahead of the workers.
const AHEAD_BYTES: usize = 64 << 20;
/// Most items in one step of encoding.
const STEP_ITEMS: usize = 1024;
/// Longest step of encoding, so that a slow iterator does not starve the workers.
const STEP_TIME: Duration = Duration::from_micros(100);

/// What came of an item, before somebody has looked at it.
pub(crate) type Arrived<R> = std::result::Result<R, Arc<Failure>>;

/// Calls `each` with index and result of every item that a delivery speaks of.
pub(crate) fn unpack<R: Returned>(delivery: Delivery, mut each: impl FnMut(u64, Arrived<R>)) {
    let decode = |input: &mut Input<'_>| codec::decode_result(input).map_err(Failure::new);
    match delivery {
        Delivery::Part { first, records, .. } => {
            let mut rest = &records[..];
            let mut index = first;
            while let Some(record) = Record::split_first(&mut rest) {
                each(index, decode(&mut Input::Slice(record.bytes)));
                index += 1;
            }
        }
        Delivery::Item { index, value } => {
            each(index, decode(&mut value.input()));
        }
        Delivery::Failed { first, count, failure } => {
            for index in first..first + count {
                each(index, Err(failure.clone()));
            }
        }
    }
}

/// Pushes an iterator's items into a batch, step by step.
#[derive(Debug)]
pub(crate) struct Feeder<I> {
    items: Option<I>,
    encoder: Encoder,
}

impl<A: Args, I: Iterator<Item = A>> Feeder<I> {
    pub(crate) fn new(items: I) -> Self {
        Self { items: Some(items), encoder: Encoder::new() }
    }

    /// Whether the iterator is used up.
    pub(crate) fn is_done(&self) -> bool {
        self.items.is_none()
    }

    /// Encodes and pushes the next items, at most `most`.
    ///
    /// # Errors
    /// When an item cannot be encoded; those before it were pushed.
    pub(crate) fn step(&mut self, pool: &Pool, batch: &Arc<Batch>, most: usize) -> Result<()> {
        let Some(items) = &mut self.items else { return Ok(()) };
        let (is_last, result) = self.encoder.step(items, pool, batch, most);
        if is_last {
            self.items = None;
        }
        result
    }
}

/// Encodes items in steps that grow, and pushes them.
#[derive(Debug)]
pub(crate) struct Encoder {
    bytes: Vec<u8>,
    lengths: Vec<u32>,
    mentions: Vec<Mention>,
    /// What the item before has mentioned, and the same as [`Attachments`].
    last: (Vec<Arc<Attachment>>, Attachments),
    step: usize,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        let last = (Vec::new(), Attachments::default());
        Self { bytes: Vec::new(), lengths: Vec::new(), mentions: Vec::new(), last, step: 4 }
    }

    /// Encodes the next items of an iterator, at most `most`, pushes them and lets the workers know.
    /// Seals the batch at the iterator's end, and says so first.
    ///
    /// Fails when an item cannot be encoded; those before it were pushed.
    pub(crate) fn step<A: Args, I: Iterator<Item = A> + ?Sized>(
        &mut self,
        items: &mut I,
        pool: &Pool,
        batch: &Arc<Batch>,
        most: usize,
    ) -> (bool, Result<()>) {
        self.bytes.clear();
        self.lengths.clear();
        let start = Instant::now();
        let (mut is_last, mut result) = (false, Ok(()));
        let mut output = Output::new(std::mem::take(&mut self.bytes), None);
        while self.lengths.len() < most.min(self.step) {
            if self.lengths.len() % 16 == 15 && start.elapsed() >= STEP_TIME {
                break;
            }
            let Some(item) = items.next() else {
                is_last = true;
                break;
            };
            result = encode_item(&item, &mut output, &mut self.lengths);
            if result.is_err() {
                break;
            }
            if !output.attachments().is_empty() {
                self.note_mentions(output.attachments());
            }
        }
        self.bytes = std::mem::take(output.bytes());
        drop(output);
        self.step = (self.step * 2).min(STEP_ITEMS);
        let items = batch.push(&self.bytes, &self.lengths, &mut self.mentions);
        if is_last {
            self.last = (Vec::new(), Attachments::default());
            batch.seal();
        }
        pool.kick(batch, items);
        (is_last, result)
    }
}

impl Encoder {
    /// Notes what the item encoded last mentions: most often the same as the one before.
    #[cold]
    fn note_mentions(&mut self, mentioned: &mut Vec<Arc<Attachment>>) {
        let index = self.lengths.len() as u64 - 1;
        let (last, attachments) = &mut self.last;
        let is_same = mentioned.len() == last.len()
            && mentioned.iter().zip(&*last).all(|(one, other)| Arc::ptr_eq(one, other));
        if is_same {
            if let Some(mention) = self.mentions.last_mut()
                && mention.first + mention.count == index
            {
                mention.count += 1;
                mentioned.clear();
                return;
            }
        } else {
            *attachments = Attachments::new(mentioned);
            std::mem::swap(last, mentioned);
        }
        mentioned.clear();
        let attachments = attachments.clone();
        self.mentions.push(Mention { first: index, count: 1, attachments });
    }
}

/// Writes an item behind its length.
#[inline]
fn encode_item<A: Args>(item: &A, output: &mut Output<'_>, lengths: &mut Vec<u32>) -> Result<()> {
    // Without a source of bulk segments, everything that is written is in these bytes.
    let start = output.bytes().len();
    output.bytes().extend_from_slice(&[0; 4]);
    let encoded = item.encode(output).map_err(|error| Error::codec(error.to_string()));
    let length = u32::try_from(output.bytes().len() - start - 4)
        .map_err(|_| Error::codec("an item of a map is larger than 4 GiB"));
    match encoded.and(length) {
        Ok(length) => {
            output.bytes()[start..start + 4].copy_from_slice(&length.to_le_bytes());
            lengths.push(length + 4);
            Ok(())
        }
        Err(error) => {
            output.bytes().truncate(start);
            output.attachments().clear();
            Err(error)
        }
    }
}

/// The results of a map as they come in.
#[derive(Debug)]
pub(crate) struct Results<R> {
    values: Vec<Option<R>>,
    failure: Option<(u64, Error)>,
}

impl<R: Returned> Results<R> {
    pub(crate) fn new() -> Self {
        Self { values: Vec::new(), failure: None }
    }

    /// Takes in everything that was delivered.
    fn drain(&mut self, batch: &Batch) {
        while let Some(delivery) = batch.take_delivery() {
            unpack(delivery, |index, result| {
                self.put(index, result.map_err(|failure| failure.look()))
            });
        }
    }

    fn put(&mut self, index: u64, result: Result<R>) {
        match result {
            Ok(value) => {
                let at = index as usize;
                if at == self.values.len() {
                    // As one process gives them back.
                    self.values.push(Some(value));
                    return;
                }
                if self.values.len() < at {
                    self.values.resize_with(at + 1, || None);
                }
                self.values[at] = Some(value);
            }
            Err(error) => {
                if self.failure.as_ref().is_none_or(|(first, _)| index < *first) {
                    self.failure = Some((index, error));
                }
            }
        }
    }

    /// All values in order, or the failure of the first item that failed.
    fn finish(&mut self) -> Result<Vec<R>> {
        match self.failure.take() {
            Some((_, error)) => Err(error),
            None => Ok(std::mem::take(&mut self.values).into_iter().flatten().collect()),
        }
    }
}

/// Runs a whole map and waits for it.
pub(crate) fn run<A, R, I>(
    pool: &Pool,
    code: Code,
    (terms, chunk): (Terms, Option<usize>),
    items: I,
) -> Result<Vec<R>>
where
    A: Args,
    R: Returned,
    I: Iterator<Item = A>,
{
    let batch = Arc::new(Batch::new(code, terms, chunk));
    let mut feeder = Feeder::new(items);
    let mut results = Results::new();
    let mut feeding = Feeding { pool, batch: &batch, is_done: false };
    loop {
        let has_room = || batch.uncut() < AHEAD_ITEMS && batch.uncut_bytes() < AHEAD_BYTES;
        while !feeder.is_done() && has_room() {
            let fed = feeder.step(pool, &batch, usize::MAX);
            results.drain(&batch);
            if let Some(error) = fed.err().or_else(|| batch.given_up()) {
                // The map has failed, and its caller knows.
                batch.look_at_all();
                return Err(error);
            }
        }
        feeding.is_done = feeder.is_done();
        results.drain(&batch);
        if batch.is_done() {
            results.drain(&batch);
            return results.finish();
        }
        // The workers may have finished everything while the results were taken in: then nothing more
        // would ever come.
        if feeder.is_done() || !has_room() {
            pool.wait_until(&*batch, None);
        }
    }
}

/// A map that takes items from an iterator. If it does not come to their end, because one cannot be encoded
/// or the iterator panics, what was pushed need not run.
struct Feeding<'a> {
    pool: &'a Pool,
    batch: &'a Arc<Batch>,
    is_done: bool,
}

impl Drop for Feeding<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.pool.abandon(self.batch);
        }
    }
}

/// A map that somebody will ask for later.
pub(crate) trait Gather<R> {
    /// The map's items.
    fn batch(&self) -> &Arc<Batch>;

    /// What to wait for.
    fn whole(&self) -> Whole<'_> {
        Whole(self.batch())
    }

    /// Whether no item failed, once all have their outcome.
    fn succeeded(&self) -> bool;

    /// The result; `None` when it was taken before.
    fn take(&mut self) -> Option<Result<R>>;
}

/// A map whose items were all pushed.
#[derive(Debug)]
pub(crate) struct MapLater<R> {
    batch: Arc<Batch>,
    is_taken: bool,
    results: PhantomData<fn() -> R>,
    /// Why it failed before all items were pushed, if it did.
    refused: Option<Arc<Failure>>,
}

impl<R: Returned> MapLater<R> {
    /// Pushes all items of an iterator.
    pub(crate) fn start<A: Args, I: Iterator<Item = A>>(
        pool: &Pool,
        code: Code,
        (terms, chunk): (Terms, Option<usize>),
        items: I,
    ) -> Self {
        let batch = Arc::new(Batch::new(code, terms, chunk));
        let mut feeder = Feeder::new(items);
        let mut refused = None;
        let mut feeding = Feeding { pool, batch: &batch, is_done: false };
        while !feeder.is_done() && refused.is_none() && batch.given_up().is_none() {
            refused = feeder.step(pool, &batch, usize::MAX).err().map(|error| pool.note(error));
        }
        feeding.is_done = refused.is_none();
        drop(feeding);
        Self { batch, is_taken: false, results: PhantomData, refused }
    }

    /// A map that failed before it could be started.
    pub(crate) fn refused(pool: &Pool, error: Error) -> Self {
        let batch = Arc::new(Batch::new(0, Terms::default(), None));
        batch.seal();
        Self { batch, is_taken: false, results: PhantomData, refused: Some(pool.note(error)) }
    }
}

impl<R: Returned> Gather<Vec<R>> for MapLater<R> {
    fn batch(&self) -> &Arc<Batch> {
        &self.batch
    }

    fn succeeded(&self) -> bool {
        if let Some(failure) = &self.refused {
            failure.look();
        }
        self.batch.look_at_all();
        self.refused.is_none() && !self.batch.has_failed()
    }

    fn take(&mut self) -> Option<Result<Vec<R>>> {
        if std::mem::replace(&mut self.is_taken, true) {
            return None;
        }
        let mut results = Results::new();
        results.drain(&self.batch);
        self.batch.look_at_all();
        let refused = self.refused.as_ref().map(|failure| failure.look());
        let refused = refused.or_else(|| self.batch.given_up());
        Some(refused.map_or_else(|| results.finish(), Err))
    }
}
