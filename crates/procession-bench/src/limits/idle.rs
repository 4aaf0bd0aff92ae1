//! A process that does nothing.

use crate::harness::Outcome;
use crate::population::unique_bytes;
use crate::roles::{Helper, Role};

/// Memory that a process of this executable has to itself when it has done nothing but wait.
pub(crate) fn bare_process() -> Outcome<Vec<f64>> {
    let mut helper = Helper::start(Role::Echo, &[])?;
    // It answers, so it is past its start.
    helper.exchange(&[0; 8])?;
    Ok(vec![unique_bytes(helper.id())?])
}
