//! What the template calls before it is forked.

use crate::error::{Error, Result};
use crate::face::Code;
use parking_lot::Mutex;

#[derive(Debug)]
struct Preload {
    code: Option<Code>,
    is_sealed: bool,
}

static PRELOAD: Mutex<Preload> = Mutex::new(Preload { code: None, is_sealed: false });

/// Has the template call this, without arguments, before it is forked for the first time.
///
/// # Errors
/// When there was a template already: what it has not loaded, its children do not have.
pub fn set_forkserver_preload(code: Code) -> Result<()> {
    let mut preload = PRELOAD.lock();
    if preload.is_sealed {
        return Err(Error::usage(
            "the template is running already: set what it preloads before the first pool or process \
             is started",
        ));
    }
    preload.code = Some(code);
    Ok(())
}

/// What the template calls, if anything.
pub(super) fn code() -> Option<Code> {
    PRELOAD.lock().code
}

/// From here on it is too late.
pub(super) fn seal() {
    PRELOAD.lock().is_sealed = true;
}
