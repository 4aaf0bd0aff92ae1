//! The ways a pool's workers can be laid out, for tests that must hold for each.

use procession::Pool;

/// Where a pool's tasks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// In processes.
    Processes,
    /// On threads of this process.
    Threads,
    /// On the threads of one process, or of two if they can share the workers evenly.
    Both,
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
            Self::Both => {
                let processes = if workers > 2 && workers.is_multiple_of(2) { 2 } else { 1 };
                let builder = Pool::builder().processes(processes).threads(workers / processes);
                builder.build().expect("a pool of processes of threads starts")
            }
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
        mod processes_of_threads {
            $(
                #[procession::test]
                fn $name() {
                    super::$name($crate::Layout::Both);
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
