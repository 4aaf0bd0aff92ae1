//! The table's axes: what breaks, when, how the children are made, and how they are laid out.

use procession::StartMethod;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fault {
    /// `std::process::exit`.
    Exit,
    /// `_exit`, past everything that is done at an exit.
    ExitNow,
    Abort,
    /// SIGKILL, which nothing can put off.
    Kill,
    /// A write to memory that is not there.
    Segfault,
    StackOverflow,
    /// Memory is taken until the limit refuses more.
    OutOfMemory,
    /// SIGSTOP.
    Stop,
    EndlessLoop,
    Panic,
    /// A panic whose payload is not a string.
    PanicWithoutText,
    /// A panic whose payload panics when it is dropped.
    PanicWhoseDropPanics,
    /// The argument panics when it is dropped.
    ArgumentDrop,
    /// The result panics when it is dropped, after it was encoded.
    ResultDrop,
    EncodeResult,
    DecodeArgument,
    /// The parent cannot decode the result.
    DecodeResult,
    /// Everything is closed, the library's own descriptors as well.
    CloseDescriptors,
    /// Nonsense goes to the standard output and the standard error.
    Garbage,
}

/// When it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// In what the program does before procession has the process: see [`crate::early`].
    BeforeHello,
    Initializer,
    /// By a thread of its own, while no task runs.
    Idle,
    /// While a large argument is decoded.
    Reading,
    Running,
    /// While a small result is encoded.
    WritingSmall,
    /// While a result that is too large for the ring is encoded.
    WritingHuge,
    /// In the third item of a chunk of six.
    MidChunk,
    /// While tasks are taken back from the other worker, for this one among others.
    TakingBack,
    /// After `close`, with work left.
    Close,
    /// While the program sleeps in `join`.
    Join,
    /// When SIGTERM comes.
    Terminate,
}

/// How the children are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One process without a pool, for this call alone.
    Process,
    /// A pool of two processes.
    Pool,
    /// A pool of one process of two threads.
    Team,
}

pub(crate) const FAULTS: [Fault; 19] = [
    Fault::Exit,
    Fault::ExitNow,
    Fault::Abort,
    Fault::Kill,
    Fault::Segfault,
    Fault::StackOverflow,
    Fault::OutOfMemory,
    Fault::Stop,
    Fault::EndlessLoop,
    Fault::Panic,
    Fault::PanicWithoutText,
    Fault::PanicWhoseDropPanics,
    Fault::ArgumentDrop,
    Fault::ResultDrop,
    Fault::EncodeResult,
    Fault::DecodeArgument,
    Fault::DecodeResult,
    Fault::CloseDescriptors,
    Fault::Garbage,
];

pub(crate) const MOMENTS: [Moment; 12] = [
    Moment::BeforeHello,
    Moment::Initializer,
    Moment::Idle,
    Moment::Reading,
    Moment::Running,
    Moment::WritingSmall,
    Moment::WritingHuge,
    Moment::MidChunk,
    Moment::TakingBack,
    Moment::Close,
    Moment::Join,
    Moment::Terminate,
];

pub(crate) const METHODS: [StartMethod; 3] =
    [StartMethod::Spawn, StartMethod::ForkServer, StartMethod::Fork];

pub(crate) const LAYOUTS: [Layout; 3] = [Layout::Process, Layout::Pool, Layout::Team];

/// One cell of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) fault: Fault,
    pub(crate) moment: Moment,
    pub(crate) method: StartMethod,
    pub(crate) layout: Layout,
}

/// Every combination, possible or not.
pub(crate) fn all() -> impl Iterator<Item = Case> {
    FAULTS.into_iter().flat_map(|fault| {
        MOMENTS.into_iter().flat_map(move |moment| {
            METHODS.into_iter().flat_map(move |method| {
                LAYOUTS.into_iter().map(move |layout| Case { fault, moment, method, layout })
            })
        })
    })
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, moment, method, layout } = self;
        write!(f, "{fault:?}/{moment:?}/{method}/{layout:?}")
    }
}

impl Fault {
    /// Whether a value breaks, wherever it is, and not the code that has it.
    pub(crate) fn is_in_a_value(self) -> bool {
        matches!(
            self,
            Self::ArgumentDrop
                | Self::ResultDrop
                | Self::EncodeResult
                | Self::DecodeArgument
                | Self::DecodeResult
        )
    }

    /// Whether the process is gone after it.
    pub(crate) fn ends_the_process(self) -> bool {
        matches!(
            self,
            Self::Exit
                | Self::ExitNow
                | Self::Abort
                | Self::Kill
                | Self::Segfault
                | Self::StackOverflow
                | Self::OutOfMemory
        )
    }

    /// Whether it has no end of its own.
    pub(crate) fn hangs(self) -> bool {
        matches!(self, Self::Stop | Self::EndlessLoop)
    }

    /// Whether it unwinds the stack.
    pub(crate) fn panics(self) -> bool {
        matches!(self, Self::Panic | Self::PanicWithoutText | Self::PanicWhoseDropPanics)
    }
}
