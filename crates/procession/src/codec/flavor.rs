//! What postcard writes to and reads from.

use postcard::{Error, Result, de_flavors, ser_flavors};
use std::cell::Cell;

/// Pieces of at least this size are made room for with care.
const LARGE_BYTES: usize = 1 << 16;

/// Appends to a vector that is used again.
#[derive(Debug)]
pub(super) struct Append<'a> {
    bytes: &'a mut Vec<u8>,
}

impl<'a> Append<'a> {
    pub(super) fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self { bytes }
    }
}

impl ser_flavors::Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> Result<()> {
        // A refused allocation aborts the program; of what is large, it is an error.
        if data.len() >= LARGE_BYTES && self.bytes.try_reserve(data.len()).is_err() {
            return Err(Error::SerializeBufferFull);
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    #[inline]
    fn try_push(&mut self, data: u8) -> Result<()> {
        self.bytes.push(data);
        Ok(())
    }

    fn finalize(self) -> Result<()> {
        Ok(())
    }
}

/// Most stack that decoding may use: half of what a thread has unless told. Bytes that nest a
/// recursive type for ever end in an error so, and not in the death of the process.
const STACK_BYTES_MAX: usize = 1 << 20;

/// What a value is decoded from, and how far that has come. Seen by the deserializer, which reads, and by
/// the layer around it, which watches (`counted.rs`).
#[derive(Debug)]
pub(super) struct Source<'de> {
    bytes: Cell<&'de [u8]>,
    stack_base: usize,
    is_too_deep: Cell<bool>,
    /// Elements for which nothing was read.
    empty: Cell<u32>,
    is_too_empty: Cell<bool>,
}

impl<'de> Source<'de> {
    /// Reads these bytes, on the stack from here on.
    #[inline]
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self {
            bytes: Cell::new(bytes),
            stack_base: stack_top(),
            is_too_deep: Cell::new(false),
            empty: Cell::new(0),
            is_too_empty: Cell::new(false),
        }
    }

    /// Bytes that were not read yet.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.bytes.get().len()
    }

    /// Whether decoding ended because the stack was used up.
    pub(super) fn is_too_deep(&self) -> bool {
        self.is_too_deep.get()
    }

    /// Whether decoding ended because there were too many elements without bytes.
    pub(super) fn is_too_empty(&self) -> bool {
        self.is_too_empty.get()
    }

    /// Counts an element for which nothing was read; `false` if there are more than `most`.
    pub(super) fn note_empty(&self, most: u32) -> bool {
        let count = self.empty.get() + 1;
        self.empty.set(count);
        self.is_too_empty.set(count > most);
        count <= most
    }

    #[inline]
    fn check_stack(&self) -> Result<()> {
        if stack_top().abs_diff(self.stack_base) > STACK_BYTES_MAX {
            self.is_too_deep.set(true);
            return Err(Error::DeserializeBadEncoding);
        }
        Ok(())
    }
}

/// About where the stack ends now.
#[inline(always)]
fn stack_top() -> usize {
    let here = 0_u8;
    (&raw const here).addr()
}

/// Reads a source, as long as the stack stays within its bound.
///
/// postcard has no limit of its own. But each level of nesting reads at least one byte, so the
/// distance between the stack's top then and at the beginning is known in time.
pub(super) struct Bounded<'de>(pub(super) &'de Source<'de>);

impl<'de> de_flavors::Flavor<'de> for Bounded<'de> {
    type Remainder = ();
    type Source = &'de [u8];

    #[inline]
    fn pop(&mut self) -> Result<u8> {
        self.0.check_stack()?;
        let bytes = self.0.bytes.get();
        let (first, rest) = bytes.split_first().ok_or(Error::DeserializeUnexpectedEnd)?;
        self.0.bytes.set(rest);
        Ok(*first)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.0.left())
    }

    #[inline]
    fn try_take_n(&mut self, count: usize) -> Result<&'de [u8]> {
        let bytes = self.0.bytes.get();
        let (taken, rest) = bytes.split_at_checked(count).ok_or(Error::DeserializeUnexpectedEnd)?;
        self.0.bytes.set(rest);
        Ok(taken)
    }

    fn finalize(self) -> Result<()> {
        Ok(())
    }
}
