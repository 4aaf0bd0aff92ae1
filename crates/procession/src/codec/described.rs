//! Values that describe themselves.

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Carries a value in a self-describing format (CBOR), for types that a compact one cannot carry:
/// enums that are `#[serde(untagged)]` or tagged inside, structs with `#[serde(flatten)]` or
/// `#[serde(skip_serializing_if)]`, `serde_json::Value`.
///
/// Works for an argument, a result, and anywhere inside one. Costs more bytes and more time.
///
/// ```
/// use procession::{Described, Pool};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(untagged)]
/// enum Scalar {
///     Number(f64),
///     Text(String),
/// }
///
/// fn show(Described(scalar): Described<Scalar>) -> String {
///     match scalar {
///         Scalar::Number(number) => format!("{number}"),
///         Scalar::Text(text) => text,
///     }
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let pool = Pool::new(1)?;
///     assert_eq!(pool.apply(show, (Described(Scalar::Number(1.5)),))?, "1.5");
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Described<T>(pub T);

impl<T: Serialize> Serialize for Described<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        ciborium::into_writer(&self.0, &mut bytes).map_err(S::Error::custom)?;
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Described<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = deserializer.deserialize_byte_buf(Bytes)?;
        ciborium::from_reader(&bytes[..]).map(Self).map_err(D::Error::custom)
    }
}

/// Collects a byte string.
struct Bytes;

impl serde::de::Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a byte string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
}
