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

    /// Makes the calls of a chunk, one after the other: for each, takes the encoded arguments, makes
    /// the call, encodes what it returned, and says so.
    ///
    /// # Errors
    /// As [`call`](Self::call), for the call whose arguments were taken last. The calls after it are
    /// still to be made.
    fn call_each(&self, code: Code, calls: &mut dyn Calls<'_>) -> Result<(), CallError>;

    /// What people call the function; `None` when the reference is none of this image's.
    fn name(&self, code: Code) -> Option<&'static str>;
}

/// The calls of a chunk; their results go into an output that lives for `'o`.
pub trait Calls<'o> {
    /// The encoded arguments of the next call; `None` when there is none left.
    fn next(&mut self) -> Option<&[u8]>;

    /// What the result of that call is encoded into.
    fn output(&mut self) -> &mut Output<'o>;

    /// The call is over, and its result is encoded.
    fn finish(&mut self);
}

static FACE: OnceLock<&'static dyn Face> = OnceLock::new();

/// Installs the program's face; later calls change nothing.
pub fn install(face: &'static dyn Face) {
    FACE.get_or_init(|| face);
}

/// What people call a function.
pub(crate) fn name_of(code: Code) -> &'static str {
    FACE.get().and_then(|face| face.name(code)).unwrap_or("a function without a name")
}

/// The program's face.
pub(crate) fn installed() -> &'static dyn Face {
    *FACE.get().expect("a face is installed before a worker runs")
}
