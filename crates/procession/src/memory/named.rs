//! Shared objects that may have a name.

use crate::sync::place::{Place, check_bytes, deserialize_place, serialize_place};
use procession_core::attachment::arena;
use procession_core::attachment::named::{self, Claimed};
use procession_core::{Error, Result};
use serde::{Deserializer, Serializer};
use std::io;
use std::sync::Arc;

/// Bytes at the start of such an object's place, of which the first four are the word of its name.
pub(super) const NAME_BYTES: usize = 8;

/// The place of a shared object that may have a name.
#[derive(Debug, Clone)]
pub(super) struct Named {
    place: Place,
    name: Option<Arc<str>>,
    /// Where this process answers for the name: it does as long as somebody here has a handle.
    claimed: Option<Arc<Claimed>>,
}

fn failed(what: &str, name: &str, source: io::Error) -> Error {
    Error::system(format!("cannot {what} the shared memory named {name:?}"), source)
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "nobody has the name")
}

impl Named {
    /// Has no name.
    pub(super) fn without(place: Place) -> Self {
        Self { place, name: None, claimed: None }
    }

    /// Gives a name to what is complete, and has its memory [alone](Place::alone).
    ///
    /// # Errors
    /// When the name is taken, or cannot be one; when the system is out of descriptors, memory or threads.
    pub(super) fn with(place: Place, name: &str) -> Result<Self> {
        let claimed = named::claim(name, place.attachment(), place.at());
        let claimed = claimed.map_err(|source| failed("make", name, source))?;
        Ok(Self { place, name: Some(name.into()), claimed: Some(claimed) })
    }

    /// The object of type `T` that has this name, of at least this many bytes.
    ///
    /// # Errors
    /// When nobody of this user has the name, or it is of something else; when who has it does not answer;
    /// when the system is out of descriptors or memory.
    pub(super) fn attach<T: 'static>(name: &str, least: usize) -> Result<Self> {
        let failed = |source| failed("attach", name, source);
        let attachment = named::find(name, arena::TAG).map_err(failed)?;
        let attachment = attachment.ok_or_else(|| failed(gone()))?;
        let another = |why| failed(io::Error::new(io::ErrorKind::InvalidData, why));
        let place = Place::only::<T>(attachment).map_err(another)?;
        check_bytes(&place, least.max(NAME_BYTES)).map_err(another)?;
        if named::is_given_up(place.segment(), place.at()) {
            return Err(failed(gone()));
        }
        Ok(Self { place, name: Some(name.into()), claimed: None })
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Takes the name away; it is free when this returns.
    ///
    /// # Errors
    /// When there is none, or none any more; when the process that answers for it does not.
    pub(super) fn unlink(&self) -> Result<()> {
        let name = self.name.as_deref();
        let name = name.ok_or_else(|| Error::usage("shared memory without a name is unlinked"))?;
        let failed = |source| failed("unlink", name, source);
        if !named::give_up(self.place.segment(), self.place.at()) {
            return Err(failed(gone()));
        }
        match &self.claimed {
            Some(claimed) if claimed.is_own() => {
                claimed.give_up();
                Ok(())
            }
            _ => named::remind(name).map_err(failed),
        }
    }

    pub(super) fn serialize<S: Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serialize_place(&self.place, self.name.as_deref(), serializer)
    }

    /// The handle of an object of type `T`, of at least this many bytes.
    pub(super) fn deserialize<'de, T: 'static, D: Deserializer<'de>>(
        deserializer: D,
        least: usize,
    ) -> std::result::Result<Self, D::Error> {
        deserialize_place::<T, Option<String>, _, D>(deserializer, |place, name| {
            check_bytes(&place, least.max(NAME_BYTES))?;
            // It may have come back to the process that answers for it.
            let id = place.attachment().id();
            let claimed = name.as_ref().and_then(|_| named::claimed_here(id));
            Ok(Self { place, name: name.map(Into::into), claimed })
        })
    }
}
