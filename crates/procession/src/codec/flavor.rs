//! postcard's output into a vector that is used again.

use postcard::Result;
use postcard::ser_flavors::Flavor;

/// Appends to a vector.
#[derive(Debug)]
pub(super) struct Append<'a> {
    bytes: &'a mut Vec<u8>,
}

impl<'a> Append<'a> {
    pub(super) fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self { bytes }
    }
}

impl Flavor for Append<'_> {
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
