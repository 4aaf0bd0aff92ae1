//! Numbers that every worker reads where they lie.

use crate::codec::mentions::{self, mention};
use crate::plain::Plain;
use crate::shared::{found, tag_of};
use procession_core::attachment::Attachment;
use procession_core::{Error, Result};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

/// An immutable slice that is put into shared memory once and read there by every worker, without a
/// copy.
///
/// It is an argument like any other, alone or inside of others, and is as cheap as a number there: the
/// memory is given to a worker process once, when the first task that has the slice goes there. Cloning
/// it costs nothing. A task may hand on what it got: to a pool of its own, and back as its result. (What
/// a task makes itself stays in its process.) When the program has dropped its last handle, and no task
/// has one that waits or runs, the workers give the memory up; those that kept a handle keep the memory.
///
/// Costs a descriptor and a mapping for each slice in every process that has it, and the program the
/// memory's first filling. One call can have up to 256 slices. On the threads of a
/// [`ThreadPool`](crate::ThreadPool) it is simply shared.
///
/// For values of other types see [`Shared`](crate::Shared).
///
/// ```
/// use procession::{Pool, SharedSlice};
///
/// fn sum(prices: SharedSlice<f64>, from: usize) -> f64 {
///     prices[from..from + 1000].iter().sum()
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let prices = SharedSlice::new(&vec![0.5; 10_000])?;
///     let pool = Pool::new(2)?;
///     let parts = (0..10).map(|part| (prices.clone(), part * 1000));
///     assert_eq!(pool.starmap(sum, parts)?.iter().sum::<f64>(), 5000.0);
///     Ok(())
/// }
/// ```
pub struct SharedSlice<T> {
    attachment: Arc<Attachment>,
    items: PhantomData<fn() -> T>,
}

impl<T: Plain> SharedSlice<T> {
    /// What every item must satisfy to lie in shared memory one after the other.
    const FITS: () = assert!(
        size_of::<T>() > 0 && align_of::<T>() <= 4096,
        "an item of a shared slice has a size, and no more alignment than a page of memory"
    );

    /// Puts a copy of a slice into shared memory.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors.
    pub fn new(items: &[T]) -> Result<Self> {
        Self::with(items.len(), |shared| shared.copy_from_slice(items))
    }

    /// Puts `len` items into shared memory that `fill` writes there, in place. It is given items whose
    /// bytes are all zero.
    ///
    /// ```
    /// use procession::SharedSlice;
    ///
    /// let squares = SharedSlice::with(4, |squares| {
    ///     for (index, square) in (0_u64..).zip(squares) {
    ///         *square = index * index;
    ///     }
    /// })?;
    /// assert_eq!(*squares, [0, 1, 4, 9]);
    /// # Ok::<(), procession::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with(len: usize, fill: impl FnOnce(&mut [T])) -> Result<Self> {
        let () = Self::FITS;
        let too_many = || Error::usage("a shared slice is larger than the address space");
        let bytes = len.checked_mul(size_of::<T>()).ok_or_else(too_many)?;
        let fill = |bytes: &mut [u8]| fill(bytemuck::cast_slice_mut(bytes));
        let attachment = Attachment::create(tag_of::<Self>(), bytes, &[], fill);
        let attachment = attachment
            .map_err(|source| Error::system("cannot put a slice into shared memory", source))?;
        Ok(Self { attachment, items: PhantomData })
    }
}

impl<T> Clone for SharedSlice<T> {
    /// Another handle of the same memory.
    fn clone(&self) -> Self {
        Self { attachment: self.attachment.clone(), items: PhantomData }
    }
}

impl<T: Plain> Deref for SharedSlice<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // It begins at a page, and its size was checked where this value was made.
        bytemuck::cast_slice(self.attachment.contents())
    }
}

impl<T: Plain> AsRef<[T]> for SharedSlice<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<'a, T: Plain> IntoIterator for &'a SharedSlice<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> fmt::Debug for SharedSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.attachment.contents().len() / size_of::<T>().max(1);
        f.debug_struct("SharedSlice").field("len", &len).finish_non_exhaustive()
    }
}

impl<T: Plain> Serialize for SharedSlice<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        mention(&self.attachment).map_err(S::Error::custom)?;
        serializer.serialize_u64(self.attachment.id())
    }
}

impl<'de, T: Plain> Deserialize<'de> for SharedSlice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let () = Self::FITS;
        let attachment = found::<Self>(u64::deserialize(deserializer)?);
        let whole = attachment.and_then(|attachment| {
            if attachment.contents().len().is_multiple_of(size_of::<T>()) {
                return Ok(attachment);
            }
            Err("the shared memory of a slice ends within an item".to_owned())
        });
        match whole {
            Ok(attachment) => Ok(Self { attachment, items: PhantomData }),
            Err(why) => {
                mentions::refuse(&why);
                Err(D::Error::custom(why))
            }
        }
    }
}
