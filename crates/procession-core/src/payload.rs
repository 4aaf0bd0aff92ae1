//! Encoded arguments and results: where they are written to and read from.

use crate::attachment::{Attachment, Attachments};
use bytemuck::Pod;
use procession_ipc::bulk::{Bulk, BulkView};
use procession_ipc::lane::LaneWatch;
use procession_ipc::layout::{BULK_MAX, INLINE_BYTES_MAX};
use smallvec::SmallVec;
use std::fmt;
use std::sync::Arc;

/// Bytes that small arguments and results keep without an allocation: a few numbers.
pub const SMALL_BYTES: usize = 24;

/// A payload in private memory.
pub type Bytes = SmallVec<[u8; SMALL_BYTES]>;

/// Where an [`Output`] gets bulk segments from.
pub trait BulkSource {
    /// A segment for at least `bytes`, or `None` when there is none to be had now.
    fn take_bulk(&self, bytes: usize) -> Option<Bulk>;

    /// Takes a segment back that was not used after all.
    fn put_bulk(&self, bulk: Bulk);
}

/// What an encoder writes into. Small data gathers in private memory; large plain data goes
/// straight into a bulk segment.
pub struct Output<'a> {
    bytes: Vec<u8>,
    bulk: Option<Bulk>,
    source: Option<&'a dyn BulkSource>,
    attachments: Vec<Arc<Attachment>>,
}

/// There is no memory for what is to be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMemory;

/// A finished [`Output`].
#[derive(Debug)]
pub enum Finished {
    /// Everything lies in private memory, however large.
    Private(Vec<u8>),
    /// Everything lies in a bulk segment.
    Bulk(Bulk),
}

impl fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<'a> Output<'a> {
    /// An empty output that reuses `scratch` and takes bulk segments from `source`.
    #[inline]
    pub fn new(mut scratch: Vec<u8>, source: Option<&'a dyn BulkSource>) -> Self {
        scratch.clear();
        Self { bytes: scratch, bulk: None, source, attachments: Vec::new() }
    }

    /// The private memory to append encoded bytes to.
    #[inline]
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Notes that what was written mentions these attachments.
    pub fn attach(&mut self, attachments: Vec<Arc<Attachment>>) {
        if self.attachments.is_empty() {
            self.attachments = attachments;
        } else {
            self.attachments.extend(attachments);
        }
    }

    /// The attachments that were noted, in the order of mention; some more than once.
    #[inline]
    pub fn attachments(&mut self) -> &mut Vec<Arc<Attachment>> {
        &mut self.attachments
    }

    /// Bytes written so far.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() + self.bulk.as_ref().map_or(0, Bulk::filled)
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends plain data. From the inline limit on it goes straight into a bulk segment.
    ///
    /// # Errors
    /// When there is no shared memory for it, and no private either. Nothing was written then.
    #[inline]
    pub fn put_slice(&mut self, slice: &[u8]) -> Result<(), NoMemory> {
        let large = self.bulk.is_some() || self.bytes.len() + slice.len() > INLINE_BYTES_MAX;
        if large && slice.len() > INLINE_BYTES_MAX / 4 && self.spill(slice.len()) {
            let fits = self.bulk.as_mut().is_some_and(|bulk| bulk.append(slice));
            debug_assert!(fits, "spill made room");
        } else {
            if large {
                // A refused allocation aborts the program; here it is an error.
                self.bytes.try_reserve(slice.len()).map_err(|_| NoMemory)?;
            }
            self.bytes.extend_from_slice(slice);
        }
        Ok(())
    }

    /// Moves what is in private memory to a bulk segment with room for `more` bytes; `false` when
    /// there is none, and everything is in private memory then.
    fn spill(&mut self, more: usize) -> bool {
        let Some(source) = self.source else { return false };
        let needed = self.len() + more;
        let mut bulk = match self.bulk.take() {
            Some(bulk) if bulk.capacity() >= needed => bulk,
            old => match (source.take_bulk(needed + needed / 8), old) {
                (Some(bulk), None) => bulk,
                (Some(mut larger), Some(old)) => {
                    old.copy_to(&mut larger);
                    source.put_bulk(old);
                    larger
                }
                (None, Some(old)) => {
                    let mut all = old.to_vec();
                    source.put_bulk(old);
                    all.append(&mut self.bytes);
                    self.bytes = all;
                    return false;
                }
                (None, None) => return false,
            },
        };
        let fits = bulk.append(&self.bytes);
        debug_assert!(fits, "the segment was chosen large enough");
        self.bytes.clear();
        self.bulk = Some(bulk);
        true
    }

    /// What was written, if all of it lies in private memory.
    #[inline]
    pub fn private(&self) -> Option<&[u8]> {
        self.bulk.is_none().then_some(&*self.bytes)
    }

    /// Forgets what was written, and keeps the private memory.
    #[inline]
    pub fn restart(&mut self) {
        self.bytes.clear();
        self.put_bulk_back();
    }

    /// Ends the encoding. A payload above the inline limit comes back in a bulk segment unless
    /// there was none; the second value is the scratch memory to use again.
    #[inline]
    pub fn finish(mut self) -> (Finished, Vec<u8>) {
        if self.len() > INLINE_BYTES_MAX && self.spill(0) {
            let bulk = self.bulk.take().expect("spilled just now");
            return (Finished::Bulk(bulk), std::mem::take(&mut self.bytes));
        }
        (Finished::Private(std::mem::take(&mut self.bytes)), Vec::new())
    }
}

impl Output<'_> {
    fn put_bulk_back(&mut self) {
        if let (Some(bulk), Some(source)) = (self.bulk.take(), self.source) {
            source.put_bulk(bulk);
        }
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        // An encoder failed or panicked: the segment goes back.
        self.put_bulk_back();
    }
}

/// A payload in a peer's bulk segment; giving it up gives the segment back.
#[derive(Debug)]
pub struct Receipt {
    view: Arc<BulkView>,
    bytes: usize,
    _loan: Option<Loan>,
}

/// Counts the segments of one lane's worker that are on loan.
#[derive(Debug, Default)]
pub struct Loans(Arc<()>);

/// Most segments of a worker that results may keep until they are taken; those of further results
/// are copied and given back at once, so that a worker never waits for results to be taken.
const LOANS_MAX: usize = 8;

impl Loans {
    /// Whether as many segments are on loan as may be.
    pub fn are_enough(&self) -> bool {
        Arc::strong_count(&self.0) > LOANS_MAX + 1
    }
}

/// A worker's segment that is given back when this is dropped.
#[derive(Debug)]
pub struct Loan {
    watch: Arc<LaneWatch>,
    id: u64,
    _count: Arc<()>,
}

impl Loan {
    /// A segment that is given back over this lane, counted while it is on loan.
    pub fn new(watch: Arc<LaneWatch>, id: u64, loans: &Loans) -> Self {
        Self { watch, id, _count: loans.0.clone() }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.watch.release_bulk(self.id as usize % BULK_MAX);
    }
}

impl Receipt {
    /// `bytes` of a view, checked; of a segment on loan from a worker, if it is.
    pub fn new(view: Arc<BulkView>, bytes: u64, loan: Option<Loan>) -> Option<Self> {
        let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= view.bytes())?;
        Some(Self { view, bytes, _loan: loan })
    }

    /// Bytes of payload.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Copies the payload to private memory; `None` when there is none for so much.
    pub fn to_vec(&self) -> Option<Vec<u8>> {
        self.copy_from(0)
    }

    #[cold]
    fn copy_from(&self, at: usize) -> Option<Vec<u8>> {
        self.view.to_vec(at, self.bytes - at)
    }
}

/// Why nothing was read from an [`Input`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// Fewer bytes remain.
    TooShort,
    /// There is no memory for so many bytes.
    NoMemory {
        /// How many.
        bytes: usize,
    },
}

/// What a decoder reads from.
#[derive(Debug)]
pub enum Input<'a> {
    /// Private memory.
    Slice(&'a [u8]),
    /// A bulk segment, read from an offset on.
    Bulk(&'a Receipt, usize),
    /// A copy of what was left of a bulk segment, read from an offset on.
    Copy(Vec<u8>, usize),
}

impl Input<'_> {
    /// Bytes not read yet.
    #[inline]
    pub fn remaining(&self) -> usize {
        match self {
            Self::Slice(bytes) => bytes.len(),
            Self::Bulk(receipt, at) => receipt.bytes - at,
            Self::Copy(bytes, at) => bytes.len() - at,
        }
    }

    /// All the remaining bytes. Copies them out of a bulk segment first: nothing is decoded from
    /// memory that a peer can write.
    ///
    /// # Errors
    /// [`Unread::NoMemory`] when there is none for the copy.
    #[inline]
    pub fn slice(&mut self) -> Result<&[u8], Unread> {
        if let Self::Bulk(receipt, at) = self {
            let bytes = receipt.bytes - *at;
            *self = Self::Copy(receipt.copy_from(*at).ok_or(Unread::NoMemory { bytes })?, 0);
        }
        match self {
            Self::Slice(bytes) => Ok(bytes),
            Self::Copy(bytes, at) => Ok(&bytes[*at..]),
            Self::Bulk(..) => unreachable!("copied above"),
        }
    }

    /// Moves past `count` bytes.
    ///
    /// # Panics
    /// When fewer remain.
    #[inline]
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.remaining(), "an input is not read past its end");
        match self {
            Self::Slice(bytes) => *bytes = &bytes[count..],
            Self::Bulk(_, at) | Self::Copy(_, at) => *at += count,
        }
    }

    /// Copies the next `count` numbers out, as they lie in memory, and moves past them.
    ///
    /// # Errors
    /// With nothing read: [`Unread::TooShort`], and nothing allocated, when fewer remain;
    /// [`Unread::NoMemory`] when there is none for so many.
    pub fn read_numbers<N: Pod>(&mut self, count: usize) -> Result<Vec<N>, Unread> {
        let bytes = count.checked_mul(size_of::<N>()).filter(|bytes| *bytes <= self.remaining());
        let bytes = bytes.ok_or(Unread::TooShort)?;
        let numbers = match self {
            Self::Slice(from) => bytemuck::pod_collect_to_vec(&from[..bytes]),
            Self::Bulk(receipt, at) => {
                receipt.view.to_vec(*at, count).ok_or(Unread::NoMemory { bytes })?
            }
            Self::Copy(from, at) => bytemuck::pod_collect_to_vec(&from[*at..*at + bytes]),
        };
        self.advance(bytes);
        Ok(numbers)
    }

    /// Copies the next bytes out and moves past them; `false`, with nothing read, when fewer
    /// remain.
    #[must_use]
    #[inline]
    pub fn read_exact(&mut self, out: &mut [u8]) -> bool {
        if out.len() > self.remaining() {
            return false;
        }
        match self {
            Self::Slice(bytes) => out.copy_from_slice(&bytes[..out.len()]),
            Self::Bulk(receipt, at) => receipt.view.copy_out(*at, out),
            Self::Copy(bytes, at) => out.copy_from_slice(&bytes[*at..*at + out.len()]),
        }
        self.advance(out.len());
        true
    }
}

/// The encoded value of an outcome.
#[derive(Debug)]
pub enum Value {
    /// In private memory.
    Private(Bytes),
    /// In a worker's bulk segment.
    Bulk(Box<Receipt>),
    /// A value that may mention attachments of the request whose outcome it is: they stay until it is
    /// decoded.
    Attached(Box<(Value, Attachments)>),
}

impl Value {
    /// The value of a request that mentioned these.
    #[inline]
    pub(crate) fn with(self, attachments: Attachments) -> Self {
        if attachments.is_empty() {
            return self;
        }
        Self::Attached(Box::new((self, attachments)))
    }

    /// What a decoder reads from.
    #[inline]
    pub fn input(&self) -> Input<'_> {
        match self {
            Self::Attached(value) => value.0.input(),
            Self::Private(bytes) => Input::Slice(bytes),
            Self::Bulk(receipt) => Input::Bulk(receipt, 0),
        }
    }
}
