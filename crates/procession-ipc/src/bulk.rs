//! Large payloads: recycled shared segments beside the rings.
//!
//! Fresh shared pages cost many times the copy, so a segment that was faulted in once is used again.
//! A segment has one owner, who writes it, and is read-only for its peers. The parent owns the
//! segments of requests, one [`BulkStore`] for a pool; each worker owns those of its responses. A
//! frame names a segment by the owner's id; its descriptor went ahead once over the control channel.
//!
//! A segment that carries something is never in its owner's store, so it cannot be written again
//! before its reader has given it back.

#[cfg(test)]
mod tests;

use crate::segment::Segment;
use procession_os::memory::{Access, Memory};
use std::alloc::Layout;
use std::io;
use std::sync::Arc;

/// Bytes of a reference to a bulk segment, as a frame carries it.
pub const REFERENCE_BYTES: usize = 16;

/// Smallest segment that is made.
const BYTES_MIN: usize = 256 * 1024;

/// A segment as its owner holds it.
#[derive(Debug)]
pub struct Bulk {
    id: u64,
    memory: Memory,
    segment: Segment,
    filled: usize,
}

/// Where a payload lies in a bulk segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// The owner's id of the segment.
    pub id: u64,
    /// Bytes of payload, from the start of the segment.
    pub bytes: u64,
}

impl Reference {
    /// The reference as bytes.
    pub fn to_bytes(self) -> [u8; REFERENCE_BYTES] {
        let mut bytes = [0; REFERENCE_BYTES];
        bytes[..8].copy_from_slice(&self.id.to_le_bytes());
        bytes[8..].copy_from_slice(&self.bytes.to_le_bytes());
        bytes
    }

    /// Reads a reference; `None` when the bytes are not as many as one has.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, length) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            id: u64::from_le_bytes(*id),
            bytes: u64::from_le_bytes(length.try_into().ok()?),
        })
    }
}

impl Bulk {
    /// A fresh segment for at least `bytes`.
    ///
    /// # Errors
    /// Whatever the system says when there is no shared memory left.
    pub fn create(id: u64, bytes: usize) -> io::Result<Self> {
        let bytes = bytes
            .max(BYTES_MIN)
            .checked_next_power_of_two()
            .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let (memory, mapping) = Memory::create_owned("procession-bulk", bytes)?;
        Ok(Self { id, memory, segment: Segment::new(mapping), filled: 0 })
    }

    /// The owner's id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The memory object, to be sent to the reader.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Bytes that fit.
    pub fn capacity(&self) -> usize {
        self.segment.bytes()
    }

    /// Bytes written since [`clear`](Self::clear).
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// Forgets what was written.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Appends bytes; `false`, with nothing written, when they do not fit.
    #[must_use]
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.capacity() - self.filled {
            return false;
        }
        self.segment.copy_in(self.filled, bytes);
        self.filled += bytes.len();
        true
    }

    /// Copies everything into a larger segment's start.
    pub fn copy_to(&self, larger: &mut Bulk) {
        let mut piece = vec![0; BYTES_MIN];
        let mut at = 0;
        while at < self.filled {
            let count = piece.len().min(self.filled - at);
            self.segment.copy_out(at, &mut piece[..count]);
            let fits = larger.append(&piece[..count]);
            assert!(fits, "the larger segment is larger");
            at += count;
        }
    }

    /// Copies the payload out. Without memory for it the process ends, as it does wherever a vector finds
    /// none: it is the owner's own payload.
    pub fn to_vec(&self) -> Vec<u8> {
        self.segment.to_vec(0, self.filled).unwrap_or_else(|| out_of_memory(self.filled))
    }

    /// How a frame refers to what was written.
    pub fn reference(&self) -> Reference {
        Reference { id: self.id, bytes: self.filled as u64 }
    }
}

/// An owner's segments that carry nothing at present.
#[derive(Debug)]
pub struct BulkStore {
    free: Vec<Bulk>,
    next_id: u64,
    alive: usize,
    alive_max: usize,
}

impl BulkStore {
    /// An empty store that will have at most `alive_max` segments at a time, free or in use.
    pub fn new(alive_max: usize) -> Self {
        Self::starting_at(0, alive_max)
    }

    /// As [`new`](Self::new), with ids from `first_id` on.
    pub fn starting_at(first_id: u64, alive_max: usize) -> Self {
        Self { free: Vec::new(), next_id: first_id, alive: 0, alive_max }
    }

    /// A segment for at least `bytes`: a free one if there is one large enough, else a fresh one.
    /// `Ok(None)` when as many as allowed carry something.
    ///
    /// The second value is the id of a smaller free segment that was given up for it.
    ///
    /// # Errors
    /// Whatever the system says when there is no shared memory left.
    pub fn take(&mut self, bytes: usize) -> io::Result<Option<(Bulk, Option<u64>)>> {
        let fit = (0..self.free.len())
            .filter(|index| self.free[*index].capacity() >= bytes)
            .min_by_key(|index| self.free[*index].capacity());
        if let Some(index) = fit {
            let mut bulk = self.free.swap_remove(index);
            bulk.clear();
            return Ok(Some((bulk, None)));
        }
        let smallest = (0..self.free.len()).min_by_key(|index| self.free[*index].capacity());
        let is_full = self.alive >= self.alive_max;
        if is_full && smallest.is_none() {
            return Ok(None);
        }
        // Made first: if that fails, none is given up behind the back of those who know it.
        let bulk = Bulk::create(self.next_id, bytes)?;
        self.next_id += 1;
        self.alive += 1;
        let given_up = smallest.filter(|_| is_full).map(|index| {
            self.alive -= 1;
            self.free.swap_remove(index).id()
        });
        Ok(Some((bulk, given_up)))
    }

    /// As [`take`](Self::take), and a fresh segment if as many as allowed carry something. For those
    /// who cannot wait until one is put back.
    ///
    /// # Errors
    /// Whatever the system says when there is no shared memory left.
    pub fn take_anyway(&mut self, bytes: usize) -> io::Result<(Bulk, Option<u64>)> {
        if let Some(taken) = self.take(bytes)? {
            return Ok(taken);
        }
        let bulk = Bulk::create(self.next_id, bytes)?;
        self.next_id += 1;
        self.alive += 1;
        Ok((bulk, None))
    }

    /// Puts a segment back whose reader is done with it; gives its id if it was one too many and is
    /// given up.
    pub fn put_back(&mut self, bulk: Bulk) -> Option<u64> {
        if self.alive > self.alive_max {
            self.alive -= 1;
            return Some(bulk.id());
        }
        self.free.push(bulk);
        None
    }
}

/// Ends the process for want of `bytes` of memory, as the language does.
#[cold]
pub fn out_of_memory(bytes: usize) -> ! {
    let layout =
        Layout::array::<u8>(bytes).expect("what was mapped is no larger than memory can be");
    std::alloc::handle_alloc_error(layout)
}

/// A peer's segment, mapped for reading.
#[derive(Debug)]
pub struct BulkView {
    segment: Segment,
}

impl BulkView {
    /// Maps a segment that a peer owns.
    ///
    /// # Errors
    /// When it cannot be mapped.
    pub fn map(memory: &Memory) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self { segment: Segment::new(memory.map(Access::Read)?) }))
    }

    /// Bytes of the segment.
    pub fn bytes(&self) -> usize {
        self.segment.bytes()
    }

    /// Copies bytes out.
    ///
    /// # Panics
    /// When the span is outside the segment: check a peer's [`Reference`] against
    /// [`bytes`](Self::bytes) first.
    pub fn copy_out(&self, offset: usize, to: &mut [u8]) {
        self.segment.copy_out(offset, to);
    }

    /// Copies `count` numbers out, into fresh memory; `None` when there is none for so many.
    ///
    /// # Panics
    /// As [`copy_out`](Self::copy_out).
    pub fn to_vec<N: bytemuck::Pod>(&self, offset: usize, count: usize) -> Option<Vec<N>> {
        self.segment.to_vec(offset, count)
    }
}
