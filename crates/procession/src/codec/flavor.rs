//! What postcard writes to and reads from.

use postcard::{Error, Result, de_flavors, ser_flavors};

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

/// Reads a slice, as long as the stack stays within its bound.
///
/// postcard has no limit of its own. But each level of nesting reads at least one byte, so the
/// distance between the stack's top then and at the beginning is known in time.
pub(super) struct Bounded<'de> {
    bytes: &'de [u8],
    stack_base: usize,
    is_too_deep: bool,
}

/// What is left when a value was decoded, or could not be.
pub(super) struct Remainder<'de> {
    pub(super) bytes: &'de [u8],
    /// Whether decoding ended because the stack was used up.
    pub(super) is_too_deep: bool,
}

impl<'de> Bounded<'de> {
    #[inline]
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self { bytes, stack_base: stack_top(), is_too_deep: false }
    }

    #[inline]
    fn check_stack(&mut self) -> Result<()> {
        if stack_top().abs_diff(self.stack_base) > STACK_BYTES_MAX {
            self.is_too_deep = true;
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

impl<'de> de_flavors::Flavor<'de> for Bounded<'de> {
    type Remainder = Remainder<'de>;
    type Source = &'de [u8];

    #[inline]
    fn pop(&mut self) -> Result<u8> {
        self.check_stack()?;
        let (first, rest) = self.bytes.split_first().ok_or(Error::DeserializeUnexpectedEnd)?;
        self.bytes = rest;
        Ok(*first)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.bytes.len())
    }

    #[inline]
    fn try_take_n(&mut self, count: usize) -> Result<&'de [u8]> {
        let (taken, rest) =
            self.bytes.split_at_checked(count).ok_or(Error::DeserializeUnexpectedEnd)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn finalize(self) -> Result<Remainder<'de>> {
        Ok(Remainder { bytes: self.bytes, is_too_deep: self.is_too_deep })
    }
}
