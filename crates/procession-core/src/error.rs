//! What can go wrong, with the evidence.

use crate::message::PanicReport;
use procession_os::process::Exit;
use std::fmt;
use std::io;
use std::sync::Arc;

/// A result whose error is procession's.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a task, a process or a pool failed. Cheap to clone; [`Display`](fmt::Display) tells the
/// whole story in a line, the methods tell its parts.
#[derive(Clone)]
pub struct Error {
    fault: Arc<Fault>,
}

/// A worker as errors name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerId {
    /// Its name, such as `PoolWorker-1`.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Its place in the pool, from 0.
    pub index: u32,
    /// Which life in that place, from 1.
    pub generation: u32,
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {}, generation {})", self.name, self.pid, self.generation)
    }
}

/// The cause of an [`Error`].
#[derive(Debug)]
pub(crate) enum Fault {
    Panicked { worker: Option<WorkerId>, report: PanicReport },
    WorkerLost { worker: WorkerId, exit: Exit },
    Codec { message: String },
    Terminated,
    Closed,
    TimedOut { what: &'static str },
    Broken { why: String, worker: Option<WorkerId>, exit: Option<Exit>, cause: Option<Error> },
    Protocol { worker: WorkerId, what: String },
    Refused { what: String },
    System { what: String, source: io::Error },
    Usage { what: String },
}

impl Error {
    #[cold]
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault: Arc::new(fault) }
    }

    /// Arguments, a function or a result that cannot cross to another process.
    #[cold]
    pub fn codec(message: impl Into<String>) -> Self {
        Self::new(Fault::Codec { message: message.into() })
    }

    /// A function that cannot be named in another process.
    #[cold]
    pub fn refused(what: impl Into<String>) -> Self {
        Self::new(Fault::Refused { what: what.into() })
    }

    /// A call that the object's state does not allow.
    #[cold]
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Fault::Usage { what: what.into() })
    }

    /// The operating system refused something.
    #[cold]
    pub fn system(what: impl Into<String>, source: io::Error) -> Self {
        Self::new(Fault::System { what: what.into(), source })
    }

    /// A wait that ran out of time.
    #[cold]
    pub fn timed_out(what: &'static str) -> Self {
        Self::new(Fault::TimedOut { what })
    }

    /// A panic with its report.
    #[cold]
    pub fn panicked(worker: Option<WorkerId>, report: PanicReport) -> Self {
        Self::new(Fault::Panicked { worker, report })
    }

    /// The task, or the initializer, panicked.
    pub fn is_panicked(&self) -> bool {
        matches!(*self.fault, Fault::Panicked { .. }) || self.cause().is_some_and(Self::is_panicked)
    }

    /// The worker died while it ran the task.
    pub fn is_worker_lost(&self) -> bool {
        matches!(*self.fault, Fault::WorkerLost { .. })
    }

    /// Time ran out: the wait's, or the task's.
    pub fn is_timed_out(&self) -> bool {
        matches!(*self.fault, Fault::TimedOut { .. })
    }

    /// Arguments or result could not be encoded or decoded.
    pub fn is_codec(&self) -> bool {
        matches!(*self.fault, Fault::Codec { .. })
    }

    /// The pool was terminated or dropped before the task was done.
    pub fn is_terminated(&self) -> bool {
        matches!(*self.fault, Fault::Terminated)
    }

    /// The pool takes no more tasks.
    pub fn is_closed(&self) -> bool {
        matches!(*self.fault, Fault::Closed)
    }

    /// The pool, or the process, could not be started, for a reason that trying again does not
    /// mend.
    pub fn is_broken(&self) -> bool {
        matches!(*self.fault, Fault::Broken { .. })
    }

    /// The worker sent what no worker of this build sends; it was killed.
    pub fn is_protocol(&self) -> bool {
        matches!(*self.fault, Fault::Protocol { .. })
    }

    fn cause(&self) -> Option<&Self> {
        match &*self.fault {
            Fault::Broken { cause, .. } => cause.as_ref(),
            _ => None,
        }
    }

    fn worker_id(&self) -> Option<&WorkerId> {
        match &*self.fault {
            Fault::Broken { worker: None, cause: Some(cause), .. } => cause.worker_id(),
            Fault::Panicked { worker, .. } | Fault::Broken { worker, .. } => worker.as_ref(),
            Fault::WorkerLost { worker, .. } | Fault::Protocol { worker, .. } => Some(worker),
            _ => None,
        }
    }

    /// Process id of the worker that the error is about.
    pub fn pid(&self) -> Option<u32> {
        self.worker_id().map(|worker| worker.pid)
    }

    /// Place in the pool (from 0) and generation (from 1) of the worker that the error is about.
    pub fn worker(&self) -> Option<(u32, u32)> {
        self.worker_id().map(|worker| (worker.index, worker.generation))
    }

    fn exit(&self) -> Option<&Exit> {
        match &*self.fault {
            Fault::WorkerLost { exit, .. } => Some(exit),
            Fault::Broken { exit, .. } => exit.as_ref(),
            _ => None,
        }
    }

    /// Number of the signal that killed the worker.
    pub fn signal(&self) -> Option<i32> {
        match self.exit() {
            Some(Exit::Signal { number, .. }) => Some(*number),
            _ => None,
        }
    }

    /// Name of the signal that killed the worker, such as `SIGSEGV`.
    pub fn signal_name(&self) -> Option<&'static str> {
        self.signal().and_then(procession_os::signal::name)
    }

    /// Exit code of the worker, if it exited by itself.
    pub fn exit_code(&self) -> Option<i32> {
        match self.exit() {
            Some(Exit::Code(code)) => Some(*code),
            _ => None,
        }
    }

    fn report(&self) -> Option<&PanicReport> {
        match &*self.fault {
            Fault::Panicked { report, .. } => Some(report),
            _ => self.cause().and_then(Self::report),
        }
    }

    /// Message of the panic.
    pub fn panic_message(&self) -> Option<&str> {
        self.report().map(|report| &*report.message)
    }

    /// Place of the panic, as `file:line:column`.
    pub fn panic_location(&self) -> Option<&str> {
        self.report().and_then(|report| report.location.as_deref())
    }

    /// Backtrace of the panic, if `RUST_BACKTRACE` was set in the worker.
    pub fn backtrace(&self) -> Option<&str> {
        self.report().and_then(|report| report.backtrace.as_deref())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.fault {
            Fault::Panicked { worker, report } => {
                write!(f, "panicked")?;
                if let Some(worker) = worker {
                    write!(f, " on {worker}")?;
                }
                if let Some(location) = &report.location {
                    write!(f, " at {location}")?;
                }
                write!(f, ": {}", report.message)
            }
            Fault::WorkerLost { worker, exit } => {
                write!(f, "the worker died while it ran this task: {worker} ended with {exit}")
            }
            Fault::Codec { message } => f.write_str(message),
            Fault::Terminated => write!(f, "the pool was terminated before the task was done"),
            Fault::Closed => write!(f, "the pool is closed and takes no more tasks"),
            Fault::TimedOut { what } => write!(f, "{what} timed out"),
            Fault::Broken { why, worker, exit, cause } => {
                write!(f, "cannot start workers: {why}")?;
                if let Some(worker) = worker {
                    write!(f, "; {worker}")?;
                    if let Some(exit) = exit {
                        write!(f, " ended with {exit}")?;
                    }
                }
                // The evidence belongs to the line: most programs print nothing but this.
                cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
            }
            Fault::Protocol { worker, what } => {
                write!(
                    f,
                    "{worker} sent what no worker of this build sends ({what}); it was killed"
                )
            }
            Fault::Refused { what } | Fault::Usage { what } => f.write_str(what),
            Fault::System { what, source } => write!(f, "{what}: {source}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `main` returning `Err` prints this: make it readable.
        write!(f, "{self}")?;
        match self.backtrace() {
            Some(backtrace) => write!(f, "\n{backtrace}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.fault {
            Fault::System { source, .. } => Some(source),
            Fault::Broken { cause: Some(cause), .. } => Some(cause),
            _ => None,
        }
    }
}
