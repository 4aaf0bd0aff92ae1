//! On what terms a task runs.

use std::time::Duration;

/// On what terms a task runs: how long it may take, and how often it may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Longest time that one attempt may take, from its beginning; `None` for any.
    pub timeout: Option<Duration>,
    /// How many times it runs again after its worker has died.
    pub retries: u32,
}

impl Terms {
    /// Whether they ask for nothing.
    pub(crate) fn are_none(&self) -> bool {
        self.timeout.is_none() && self.retries == 0
    }
}
