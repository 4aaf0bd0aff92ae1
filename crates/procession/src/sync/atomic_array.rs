//! Integers that tasks borrow where they lie, and change at once.

use super::place::{Object, Place, check_bytes, travels};
use procession_core::{Error, Result};
use procession_ipc::segment::Atomic;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::slice;

/// Where the items begin: at a multiple of 64 in memory, as a place begins 16 behind one.
const DATA: usize = 48;

/// A fixed number of atomic integers in shared memory, which tasks borrow where they lie: nothing is copied,
/// and nothing locked.
///
/// It is a slice of the atomics of `std::sync::atomic`, for all who have a handle the same one: counters,
/// flags, histograms, bit sets, results that each task writes to its own place. A handle that is cloned, or
/// passed to a task, is another handle of the same array.
///
/// Other types than integers cannot be borrowed from memory that others write: a reference promises that
/// nobody does. A `f64` can lie in an `AtomicU64` as its [bits](f64::to_bits). For other values there
/// is [`Array`](crate::Array), which copies, and for what never changes [`SharedSlice`](crate::SharedSlice).
///
/// ```
/// use procession::{AtomicArray, Pool};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// fn count(histogram: AtomicArray<AtomicU64>, text: String) {
///     for byte in text.bytes() {
///         histogram[usize::from(byte)].fetch_add(1, Ordering::Relaxed);
///     }
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let histogram = AtomicArray::zeroed(256)?;
///     let pool = Pool::new(2)?;
///     let texts = ["abba", "cab"].map(|text| (histogram.clone(), text.to_owned()));
///     pool.starmap(count, texts)?;
///     assert_eq!(histogram[usize::from(b'b')].load(Ordering::Relaxed), 3);
///     Ok(())
/// }
/// ```
pub struct AtomicArray<A> {
    place: Place,
    items: PhantomData<fn() -> A>,
}

impl<A: Atomic> Object for AtomicArray<A> {
    fn at_place(place: Place) -> std::result::Result<Self, String> {
        check_bytes(&place, DATA)?;
        Ok(Self { place, items: PhantomData })
    }

    fn place(&self) -> &Place {
        &self.place
    }
}

travels!(AtomicArray<A: Atomic>);

impl<A> Clone for AtomicArray<A> {
    /// Another handle of the same array.
    fn clone(&self) -> Self {
        Self { place: self.place.clone(), items: PhantomData }
    }
}

impl<A: Atomic + fmt::Debug> fmt::Debug for AtomicArray<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<A: Atomic> AtomicArray<A> {
    /// Puts so many integers into shared memory, which are zero. Takes memory only as far as it is used.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors.
    pub fn zeroed(len: usize) -> Result<Self> {
        let bytes = len.checked_mul(size_of::<A>()).and_then(|bytes| bytes.checked_add(DATA));
        let bytes = bytes.ok_or_else(|| Error::usage("a shared array is larger than memory"))?;
        Self::at_place(Place::new::<Self>(bytes)?).map_err(Error::usage)
    }
}

impl<A: Atomic> Deref for AtomicArray<A> {
    type Target = [A];

    fn deref(&self) -> &[A] {
        let count = (self.place.bytes() - DATA) / size_of::<A>();
        self.place.segment().atomics(self.place.at() + DATA, count)
    }
}

impl<'a, A: Atomic> IntoIterator for &'a AtomicArray<A> {
    type Item = &'a A;
    type IntoIter = slice::Iter<'a, A>;

    fn into_iter(self) -> slice::Iter<'a, A> {
        self.iter()
    }
}
