//! A value that cannot cross.

use super::counted::EMPTY_MAX;
use super::mentions;
use super::strict::Whole;
use procession_core::attachment::TOO_MANY;
use procession_core::payload::Unread;
use serde::Serialize;
use std::any::type_name;
use std::{fmt, io};

/// Why a value could not be encoded or decoded: names its type and the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodecError {
    message: String,
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CodecError {}

/// What a user can do about types that a compact format cannot carry.
const ADVICE: &str = "a compact format cannot carry this type (untagged, flattened or skipped in \
                      its serde attributes, `serde_json::Value`, a sequence of unknown length); \
                      wrap it in `procession::Described`";

impl CodecError {
    #[cold]
    fn new(message: String) -> Self {
        Self { message }
    }

    #[cold]
    fn encode(type_name: &str, cause: &str) -> Self {
        Self::new(format!("cannot encode a value of type `{type_name}`: {cause}"))
    }

    #[cold]
    fn decode(type_name: &str, cause: &str) -> Self {
        Self::new(format!("cannot decode a value of type `{type_name}`: {cause}"))
    }

    /// Bytes that something else than the type may have written.
    #[cold]
    fn mismatch(type_name: &str, cause: &str) -> Self {
        Self::decode(type_name, &format!("{cause}; {MISMATCH}"))
    }

    #[cold]
    pub(super) fn no_memory<T>() -> Self {
        Self::encode(type_name::<T>(), "there is no memory left for a copy of it")
    }

    #[cold]
    pub(super) fn encoding<T: Serialize>(value: &T, error: &postcard::Error) -> Self {
        use postcard::Error::{SerdeSerCustom, SerializeSeqLengthUnknown, WontImplement};
        match error {
            WontImplement | SerializeSeqLengthUnknown => Self::encode(type_name::<T>(), ADVICE),
            SerdeSerCustom => Self::encode(type_name::<T>(), &own_words(value)),
            postcard::Error::SerializeBufferFull => Self::no_memory::<T>(),
            other => Self::encode(type_name::<T>(), &fragment(other)),
        }
    }

    #[cold]
    pub(super) fn decoding(type_name: &str, error: &postcard::Error) -> Self {
        use postcard::Error::{DeserializeUnexpectedEnd, SerdeDeCustom, WontImplement};
        match error {
            WontImplement => Self::decode(type_name, ADVICE),
            DeserializeUnexpectedEnd => Self::truncated(type_name),
            // postcard drops what the type said; our own types say it beside.
            SerdeDeCustom => match mentions::take_refusal() {
                Some(why) => Self::decode(type_name, &why),
                None => Self::mismatch(type_name, "its `Deserialize` refuses what arrived"),
            },
            other => Self::mismatch(type_name, &fragment(other)),
        }
    }

    #[cold]
    pub(super) fn unread(type_name: &str, unread: Unread) -> Self {
        match unread {
            Unread::TooShort => Self::truncated(type_name),
            Unread::NoMemory { bytes } => {
                Self::decode(type_name, &format!("there is no memory for {bytes} bytes"))
            }
        }
    }

    #[cold]
    fn truncated(type_name: &str) -> Self {
        Self::mismatch(type_name, "its bytes end too soon")
    }

    #[cold]
    pub(super) fn trailing(type_name: &str, count: usize) -> Self {
        Self::mismatch(type_name, &format!("bytes left over: {count}"))
    }

    #[cold]
    pub(super) fn too_deep(type_name: &str) -> Self {
        Self::decode(type_name, "it is nested too deeply for the stack")
    }

    #[cold]
    pub(super) fn too_empty(type_name: &str) -> Self {
        let cause = format!("it has more than {EMPTY_MAX} elements that are encoded as nothing");
        Self::mismatch(type_name, &cause)
    }

    #[cold]
    pub(super) fn too_much_shared(type_name: &str) -> Self {
        Self::encode(type_name, TOO_MANY)
    }

    #[cold]
    pub(crate) fn unknown_function() -> Self {
        Self::new("a code reference that is no function of this build".into())
    }
}

/// What to look for when a value reads more or less than was written, or something else.
const MISMATCH: &str = "does its `Serialize` write all that its `Deserialize` reads? (with \
                        `skip_serializing_if` it does not: wrap the type in \
                        `procession::Described`)";

/// What a value's own `Serialize` says when it fails, or what is said of a field that it leaves out.
/// postcard drops that text, so the value is encoded once more, in a format that keeps it, to nowhere.
fn own_words<T: Serialize>(value: &T) -> String {
    match ciborium::into_writer(&Whole(value), io::sink()) {
        Err(ciborium::ser::Error::Value(words)) => words,
        Ok(()) | Err(ciborium::ser::Error::Io(_)) => "its `Serialize` fails".into(),
    }
}

/// One of postcard's messages as a fragment.
fn fragment(error: &postcard::Error) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
