//! An object of a manager, as its callers hold it.

use super::client::{self, Server, Shared};
use super::method::Method;
use super::wire::{self, ask};
use crate::args::Args;
use crate::codec;
use crate::connection::Address;
use crate::entry;
use crate::queue::{Item, keep_scratch, take_scratch};
use procession_core::face::Code;
use procession_core::payload::Output;
use procession_core::{Error, Result};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// An object of a [`Manager`](crate::Manager): a handle whose methods run where the object is.
///
/// A handle that is cloned, or passed to a task, is another handle of the same object, which goes with the
/// last. One that was passed to a task which never ran keeps it as long as the manager lives.
pub struct Proxy<T> {
    held: Arc<Held>,
    object: PhantomData<fn(T)>,
}

/// What a process has of an object.
#[derive(Debug)]
struct Held {
    server: Shared,
    id: u64,
    /// The process that holds it: a forked copy has nothing to let go of.
    owner: u32,
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            let mut frame = Vec::new();
            wire::begin(&mut frame, ask::DROP, self.id, 0);
            // If the manager has ended, so has the object.
            let _ = self.server.ask(&mut frame);
        }
    }
}

impl<T> Clone for Proxy<T> {
    /// Another handle of the same object.
    fn clone(&self) -> Self {
        Self { held: self.held.clone(), object: PhantomData }
    }
}

impl<T> fmt::Debug for Proxy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("object", &type_name::<T>())
            .field("id", &self.held.id)
            .finish_non_exhaustive()
    }
}

/// Appends arguments to a frame.
fn append(frame: &mut Vec<u8>, args: &impl Args) -> Result<()> {
    let mut output = Output::new(Vec::new(), None);
    args.encode(&mut output).map_err(|error| Error::codec(error.to_string()))?;
    if !output.attachments().is_empty() {
        return Err(Error::codec(
            "shared data cannot be passed to an object of a manager: pass the values themselves",
        ));
    }
    frame.extend_from_slice(output.bytes());
    Ok(())
}

impl<T: Send + Sync + 'static> Proxy<T> {
    fn of(server: Shared, id: u64) -> Self {
        let held = Arc::new(Held { server, id, owner: std::process::id() });
        Self { held, object: PhantomData }
    }

    pub(super) fn create(server: &Shared, code: Code, args: &impl Args) -> Result<Self> {
        let mut frame = take_scratch();
        wire::begin(&mut frame, ask::MAKE, code, 0);
        append(&mut frame, args)?;
        server.ask(&mut frame)?;
        let id = codec::decode_item::<u64>(client::payload(&frame))?;
        keep_scratch(frame);
        Ok(Self::of(server.clone(), id))
    }

    /// Calls a method of the object, where the object is, and waits for what it returns.
    ///
    /// The method is a function, or a closure that captures nothing, whose first parameter is a reference to
    /// the object.
    ///
    /// # Errors
    /// When the method panics; when arguments or result cannot be encoded or decoded; when the manager has
    /// ended.
    pub fn call<M, A, By>(&self, method: M, args: A) -> Result<M::Output>
    where
        M: Method<T, A, By>,
        M::Output: Item,
        A: Args,
        By: 'static,
    {
        // The method is known by its type; its value has no bytes.
        let _ = method;
        let code = entry::code_of_method::<M, T, A, By>()?;
        let mut frame = take_scratch();
        wire::begin(&mut frame, ask::CALL, self.held.id, code);
        append(&mut frame, &args)?;
        let asked = self.held.server.ask(&mut frame);
        let returned = asked.and_then(|()| codec::decode_item(client::payload(&frame)));
        keep_scratch(frame);
        returned.map_err(|error| {
            if error.is_panicked() || error.is_codec() {
                error.of_call(type_name::<M>(), None)
            } else {
                error
            }
        })
    }
}

/// A handle on its way.
#[derive(Serialize, Deserialize)]
struct Lent {
    address: String,
    id: u64,
    number: u64,
    of: u64,
}

impl<T: Send + Sync + 'static> Serialize for Proxy<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let number = client::fresh_number();
        let mut frame = Vec::new();
        wire::begin(&mut frame, ask::LEND, self.held.id, number);
        self.held.server.ask(&mut frame).map_err(S::Error::custom)?;
        let Some(address) = self.held.server.address().local_name() else {
            return Err(S::Error::custom(
                "a proxy of a manager in the network stays in its process",
            ));
        };
        let lent = Lent {
            address: address.to_owned(),
            id: self.held.id,
            number,
            of: crate::shared::tag_of::<T>(),
        };
        lent.serialize(serializer)
    }
}

impl<'de, T: Send + Sync + 'static> Deserialize<'de> for Proxy<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        use crate::sync::place::refuse;
        let lent = Lent::deserialize(deserializer)?;
        if lent.of != crate::shared::tag_of::<T>() {
            return Err(refuse("what was sent as a proxy is one of something else"));
        }
        let key = crate::authkey().map_err(|error| refuse(&error.to_string()))?;
        let server = Arc::new(Server::new(Address::local(lent.address), key));
        let mut frame = Vec::new();
        wire::begin(&mut frame, ask::ADOPT, lent.id, lent.number);
        server.ask(&mut frame).map_err(|error| refuse(&error.to_string()))?;
        Ok(Self::of(server, lent.id))
    }
}
