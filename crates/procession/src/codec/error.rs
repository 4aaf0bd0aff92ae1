//! A value that cannot cross.

use std::fmt;

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
const ADVICE: &str = "a compact format cannot carry this type (untagged or flattened serde \
                      attributes, `serde_json::Value`, a sequence of unknown length); wrap it in \
                      `procession::Described`";

impl CodecError {
    #[cold]
    fn new(message: String) -> Self {
        Self { message }
    }

    fn cause(error: &postcard::Error) -> String {
        match error {
            postcard::Error::WontImplement | postcard::Error::SerializeSeqLengthUnknown => {
                ADVICE.to_owned()
            }
            other => other.to_string(),
        }
    }

    #[cold]
    pub(super) fn encoding(type_name: &str, error: postcard::Error) -> Self {
        Self::new(format!("cannot encode a value of type `{type_name}`: {}", Self::cause(&error)))
    }

    #[cold]
    pub(super) fn decoding(type_name: &str, error: postcard::Error) -> Self {
        Self::new(format!("cannot decode a value of type `{type_name}`: {}", Self::cause(&error)))
    }

    #[cold]
    pub(super) fn truncated(type_name: &str) -> Self {
        Self::new(format!("cannot decode a value of type `{type_name}`: its bytes end too soon"))
    }

    #[cold]
    pub(super) fn trailing(type_name: &str, count: usize) -> Self {
        Self::new(format!(
            "cannot decode a value of type `{type_name}`: {count} bytes are left over; does its \
             `Serialize` write what its `Deserialize` reads?"
        ))
    }

    #[cold]
    pub(crate) fn unknown_function() -> Self {
        Self::new("a code reference that is no function of this build".into())
    }
}
