//! The time of day, which all processes read alike. It may be set back.

use std::time::SystemTime;

pub(crate) fn coarse_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
