//! What can be in a list in shared memory.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A value in a [`ShareableList`](crate::ShareableList): what Python has there.
///
/// Two are equal if they are of the same kind and equal in it: an [`Int`](Self::Int) of 1 is no
/// [`Float`](Self::Float) of 1.0, unlike in Python, and a `Float` that is no number is not equal to itself.
///
/// ```
/// use procession::Shareable;
///
/// let values: [Shareable; 4] = [1.into(), "text".into(), None::<bool>.into(), b"bytes"[..].into()];
/// assert_eq!(values[0], Shareable::Int(1));
/// assert_eq!(values[1].as_str(), Some("text"));
/// assert_eq!(values[2], Shareable::None);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Shareable {
    /// Nothing: Python's `None`.
    None,
    /// Yes or no.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Str(String),
    /// Bytes. Those at the end that are zero stay, unlike in Python.
    Bytes(Vec<u8>),
}

const NONE: u8 = 0;
const BOOL: u8 = 1;
const INT: u8 = 2;
const FLOAT: u8 = 3;
const STR: u8 = 4;
const BYTES: u8 = 5;

impl Shareable {
    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(value) = self { Some(*value) } else { None }
    }

    /// The number, if it is a [`Float`](Self::Float).
    pub fn as_float(&self) -> Option<f64> {
        if let Self::Float(value) = self { Some(*value) } else { None }
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Str(value) = self { Some(value) } else { None }
    }

    /// The bytes, if it is [`Bytes`](Self::Bytes).
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(value) = self { Some(value) } else { None }
    }

    /// Its kind, and its bytes.
    pub(super) fn encode(&self) -> (u8, Cow<'_, [u8]>) {
        match self {
            Self::None => (NONE, Cow::Borrowed(&[])),
            Self::Bool(value) => (BOOL, vec![u8::from(*value)].into()),
            Self::Int(value) => (INT, value.to_le_bytes().to_vec().into()),
            Self::Float(value) => (FLOAT, value.to_le_bytes().to_vec().into()),
            Self::Str(value) => (STR, value.as_bytes().into()),
            Self::Bytes(value) => (BYTES, value.into()),
        }
    }

    /// The value of this kind and these bytes, if there is one.
    pub(super) fn decode(kind: u8, bytes: Vec<u8>) -> Option<Self> {
        let number = || <[u8; 8]>::try_from(&*bytes).ok();
        match (kind, &*bytes) {
            (NONE, []) => Some(Self::None),
            (BOOL, [byte @ (0 | 1)]) => Some(Self::Bool(*byte == 1)),
            (INT, _) => number().map(|bytes| Self::Int(i64::from_le_bytes(bytes))),
            (FLOAT, _) => number().map(|bytes| Self::Float(f64::from_le_bytes(bytes))),
            (STR, _) => String::from_utf8(bytes).ok().map(Self::Str),
            (BYTES, _) => Some(Self::Bytes(bytes)),
            _ => None,
        }
    }
}

impl From<()> for Shareable {
    fn from((): ()) -> Self {
        Self::None
    }
}

impl<T: Into<Self>> From<Option<T>> for Shareable {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

macro_rules! from {
    ($($kind:ident of $($type:ty)*;)*) => {$($(
        impl From<$type> for Shareable {
            fn from(value: $type) -> Self {
                Self::$kind(value.into())
            }
        }
    )*)*};
}

from! {
    Bool of bool;
    Int of i8 i16 i32 i64 u8 u16 u32;
    Float of f32 f64;
    Str of &str String;
    Bytes of &[u8] Vec<u8>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_what_it_was_after_a_way_through_bytes() {
        let all = [
            Shareable::None,
            true.into(),
            false.into(),
            i64::MIN.into(),
            7_u8.into(),
            (-0.5).into(),
            "".into(),
            "häß\0".into(),
            Shareable::Bytes(vec![0, 255, 0]),
        ];
        for value in all {
            let (kind, bytes) = value.encode();
            assert_eq!(Shareable::decode(kind, bytes.into_owned()), Some(value));
        }
    }

    #[test]
    fn bytes_that_are_no_value_are_none() {
        let none = [
            (NONE, vec![0]),
            (BOOL, vec![2]),
            (BOOL, vec![]),
            (INT, vec![0; 7]),
            (FLOAT, vec![0; 9]),
            (STR, vec![255]),
            (6, vec![]),
        ];
        for (kind, bytes) in none {
            assert_eq!(Shareable::decode(kind, bytes), None);
        }
    }
}
