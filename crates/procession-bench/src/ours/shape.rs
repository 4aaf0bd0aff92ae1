//! What a pool consists of.

use procession::Pool;
use std::fmt;

/// So many processes, or so many threads of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Processes(usize),
    Threads(usize),
}

impl Shape {
    pub(crate) fn pool(self) -> procession::Result<Pool> {
        match self {
            Self::Processes(count) => Pool::new(count),
            Self::Threads(count) => Pool::builder().threads(count).build(),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, what) = match self {
            Self::Processes(count) => (count, "worker"),
            Self::Threads(count) => (count, "thread"),
        };
        write!(f, "{count} {what}{}", if *count == 1 { "" } else { "s" })
    }
}
