//! Many numbers that all have in common.

use super::place::{Object, Place, cannot, check_bytes, travels};
use crate::plain::Plain;
use procession_core::{Error, Result};
use procession_ipc::sync::{self as ipc, Acquired};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

const CANNOT: &str = "cannot take part in a shared array";

/// Where the items begin, behind the lock.
const DATA: usize = 64;

/// A fixed number of plain values in shared memory, with a lock: Python's `Array`.
///
/// Each call takes the lock; [`lock`](Self::lock) holds it over several. Items are copied in and out: they
/// can change at any moment, so there are no references to them. What never changes is read in place from a
/// [`SharedSlice`](crate::SharedSlice).
///
/// ```
/// use procession::{Array, Pool};
///
/// fn fill(squares: Array<u64>, index: usize) -> procession::Result<()> {
///     squares.set(index, (index * index) as u64)
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let squares = Array::new(&[0_u64; 5])?;
///     let pool = Pool::new(2)?;
///     pool.starmap(fill, (0..5).map(|index| (squares.clone(), index)))?;
///     assert_eq!(squares.to_vec()?, [0, 1, 4, 9, 16]);
///     Ok(())
/// }
/// ```
pub struct Array<T> {
    raw: RawArray<T>,
    lock: ipc::Lock,
}

/// An [`Array`] without the lock: Python's `RawArray`.
///
/// An item of up to eight bytes that lies at a multiple of its size is read and written at one go; of larger
/// ones, and of several, a reader may see some as they were and some as they will be.
///
/// ```
/// let array = procession::RawArray::new(&[1_i32, 2, 3])?;
/// array.set(1, 20);
/// assert_eq!(array.read(1..3), [20, 3]);
/// # Ok::<(), procession::Error>(())
/// ```
pub struct RawArray<T> {
    place: Place,
    items: PhantomData<fn() -> T>,
}

impl<T: Plain> Object for RawArray<T> {
    fn at_place(place: Place) -> std::result::Result<Self, String> {
        check_bytes(&place, DATA)?;
        Ok(Self { place, items: PhantomData })
    }

    fn place(&self) -> &Place {
        &self.place
    }
}

impl<T: Plain> Object for Array<T> {
    fn at_place(place: Place) -> std::result::Result<Self, String> {
        let lock = ipc::Lock::new(place.roster().clone(), place.at());
        Ok(Self { raw: RawArray::at_place(place)?, lock })
    }

    fn place(&self) -> &Place {
        &self.raw.place
    }
}

travels!(RawArray<T: Plain>);
travels!(Array<T: Plain>);

impl<T> Clone for RawArray<T> {
    /// Another handle of the same array.
    fn clone(&self) -> Self {
        Self { place: self.place.clone(), items: PhantomData }
    }
}

impl<T> Clone for Array<T> {
    /// Another handle of the same array.
    fn clone(&self) -> Self {
        Self { raw: self.raw.clone(), lock: self.lock.clone() }
    }
}

impl<T: Plain> fmt::Debug for RawArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawArray").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T: Plain> fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Array").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T: Plain> RawArray<T> {
    const HAS_SIZE: () = assert!(size_of::<T>() > 0, "an item of a shared array has a size");

    /// Puts a copy of these items into shared memory.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors.
    pub fn new(items: &[T]) -> Result<Self> {
        Self::of::<Self>(items)
    }

    /// Puts so many items into shared memory whose bytes are all zero. Takes memory only as far as it is
    /// used.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn zeroed(len: usize) -> Result<Self> {
        Self::with_len::<Self>(len)
    }

    fn of<Owner: 'static>(items: &[T]) -> Result<Self> {
        let array = Self::with_len::<Owner>(items.len())?;
        array.write(0, items);
        Ok(array)
    }

    fn with_len<Owner: 'static>(len: usize) -> Result<Self> {
        let () = Self::HAS_SIZE;
        let bytes = len.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_add(DATA));
        let bytes = bytes.ok_or_else(|| Error::usage("a shared array is larger than memory"))?;
        Self::at_place(Place::new::<Owner>(bytes)?).map_err(Error::usage)
    }

    /// How many items.
    pub fn len(&self) -> usize {
        (self.place.bytes() - DATA) / size_of::<T>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn offset(&self, from: usize, count: usize) -> usize {
        let end = from.checked_add(count);
        assert!(
            end.is_some_and(|end| end <= self.len()),
            "items {from}..{} of a shared array of {}",
            from.saturating_add(count),
            self.len()
        );
        self.place.at() + DATA + from * size_of::<T>()
    }

    /// A copy of one item.
    ///
    /// # Panics
    /// When there is no such item.
    pub fn get(&self, index: usize) -> T {
        let mut item = T::zeroed();
        self.read_into(index, std::slice::from_mut(&mut item));
        item
    }

    /// Sets one item.
    ///
    /// # Panics
    /// When there is no such item.
    pub fn set(&self, index: usize, item: T) {
        self.write(index, &[item]);
    }

    /// Copies of some items.
    ///
    /// # Panics
    /// When there are no such items, or there is no memory for the copies.
    pub fn read(&self, range: Range<usize>) -> Vec<T> {
        let count = range.end.saturating_sub(range.start);
        let offset = self.offset(range.start, count);
        self.place.segment().to_vec(offset, count).expect("memory for a copy of shared items")
    }

    /// Copies items from `from` on into `to`.
    ///
    /// # Panics
    /// When there are not as many.
    pub fn read_into(&self, from: usize, to: &mut [T]) {
        let offset = self.offset(from, to.len());
        self.place.segment().copy_out(offset, bytemuck::cast_slice_mut(to));
    }

    /// Writes these items from `to` on.
    ///
    /// # Panics
    /// When they do not fit.
    pub fn write(&self, to: usize, items: &[T]) {
        let offset = self.offset(to, items.len());
        self.place.segment().copy_in(offset, bytemuck::cast_slice(items));
    }

    /// A copy of all items.
    pub fn to_vec(&self) -> Vec<T> {
        self.read(0..self.len())
    }
}

impl<T: Plain> Array<T> {
    /// Puts a copy of these items into shared memory.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors.
    pub fn new(items: &[T]) -> Result<Self> {
        let raw = RawArray::of::<Self>(items)?;
        Self::at_place(raw.place).map_err(Error::usage)
    }

    /// As [`RawArray::zeroed`].
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn zeroed(len: usize) -> Result<Self> {
        let raw = RawArray::<T>::with_len::<Self>(len)?;
        Self::at_place(raw.place).map_err(Error::usage)
    }

    /// How many items.
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Gets the lock, for several accesses at one go.
    ///
    /// Woken by the release of the lock and by the death of its holder.
    ///
    /// # Errors
    /// As [`Lock::lock`](crate::Lock::lock).
    pub fn lock(&self) -> Result<ArrayGuard<'_, T>> {
        let how = self.lock.acquire(None).map_err(cannot(CANNOT))?;
        Ok(ArrayGuard { array: self, owner_died: how != Some(Acquired::Clean) })
    }

    /// A copy of one item, under the lock.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    ///
    /// # Panics
    /// When there is no such item.
    pub fn get(&self, index: usize) -> Result<T> {
        Ok(self.lock()?.get(index))
    }

    /// Sets one item, under the lock.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    ///
    /// # Panics
    /// When there is no such item.
    pub fn set(&self, index: usize, item: T) -> Result<()> {
        self.lock()?.set(index, item);
        Ok(())
    }

    /// A copy of all items, under the lock.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn to_vec(&self) -> Result<Vec<T>> {
        Ok(self.lock()?.to_vec())
    }

    /// The items without the lock.
    pub fn get_obj(&self) -> &RawArray<T> {
        &self.raw
    }
}

/// Holds the lock of an [`Array`] until it is dropped; its items are those of the [`RawArray`] that it
/// gives.
#[must_use = "the lock is released where the guard is dropped"]
pub struct ArrayGuard<'a, T: Plain> {
    array: &'a Array<T>,
    owner_died: bool,
}

impl<T: Plain> ArrayGuard<'_, T> {
    /// Whether the one who held the lock before died with it, so that some items may be as it wanted them
    /// and some as they were.
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl<T: Plain> std::ops::Deref for ArrayGuard<'_, T> {
    type Target = RawArray<T>;

    fn deref(&self) -> &RawArray<T> {
        &self.array.raw
    }
}

impl<T: Plain> fmt::Debug for ArrayGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ArrayGuard").field(&self.array).finish()
    }
}

impl<T: Plain> Drop for ArrayGuard<'_, T> {
    fn drop(&mut self) {
        self.array.lock.release();
    }
}
