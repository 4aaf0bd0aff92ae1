//! One number, or a few in a struct, that all have in common.

use super::place::{Object, Place, cannot, check_bytes, travels};
use crate::plain::Plain;
use procession_core::{Error, Result};
use procession_ipc::primitive::{AtomicU64, Ordering};
use procession_ipc::sync::{self as ipc, Acquired};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

const CANNOT: &str = "cannot take part in a shared value";

/// Where the value begins, behind the lock.
const DATA: usize = 16;

/// A plain value in shared memory, with a lock of its own: Python's `Value`.
///
/// Every change is made under the lock, so none is lost: [`set`](Self::set), and [`lock`](Self::lock) for
/// changes that depend on what it was. Types are [`Plain`]: numbers, arrays of them, structs of them.
///
/// ```
/// use procession::{Pool, Value};
///
/// fn count(total: Value<u64>, words: Vec<String>) -> procession::Result<()> {
///     *total.lock()? += words.len() as u64;
///     Ok(())
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let total = Value::new(0_u64)?;
///     let pool = Pool::new(2)?;
///     let lines = ["a b", "c d e"].map(|line| line.split(' ').map(String::from).collect());
///     pool.starmap(count, lines.into_iter().map(|words| (total.clone(), words)))?;
///     assert_eq!(total.get()?, 5);
///     Ok(())
/// }
/// ```
pub struct Value<T> {
    place: Place,
    lock: ipc::Lock,
    value: PhantomData<fn() -> T>,
}

impl<T: Plain> Object for Value<T> {
    fn at_place(place: Place) -> std::result::Result<Self, String> {
        check_bytes(&place, DATA + size_of::<T>())?;
        let lock = ipc::Lock::new(place.roster().clone(), place.at());
        Ok(Self { place, lock, value: PhantomData })
    }

    fn place(&self) -> &Place {
        &self.place
    }
}

travels!(Value<T: Plain>);

impl<T> Clone for Value<T> {
    /// Another handle of the same value.
    fn clone(&self) -> Self {
        Self { place: self.place.clone(), lock: self.lock.clone(), value: PhantomData }
    }
}

impl<T> fmt::Debug for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").finish_non_exhaustive()
    }
}

impl<T: Plain> Value<T> {
    /// Puts a value into shared memory.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors.
    pub fn new(value: T) -> Result<Self> {
        let shared = Self::at_place(Place::new::<Self>(DATA + size_of::<T>())?);
        let shared = shared.map_err(Error::usage)?;
        shared.store(&value);
        Ok(shared)
    }

    fn load(&self) -> T {
        let mut value = T::zeroed();
        self.place.segment().copy_out(self.place.at() + DATA, bytemuck::bytes_of_mut(&mut value));
        value
    }

    fn store(&self, value: &T) {
        self.place.segment().copy_in(self.place.at() + DATA, bytemuck::bytes_of(value));
    }

    /// Gets the lock, and with it the value to look at and change. What was changed is shared when the guard
    /// is dropped.
    ///
    /// Woken by the release of the lock and by the death of its holder.
    ///
    /// # Errors
    /// As [`Lock::lock`](crate::Lock::lock).
    pub fn lock(&self) -> Result<ValueGuard<'_, T>> {
        let how = self.lock.acquire(None).map_err(cannot(CANNOT))?;
        let owner_died = how != Some(Acquired::Clean);
        Ok(ValueGuard { shared: self, value: self.load(), is_changed: false, owner_died })
    }

    /// The value, under the lock.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn get(&self) -> Result<T> {
        Ok(*self.lock()?)
    }

    /// Sets the value, under the lock.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn set(&self, value: T) -> Result<()> {
        *self.lock()? = value;
        Ok(())
    }
}

/// Holds the lock of a [`Value`], and its value, until it is dropped.
#[must_use = "the lock is released where the guard is dropped"]
pub struct ValueGuard<'a, T: Plain> {
    shared: &'a Value<T>,
    /// A copy: nobody has a reference into memory that others can write.
    value: T,
    is_changed: bool,
    owner_died: bool,
}

impl<T: Plain> ValueGuard<'_, T> {
    /// Whether the one who held the lock before died with it. The value is as it was before, or as the dead
    /// one wanted it, or, if it is larger than eight bytes, some of each.
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl<T: Plain> Deref for ValueGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Plain> DerefMut for ValueGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.is_changed = true;
        &mut self.value
    }
}

impl<T: Plain + fmt::Debug> fmt::Debug for ValueGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ValueGuard").field(&self.value).finish()
    }
}

impl<T: Plain> Drop for ValueGuard<'_, T> {
    fn drop(&mut self) {
        if self.is_changed {
            self.shared.store(&self.value);
        }
        self.shared.lock.release();
    }
}

/// An integer in shared memory that is changed without a lock: Python's `RawValue`, with operations that
/// are done at one go.
///
/// ```
/// use procession::{Pool, RawValue};
///
/// fn count(hits: RawValue<u64>, x: u64) {
///     if x % 3 == 0 {
///         hits.fetch_add(1);
///     }
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let hits = RawValue::new(0)?;
///     let pool = Pool::new(2)?;
///     pool.starmap(count, (0..30).map(|x| (hits.clone(), x)))?;
///     assert_eq!(hits.get(), 10);
///     Ok(())
/// }
/// ```
pub struct RawValue<T> {
    place: Place,
    value: PhantomData<fn() -> T>,
}

impl<T: Integer> Object for RawValue<T> {
    fn at_place(place: Place) -> std::result::Result<Self, String> {
        check_bytes(&place, size_of::<u64>())?;
        Ok(Self { place, value: PhantomData })
    }

    fn place(&self) -> &Place {
        &self.place
    }
}

travels!(RawValue<T: Integer>);

impl<T> Clone for RawValue<T> {
    /// Another handle of the same value.
    fn clone(&self) -> Self {
        Self { place: self.place.clone(), value: PhantomData }
    }
}

impl<T: Integer + fmt::Debug> fmt::Debug for RawValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RawValue").field(&self.get()).finish()
    }
}

/// Every operation is sequentially consistent, as one on `std::sync::atomic` with `SeqCst`.
impl<T: Integer> RawValue<T> {
    /// Puts an integer into shared memory.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors.
    pub fn new(value: T) -> Result<Self> {
        let shared = Self::at_place(Place::new::<Self>(size_of::<u64>())?).map_err(Error::usage)?;
        shared.set(value);
        Ok(shared)
    }

    fn word(&self) -> &AtomicU64 {
        self.place.segment().word64(self.place.at())
    }

    /// What it is.
    pub fn get(&self) -> T {
        T::from_word(self.word().load(Ordering::SeqCst))
    }

    /// Sets it.
    pub fn set(&self, value: T) {
        self.word().store(value.to_word(), Ordering::SeqCst);
    }

    /// Sets it; what it was.
    pub fn swap(&self, value: T) -> T {
        T::from_word(self.word().swap(value.to_word(), Ordering::SeqCst))
    }

    /// Adds, wrapping around; what it was.
    pub fn fetch_add(&self, value: T) -> T {
        T::from_word(self.word().fetch_add(value.to_word(), Ordering::SeqCst))
    }

    /// Subtracts, wrapping around; what it was.
    pub fn fetch_sub(&self, value: T) -> T {
        T::from_word(self.word().fetch_sub(value.to_word(), Ordering::SeqCst))
    }

    /// Sets it to what `update` makes of it, again and again until nobody came in between; what it was.
    pub fn fetch_update(&self, mut update: impl FnMut(T) -> T) -> T {
        let mut seen = self.word().load(Ordering::SeqCst);
        loop {
            let new = update(T::from_word(seen)).to_word();
            match self.word().compare_exchange(seen, new, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(before) => return T::from_word(before),
                Err(now) => seen = now,
            }
        }
    }

    /// Sets it to `new` if it is `current`; what it was, `Err` if that was something else.
    ///
    /// # Errors
    /// What it is, if that is not `current`.
    pub fn compare_exchange(&self, current: T, new: T) -> std::result::Result<T, T> {
        // What one has added to may have bits beyond the type's in its word.
        let mut seen = self.word().load(Ordering::SeqCst);
        while T::from_word(seen) == current {
            let (word, order) = (new.to_word(), Ordering::SeqCst);
            match self.word().compare_exchange(seen, word, order, order) {
                Ok(before) => return Ok(T::from_word(before)),
                Err(now) => seen = now,
            }
        }
        Err(T::from_word(seen))
    }
}

/// An integer of at most 64 bits.
pub trait Integer: Plain + PartialEq + sealed::Word {}

mod sealed {
    /// The last bits of a word are the integer; the others are anything.
    #[expect(unnameable_types, reason = "only the types below are integers")]
    pub trait Word {
        fn from_word(word: u64) -> Self;
        fn to_word(self) -> u64;
    }
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl sealed::Word for $type {
            fn from_word(word: u64) -> Self {
                word as $type
            }

            fn to_word(self) -> u64 {
                self as u64
            }
        }

        impl Integer for $type {}
    )*};
}

integers!(u8 i8 u16 i16 u32 i32 u64 i64 usize isize);
