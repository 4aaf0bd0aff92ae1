//! A list of values in shared memory.

use super::named::{NAME_BYTES, Named};
use super::shareable::Shareable;
use crate::sync::place::{Place, cannot, refuse};
use procession_core::{Error, Result};
use procession_ipc::slots::{First, Slots, Unfit};
use procession_ipc::sync::Acquired;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::io;

const CANNOT: &str = "cannot take part in a shared list";

/// Least room of a value, so that each place can have any number.
const ROOM_MIN: usize = 8;

/// A list of fixed length in shared memory, of values of mixed kinds: Python's `ShareableList`.
///
/// Values are set and read under a lock, one or, by [`lock`](Self::lock), several at one go, so nobody sees
/// half of one. If a process dies while it sets a value, the value is the old one or the new one, and
/// others go on. Each place has room for as many bytes as its first value has, rounded up to a multiple of
/// eight and at least eight: any value that fits can be set there, of any kind.
///
/// A handle that is cloned, or passed to a task, is another handle of the same list. A list can have a name,
/// as [`SharedMemory`](crate::SharedMemory) can.
///
/// ```
/// use procession::{Process, Shareable, ShareableList};
///
/// fn work(state: ShareableList) -> procession::Result<()> {
///     state.set(0, "done")?;
///     let steps = state.get(1)?.as_int().unwrap_or_default();
///     state.set(1, steps + 1)
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let state = ShareableList::new(["starting".into(), 0.into(), ().into()])?;
///     let mut worker = Process::new(work, (state.clone(),));
///     worker.start()?;
///     worker.join()??;
///     assert_eq!(state.to_vec()?, ["done".into(), 1.into(), Shareable::None]);
///     assert!(state.set(0, "longer than it began").is_err());
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct ShareableList {
    named: Named,
    slots: Slots,
}

impl fmt::Debug for ShareableList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ShareableList");
        debug.field("name", &self.name()).field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Serialize for ShareableList {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.named.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ShareableList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let named = Named::deserialize::<Self, D>(deserializer, NAME_BYTES)?;
        Self::of(named).map_err(|error| refuse(&error.to_string()))
    }
}

fn of_damage(why: impl ToString) -> Error {
    let source = io::Error::new(io::ErrorKind::InvalidData, why.to_string());
    Error::system("cannot use a shared list", source)
}

impl ShareableList {
    /// Puts these values into shared memory.
    ///
    /// # Errors
    /// When they are too large for a list: one of four gigabytes, or all of sixteen; when the system is out
    /// of memory or descriptors.
    pub fn new(values: impl IntoIterator<Item = Shareable>) -> Result<Self> {
        let values: Vec<_> = values.into_iter().collect();
        let place = Self::filled(&values, Place::new::<Self>)?;
        Self::of(Named::without(place))
    }

    /// As [`new`](Self::new), with a name.
    ///
    /// # Errors
    /// As [`new`](Self::new) and [`SharedMemory::create`](crate::SharedMemory::create).
    pub fn create(name: &str, values: impl IntoIterator<Item = Shareable>) -> Result<Self> {
        let values: Vec<_> = values.into_iter().collect();
        let place = Self::filled(&values, Place::alone::<Self>)?;
        Self::of(Named::with(place, name)?)
    }

    /// The list that has this name; waits as [`SharedMemory::attach`](crate::SharedMemory::attach).
    ///
    /// # Errors
    /// As [`SharedMemory::attach`](crate::SharedMemory::attach).
    pub fn attach(name: &str) -> Result<Self> {
        Self::of(Named::attach::<Self>(name, NAME_BYTES)?)
    }

    /// Takes the name away, as [`SharedMemory::unlink`](crate::SharedMemory::unlink).
    ///
    /// # Errors
    /// As [`SharedMemory::unlink`](crate::SharedMemory::unlink).
    pub fn unlink(&self) -> Result<()> {
        self.named.unlink()
    }

    /// Under which name it was made or attached, even if it was unlinked since.
    pub fn name(&self) -> Option<&str> {
        self.named.name()
    }

    fn filled(values: &[Shareable], allot: fn(usize) -> Result<Place>) -> Result<Place> {
        let encoded: Vec<_> = values.iter().map(Shareable::encode).collect();
        let first = |(kind, bytes)| {
            let value: &[u8] = bytes;
            First { room: value.len().max(ROOM_MIN), kind, value }
        };
        let firsts: Vec<_> = encoded.iter().map(|(kind, bytes)| first((*kind, bytes))).collect();
        let bytes = Slots::bytes_for(firsts.iter().map(|first| first.room));
        let bytes = bytes.and_then(|bytes| bytes.checked_add(NAME_BYTES));
        let bytes = bytes.ok_or_else(|| Error::usage("the values are too large for a list"))?;
        let place = allot(bytes)?;
        Slots::create(place.segment(), place.at() + NAME_BYTES, &firsts);
        Ok(place)
    }

    fn of(named: Named) -> Result<Self> {
        let place = named.place();
        let (at, bytes) = (place.at() + NAME_BYTES, place.bytes() - NAME_BYTES);
        let slots = Slots::new(place.roster().clone(), at, bytes);
        let slots = slots.ok_or_else(|| of_damage(Unfit::Damaged))?;
        Ok(Self { named, slots })
    }

    /// How many values.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Gets the lock, for several accesses at one go.
    ///
    /// Woken by the release of the lock and by the death of its holder. A thread that holds it already, by
    /// another guard, waits for itself for ever.
    ///
    /// # Errors
    /// As [`Lock::lock`](crate::Lock::lock).
    pub fn lock(&self) -> Result<ListGuard<'_>> {
        let how = self.slots.lock().acquire(None).map_err(cannot(CANNOT))?;
        Ok(ListGuard { list: self, owner_died: how != Some(Acquired::Clean) })
    }

    /// A copy of one value.
    ///
    /// # Errors
    /// As [`lock`](Self::lock); when a process that has the list has written over its memory.
    ///
    /// # Panics
    /// When there is no such place.
    pub fn get(&self, index: usize) -> Result<Shareable> {
        self.lock()?.get(index)
    }

    /// Sets one value.
    ///
    /// # Errors
    /// When it is longer than the place's [room](Self::room); otherwise as [`get`](Self::get).
    ///
    /// # Panics
    /// When there is no such place.
    pub fn set(&self, index: usize, value: impl Into<Shareable>) -> Result<()> {
        self.lock()?.set(index, value)
    }

    fn checked(&self, index: usize) -> usize {
        assert!(index < self.len(), "place {index} of a shared list of {}", self.len());
        index
    }

    /// How many bytes a value may have in this place.
    ///
    /// # Errors
    /// When a process that has the list has written over its memory.
    ///
    /// # Panics
    /// When there is no such place.
    pub fn room(&self, index: usize) -> Result<usize> {
        self.slots.room_of(self.checked(index)).map_err(of_damage)
    }

    /// Where the first value is that equals this one.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn index(&self, value: impl Into<Shareable>) -> Result<Option<usize>> {
        let value = value.into();
        Ok(self.to_vec()?.iter().position(|other| *other == value))
    }

    /// How many values equal this one.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn count(&self, value: impl Into<Shareable>) -> Result<usize> {
        let value = value.into();
        Ok(self.to_vec()?.iter().filter(|other| **other == value).count())
    }

    /// A copy of all values, as they are at one moment.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn to_vec(&self) -> Result<Vec<Shareable>> {
        let guard = self.lock()?;
        (0..self.len()).map(|index| guard.get(index)).collect()
    }

    /// The values one after the other, each as it is when it comes; for those of one moment there is
    /// [`to_vec`](Self::to_vec).
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Result<Shareable>> + '_ {
        (0..self.len()).map(|index| self.get(index))
    }
}

/// Holds the lock of a [`ShareableList`] until it is dropped.
#[must_use = "the lock is released where the guard is dropped"]
pub struct ListGuard<'a> {
    list: &'a ShareableList,
    owner_died: bool,
}

impl ListGuard<'_> {
    /// Whether the one who held the lock before died with it. Each value is whole; but if it was to set
    /// several, some may be as it wanted them and some as they were.
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }

    /// As [`ShareableList::get`].
    ///
    /// # Errors
    /// As [`ShareableList::get`].
    ///
    /// # Panics
    /// When there is no such place.
    pub fn get(&self, index: usize) -> Result<Shareable> {
        let (kind, bytes) = self.list.slots.read(self.list.checked(index)).map_err(of_damage)?;
        Shareable::decode(kind, bytes).ok_or_else(|| of_damage(Unfit::Damaged))
    }

    /// As [`ShareableList::set`].
    ///
    /// # Errors
    /// As [`ShareableList::set`].
    ///
    /// # Panics
    /// When there is no such place.
    pub fn set(&self, index: usize, value: impl Into<Shareable>) -> Result<()> {
        let value = value.into();
        let (kind, bytes) = value.encode();
        let index = self.list.checked(index);
        self.list.slots.write(index, kind, &bytes).map_err(|unfit| match unfit {
            Unfit::TooLong(room) => Error::usage(format!(
                "a value of {} bytes does not fit into place {index} of a shared list, which has {room}",
                bytes.len()
            )),
            other => of_damage(other),
        })
    }
}

impl fmt::Debug for ListGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ListGuard").field(&self.list).finish()
    }
}

impl Drop for ListGuard<'_> {
    fn drop(&mut self) {
        self.list.slots.lock().release();
    }
}
