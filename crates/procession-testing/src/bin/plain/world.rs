//! Where a program's tasks run.

use crate::say;
use procession::{Pool, PoolBuilder, Process, StartMethod};
use procession_testing::Leaks;

/// How the workers are laid out, and how their processes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) layout: Layout,
    pub(crate) method: StartMethod,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Each worker is a process.
    Processes,
    /// The workers are the threads of one process.
    Team,
    /// The workers are threads of the program.
    Threads,
}

impl World {
    pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Self {
        let layout = match arguments.next().as_deref() {
            Some("processes") => Layout::Processes,
            Some("team") => Layout::Team,
            Some("threads") => Layout::Threads,
            other => panic!("workers are processes, a team or threads, and not {other:?}"),
        };
        let method = arguments.next().expect("a start method");
        let methods = [StartMethod::Spawn, StartMethod::ForkServer, StartMethod::Fork];
        let method = methods.into_iter().find(|it| it.to_string() == method);
        Self { layout, method: method.expect("a start method") }
    }

    /// A pool of so many workers, to be built.
    pub(crate) fn builder(self, workers: usize) -> PoolBuilder {
        let builder = Pool::builder().start_method(self.method);
        match self.layout {
            Layout::Processes => builder.processes(workers),
            Layout::Team => builder.processes(1).threads(workers),
            Layout::Threads => builder.threads(workers),
        }
    }

    /// A pool of so many workers.
    pub(crate) fn pool(self, workers: usize) -> Pool {
        self.builder(workers).build().expect("a pool starts")
    }

    /// Runs the body of a program that ends in the usual way, and checks that it leaves nothing.
    pub(crate) fn leaves_nothing(self, body: impl FnOnce()) {
        // The launcher's thread and the template are made once and stay.
        let mut first = Process::new(|| (), ()).start_method(self.method);
        first.start().expect("a process starts");
        first.join().expect("a process ends");
        drop(first);
        let before = Leaks::count();
        body();
        before.assert_nothing_new();
        say("ok");
    }
}
