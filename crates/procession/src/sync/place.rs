//! Where a shared object lies, and how it crosses.

use crate::codec::mentions::{self, Origin, mention};
use crate::shared::tag_of;
use procession_core::attachment::exchange::{self, Keeper};
use procession_core::attachment::{self, Attachment, arena};
use procession_core::{Error, Result};
use procession_ipc::primitive::Ordering;
use procession_ipc::roster::Roster;
use procession_ipc::segment::Segment;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::any::type_name;
use std::io;
use std::sync::Arc;

/// Bytes before an object: its type, and how many bytes it has.
const HEADER_BYTES: usize = 16;

/// Where a shared object lies.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    attachment: Arc<Attachment>,
    roster: Arc<Roster>,
    at: usize,
    bytes: usize,
}

impl Place {
    /// A place full of zeros for an object of type `T`.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors.
    pub(crate) fn new<T: 'static>(bytes: usize) -> Result<Self> {
        Self::make::<T>(bytes, arena::allot)
    }

    /// As [`new`](Self::new), with nothing else beside it in its memory.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn alone<T: 'static>(bytes: usize) -> Result<Self> {
        Self::make::<T>(bytes, arena::allot_alone)
    }

    fn make<T: 'static>(
        bytes: usize,
        allot: impl FnOnce(usize) -> io::Result<(Arc<Attachment>, usize)>,
    ) -> Result<Self> {
        let name = name_of::<T>();
        let failed = |source| Error::system(format!("cannot make a shared {name}"), source);
        let with_header = bytes.checked_add(HEADER_BYTES);
        let with_header = with_header.ok_or_else(|| failed(io::ErrorKind::OutOfMemory.into()))?;
        let (attachment, start) = allot(with_header).map_err(failed)?;
        let place = Self::of(attachment, start + HEADER_BYTES, bytes);
        let place = place.ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
        let segment = place.segment();
        segment.word64(start).store(tag_of::<T>(), Ordering::Relaxed);
        segment.word64(start + 8).store(bytes as u64, Ordering::Relaxed);
        Ok(place)
    }

    fn of(attachment: Arc<Attachment>, at: usize, bytes: usize) -> Option<Self> {
        let roster = attachment.commons()?.roster().clone();
        Some(Self { attachment, roster, at, bytes })
    }

    /// The place that was sent as an object of type `T`.
    fn find<T: 'static>(id: u64, at: u64, origin: Origin) -> std::result::Result<Self, String> {
        let name = type_name::<T>();
        let found = match origin {
            Some(keeper) => exchange::get(id, keeper),
            None => attachment::find(id),
        };
        let attachment = found.map_err(|unknown| match unknown {
            attachment::Unknown::Id => format!(
                "this process knows nothing of the memory of a `{name}` that was sent to it: its last \
                 handle is gone, or it was never here"
            ),
            attachment::Unknown::Lost(why) => format!("the memory of a `{name}` is lost: {why}"),
        })?;
        Self::of_type::<T>(attachment, at)
    }

    /// The place of the object that has its memory [alone](Self::alone).
    pub(crate) fn only<T: 'static>(
        attachment: Arc<Attachment>,
    ) -> std::result::Result<Self, String> {
        Self::of_type::<T>(attachment, (arena::START + HEADER_BYTES) as u64)
    }

    fn of_type<T: 'static>(
        attachment: Arc<Attachment>,
        at: u64,
    ) -> std::result::Result<Self, String> {
        let name = type_name::<T>();
        let another = || format!("what was sent as a `{name}` is something else");
        let commons = attachment.commons().filter(|_| attachment.tag() == arena::TAG);
        let segment = commons.ok_or_else(another)?.segment().clone();
        let at = usize::try_from(at).ok().filter(|at| at.is_multiple_of(8));
        let at =
            at.filter(|at| *at >= HEADER_BYTES && *at <= segment.bytes()).ok_or_else(another)?;
        let header = |offset| segment.word64(at - HEADER_BYTES + offset).load(Ordering::Relaxed);
        let bytes = usize::try_from(header(8)).ok().filter(|bytes| *bytes <= segment.bytes() - at);
        let bytes = bytes.filter(|_| header(0) == tag_of::<T>()).ok_or_else(another)?;
        Self::of(attachment, at, bytes).ok_or_else(another)
    }

    pub(crate) fn attachment(&self) -> &Arc<Attachment> {
        &self.attachment
    }

    pub(crate) fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    pub(crate) fn segment(&self) -> &Arc<Segment> {
        self.roster.segment()
    }

    /// Where the object begins in the segment: at a multiple of 16.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// How many bytes it has, which were checked to lie inside of the segment.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A type whose values are handles of shared objects.
pub(crate) trait Object: Sized + 'static {
    /// The handle of the object at this place; an error, in words for the user, if it is none.
    fn at_place(place: Place) -> std::result::Result<Self, String>;

    /// Where its object lies.
    fn place(&self) -> &Place;
}

pub(crate) fn serialize<T: Object, S: Serializer>(
    object: &T,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serialize_place(object.place(), (), serializer)
}

/// Writes a handle of the object at this place, with what else there is to say.
pub(crate) fn serialize_place<M: Serialize, S: Serializer>(
    place: &Place,
    more: M,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    let origin = mention(&place.attachment).map_err(S::Error::custom)?.map(|keeper| keeper.0);
    (place.attachment.id(), place.at as u64, origin, more).serialize(serializer)
}

pub(crate) fn deserialize<'de, T: Object, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<T, D::Error> {
    deserialize_place::<T, (), T, D>(deserializer, |place, ()| T::at_place(place))
}

/// Reads a handle of an object of type `T`, with what else was said.
pub(crate) fn deserialize_place<'de, T: 'static, M: Deserialize<'de>, H, D: Deserializer<'de>>(
    deserializer: D,
    make: impl FnOnce(Place, M) -> std::result::Result<H, String>,
) -> std::result::Result<H, D::Error> {
    let (id, at, origin, more) = <(u64, u64, Option<u64>, M)>::deserialize(deserializer)?;
    let place = Place::find::<T>(id, at, origin.map(Keeper));
    let handle = place.and_then(|place| make(place, more));
    handle.map_err(|why| refuse(&why))
}

/// Why a handle cannot be decoded, for the error of the value that it is in.
pub(crate) fn refuse<E: serde::de::Error>(why: &str) -> E {
    mentions::refuse(why);
    E::custom(why)
}

/// An object's handle on its way, in a larger one.
pub(crate) struct Mention<'a, T>(pub(crate) &'a T);

impl<T: Object> Serialize for Mention<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serialize(self.0, serializer)
    }
}

/// An object's handle that came in a larger one.
pub(crate) struct Found<T>(pub(crate) T);

impl<'de, T: Object> Deserialize<'de> for Found<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserialize(deserializer).map(Self)
    }
}

/// Lets handles of a shared object be arguments, and be cloned.
macro_rules! travels {
    ($type:ident $(<$parameter:ident: $bound:path>)?) => {
        impl $(<$parameter: $bound>)? serde::Serialize for $type $(<$parameter>)? {
            fn serialize<S: serde::Serializer>(
                &self,
                serializer: S,
            ) -> std::result::Result<S::Ok, S::Error> {
                $crate::sync::place::serialize(self, serializer)
            }
        }

        impl<'de $(, $parameter: $bound)?> serde::Deserialize<'de> for $type $(<$parameter>)? {
            fn deserialize<D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> std::result::Result<Self, D::Error> {
                $crate::sync::place::deserialize(deserializer)
            }
        }
    };
}

pub(crate) use travels;

/// How an error calls a type: without its path, that of its parameters being part of the name.
fn name_of<T>() -> &'static str {
    let whole = type_name::<T>();
    let path = &whole[..whole.find('<').unwrap_or(whole.len())];
    path.rfind("::").map_or(whole, |at| &whole[at + 2..])
}

/// What to say when this process cannot take part in an object.
pub(crate) fn cannot(what: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::system(what, source)
}

/// A shared object that has fewer bytes than it should.
pub(crate) fn check_bytes(place: &Place, least: usize) -> std::result::Result<(), String> {
    if place.bytes() >= least { Ok(()) } else { Err("a shared object is cut off".to_owned()) }
}
