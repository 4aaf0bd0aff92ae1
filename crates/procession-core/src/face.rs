//! What the engine asks of the language that it serves.

use crate::payload::{Input, Output};
use std::fmt;
use std::sync::OnceLock;

/// Refers to a function of the program's image; what it means is the face's affair.
pub type Code = u64;

/// Why a face could not make a call or encode its result. Panics pass through.
#[derive(Debug, Clone)]
pub struct CallError {
    /// Names the type, the direction and the cause.
    pub message: String,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Runs user code from its reference.
pub trait Face: Sync {
    /// Decodes the arguments of one call from `input`, makes the call, and encodes what it returned
    /// into `output`.
    ///
    /// # Errors
    /// When the reference is none of this image's, or a value cannot be decoded or encoded.
    fn call(
        &self,
        code: Code,
        input: &mut Input<'_>,
        output: &mut Output<'_>,
    ) -> Result<(), CallError>;
}

static FACE: OnceLock<&'static dyn Face> = OnceLock::new();

/// Installs the program's face; later calls change nothing.
pub fn install(face: &'static dyn Face) {
    FACE.get_or_init(|| face);
}

/// The program's face.
pub(crate) fn installed() -> &'static dyn Face {
    *FACE.get().expect("a face is installed before a worker runs")
}
