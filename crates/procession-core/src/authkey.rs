//! The key by which processes of a program prove to each other that they are of it.

use crate::error::{Error, Result};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Bytes of a key that nobody has chosen.
const FRESH_BYTES: usize = 32;

/// A secret that several processes know.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AuthKey(Vec<u8>);

impl AuthKey {
    /// This key; the same bytes are the same key. Best random ones, at least 16.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// A key that nobody else has, from the system's source of randomness.
    ///
    /// # Errors
    /// When the system has none.
    pub fn fresh() -> Result<Self> {
        let mut bytes = vec![0; FRESH_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| {
            Error::system("cannot make a random key", std::io::Error::other(error.to_string()))
        })?;
        Ok(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for AuthKey {
    /// Shows nothing of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKey(..)")
    }
}

static OWN: Mutex<Option<AuthKey>> = Mutex::new(None);

/// The key of this process: a fresh one in the program itself, and in a child its parent's at the time when it
/// was started. It is in no argument, environment variable or file. (`current_process().authkey`.)
///
/// # Errors
/// When the system has no source of randomness.
pub fn authkey() -> Result<AuthKey> {
    let mut own = OWN.lock();
    if let Some(key) = &*own {
        return Ok(key.clone());
    }
    let fresh = AuthKey::fresh()?;
    *own = Some(fresh.clone());
    Ok(fresh)
}

/// Sets the key of this process, and of children that it starts from now on.
pub fn set_authkey(key: AuthKey) {
    *OWN.lock() = Some(key);
}
