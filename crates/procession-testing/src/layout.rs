//! The ways a pool's workers can be laid out, for tests that must hold for each.

use procession::Pool;

/// Where a pool's tasks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// In processes.
    Processes,
    /// On threads of this process.
    Threads,
}

impl Layout {
    /// A pool of so many workers.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn pool(self, workers: usize) -> Pool {
        match self {
            Self::Processes => Pool::new(workers).expect("a pool of processes starts"),
            Self::Threads => Pool::threads(workers).expect("a pool of threads starts").into(),
        }
    }
}

/// Makes each function, which takes a [`Layout`], a test for each layout, and for processes by each
/// start method.
#[macro_export]
macro_rules! layouts {
    ($($name:ident)*) => {
        mod processes {
            $(
                #[procession::test]
                fn $name() {
                    super::$name($crate::Layout::Processes);
                }
            )*
        }
        mod spawned_processes {
            $(
                #[procession::test]
                fn $name() {
                    let test = || super::$name($crate::Layout::Processes);
                    $crate::by(procession::StartMethod::Spawn, test);
                }
            )*
        }
        mod threads {
            $(
                #[procession::test]
                fn $name() {
                    super::$name($crate::Layout::Threads);
                }
            )*
        }
    };
}
