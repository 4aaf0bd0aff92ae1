//! How values become bytes and come back.
//!
//! Everything goes through serde and postcard, a compact binary format with a written
//! specification, except vectors of plain numbers at the top level of an argument or result: their
//! memory is copied as it is. Both ends are the same build on the same machine, which the hello has
//! checked, so the memory means the same there.

mod counted;
mod described;
mod error;
mod flavor;
pub(crate) mod mentions;
mod plain;
mod strict;
#[cfg(test)]
mod tests;

pub use described::Described;
pub use error::CodecError;

use crate::target::Returned;
use counted::Counted;
use flavor::{Append, Bounded, Source};
use mentions::{Kept, Listener};
use procession_core::attachment::{ATTACHMENTS_MAX, Attachment, Attachments};
use procession_core::payload::{Input, NoMemory, Output, Value};
use procession_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::type_name;
use std::sync::Arc;
use strict::Whole;

/// Appends an argument to an output, and notes what it mentions.
pub(crate) fn encode_argument<T: Serialize + 'static>(
    value: &T,
    output: &mut Output<'_>,
) -> std::result::Result<(), CodecError> {
    if let Some(written) = plain::encode(value, output) {
        return written.map_err(|NoMemory| CodecError::no_memory::<T>());
    }
    let listener = Listener::to_arguments();
    encode_by_serde(value, output)?;
    let mentioned = listener.heard();
    if mentioned.is_empty() { Ok(()) } else { attach(output, mentioned, type_name::<T>()) }
}

/// Notes what an argument mentions.
#[cold]
fn attach(
    output: &mut Output<'_>,
    mentioned: Vec<Arc<Attachment>>,
    type_name: &str,
) -> std::result::Result<(), CodecError> {
    output.attach(mentioned);
    if Attachments::new(output.attachments()).len() <= ATTACHMENTS_MAX {
        return Ok(());
    }
    Err(CodecError::too_much_shared(type_name))
}

/// Appends a result to an output.
pub(crate) fn encode_result<T: Serialize + 'static>(
    value: &T,
    output: &mut Output<'_>,
) -> std::result::Result<(), CodecError> {
    if let Some(written) = plain::encode(value, output) {
        return written.map_err(|NoMemory| CodecError::no_memory::<T>());
    }
    let _listener = Listener::to_result();
    encode_by_serde(value, output)
}

fn encode_by_serde<T: Serialize>(
    value: &T,
    output: &mut Output<'_>,
) -> std::result::Result<(), CodecError> {
    postcard::serialize_with_flavor(&Whole(value), Append::new(output.bytes()))
        .map_err(|error| CodecError::encoding(value, &error))
}

/// Takes a value off an input.
pub(crate) fn decode_value<T: DeserializeOwned + 'static>(
    input: &mut Input<'_>,
) -> std::result::Result<T, CodecError> {
    if let Some(decoded) = plain::decode::<T>(input) {
        return decoded.map_err(|unread| CodecError::unread(type_name::<T>(), unread));
    }
    let bytes = input.slice().map_err(|unread| CodecError::unread(type_name::<T>(), unread))?;
    let before = bytes.len();
    let source = Source::new(bytes);
    let mut deserializer = postcard::Deserializer::from_flavor(Bounded(&source));
    match T::deserialize(Counted::new(&mut deserializer, &source)) {
        Ok(value) => {
            let used = before - source.left();
            input.advance(used);
            Ok(value)
        }
        Err(_) if source.is_too_deep() => Err(CodecError::too_deep(type_name::<T>())),
        Err(_) if source.is_too_empty() => Err(CodecError::too_empty(type_name::<T>())),
        Err(error) => Err(CodecError::decoding(type_name::<T>(), &error)),
    }
}

/// Encodes a value that travels by itself, into this memory; what it mentions is kept for its receiver.
pub(crate) fn encode_item<T: Serialize + 'static>(
    value: &T,
    scratch: Vec<u8>,
) -> std::result::Result<(Vec<u8>, Kept), CodecError> {
    let mut output = Output::new(scratch, None);
    let mut kept = Kept(Vec::new());
    match plain::encode(value, &mut output) {
        Some(written) => written.map_err(|NoMemory| CodecError::no_memory::<T>())?,
        None => {
            let listener = Listener::to_item();
            encode_by_serde(value, &mut output)?;
            kept.0 = listener.heard();
        }
    }
    Ok((std::mem::take(output.bytes()), kept))
}

/// Decodes a value that travelled by itself.
pub(crate) fn decode_item<T: DeserializeOwned + 'static>(bytes: &[u8]) -> Result<T> {
    let mut input = Input::Slice(bytes);
    let value = decode_value(&mut input).and_then(|value| finish::<T>(&input).map(|()| value));
    value.map_err(|error| Error::codec(error.to_string()))
}

/// Decodes a task's result, which must be all there is.
pub(crate) fn decode_result<R: Returned>(input: &mut Input<'_>) -> Result<R> {
    let value = decode_value(input).and_then(|value| finish::<R>(input).map(|()| value));
    value.map_err(|error| Error::codec(error.to_string()))
}

/// Decodes what became of a task.
pub(crate) fn decode_outcome<R: Returned>(outcome: Result<Value>) -> Result<R> {
    decode_result(&mut outcome?.input())
}

/// Checks that nothing is left of an input.
pub(crate) fn finish<T>(input: &Input<'_>) -> std::result::Result<(), CodecError> {
    match input.remaining() {
        0 => Ok(()),
        count => Err(CodecError::trailing(type_name::<T>(), count)),
    }
}
