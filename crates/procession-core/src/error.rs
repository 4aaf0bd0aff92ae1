//! What can go wrong, with the evidence.

mod travel;

use crate::limits::Bytes;
use crate::message::PanicReport;
use procession_os::process::Exit;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// A result whose error is procession's.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a task, a process or a pool failed. Cheap to clone; [`Display`](fmt::Display) tells the
/// whole story in a line, the methods tell its parts. A task may return one: it travels as it is.
#[derive(Clone)]
pub struct Error {
    fault: Arc<Fault>,
    /// What was called, if it is known.
    call: Option<Arc<Call>>,
}

/// A call as errors name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Call {
    function: Cow<'static, str>,
    /// Which item of a map it was for.
    item: Option<u64>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.function)?;
        self.item.map_or(Ok(()), |item| write!(f, " of item {item}"))
    }
}

/// A worker as errors name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerId {
    /// Its name, such as `PoolWorker-1`.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Its place in the pool, from 0.
    pub index: u32,
    /// Which life in that place, from 1.
    pub generation: u32,
    /// The hard limit of its private memory, if it has one.
    pub memory_limit_bytes: Option<u64>,
}

impl WorkerId {
    /// What is to be said of its end beside how it ended: an allocation that a limit refused aborts a
    /// Rust program, and C that does not check for it crashes.
    fn cause_of(&self, exit: Exit) -> Option<MemoryLimit> {
        let Exit::Signal { number, .. } = exit else { return None };
        let is_suspect = matches!(procession_os::signal::name(number), Some("SIGABRT" | "SIGSEGV"));
        self.memory_limit_bytes.filter(|_| is_suspect).map(MemoryLimit)
    }
}

/// A limit that a worker probably hit.
struct MemoryLimit(u64);

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "; it probably hit its memory limit of {}", Bytes(self.0))
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {}, generation {})", self.name, self.pid, self.generation)
    }
}

/// The cause of an [`Error`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Fault {
    Panicked {
        worker: Option<WorkerId>,
        report: PanicReport,
    },
    WorkerLost {
        worker: WorkerId,
        #[serde(with = "travel::ExitTravels")]
        exit: Exit,
        why: Option<String>,
    },
    Codec {
        message: String,
    },
    Terminated,
    Closed,
    TimedOut {
        what: Cow<'static, str>,
    },
    Overdue {
        worker: WorkerId,
        limit: Duration,
    },
    Cancelled {
        worker: Option<WorkerId>,
    },
    Broken {
        why: String,
        worker: Option<WorkerId>,
        #[serde(with = "travel::exit")]
        exit: Option<Exit>,
        cause: Option<Error>,
    },
    /// The last of so many workers in one place that died with nothing to do, and what it had said that
    /// made no sense, if it was killed for that.
    Dying {
        worker: WorkerId,
        #[serde(with = "travel::ExitTravels")]
        exit: Exit,
        deaths: u32,
        protocol: Option<String>,
    },
    Protocol {
        worker: WorkerId,
        what: String,
    },
    Refused {
        what: String,
    },
    System {
        what: String,
        #[serde(with = "travel::system")]
        source: io::Error,
    },
    Usage {
        what: String,
    },
    /// So many failures that nobody has looked at: more than one, and the first of them.
    Unseen {
        count: u64,
        first: Vec<Error>,
    },
    /// Of something else than a pool.
    Shut {
        what: Cow<'static, str>,
    },
    /// So many items were not done by those who had taken them.
    LostItems {
        count: u64,
    },
    /// Of a barrier that so many were to come to.
    BrokenBarrier {
        parties: u32,
    },
}

impl Error {
    #[cold]
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault: Arc::new(fault), call: None }
    }

    /// The error of a call of this function: of a map's item of this index, if it is one.
    #[must_use]
    #[cold]
    pub fn of_call(mut self, function: impl Into<Cow<'static, str>>, item: Option<u64>) -> Self {
        self.call = Some(Arc::new(Call { function: function.into(), item }));
        self
    }

    /// The function that was called, by the name that its type has; `None` where it was not the call that
    /// failed.
    pub fn function(&self) -> Option<&str> {
        self.call.as_deref().map(|call| &*call.function)
    }

    /// Index of the item that the call was for, in the order in which the map was given its items.
    pub fn item(&self) -> Option<u64> {
        self.call.as_deref().and_then(|call| call.item)
    }

    /// What was called, or words for it.
    fn called(&self, otherwise: &'static str) -> Called<'_> {
        Called { call: self.call.as_deref(), otherwise }
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

    /// So many failures, of which these are the first: none if there are none, and that one if there is but
    /// one.
    pub(crate) fn unseen(count: u64, mut first: Vec<Self>) -> Option<Self> {
        match count {
            0 => None,
            1 => first.pop(),
            _ => Some(Self::new(Fault::Unseen { count, first })),
        }
    }

    /// What the methods speak of: of several failures the first.
    fn fault(&self) -> &Fault {
        match &*self.fault {
            Fault::Unseen { first, .. } => first.first().map_or(&*self.fault, Self::fault),
            fault => fault,
        }
    }

    /// How many failures this is. One, but for what `Pool::join` returns: that is all that failed and nobody
    /// has looked at, an item of a map being one, and before that, that the pool is broken, if it is. The
    /// other methods speak of the first of them.
    pub fn failure_count(&self) -> u64 {
        match &*self.fault {
            Fault::Unseen { count, .. } => *count,
            _ => 1,
        }
    }

    /// The failures that this is, as [`failure_count`](Self::failure_count) counts them: the first eight
    /// of them, each as it came; what failed several items at once is there once.
    pub fn failures(&self) -> &[Self] {
        match &*self.fault {
            Fault::Unseen { first, .. } => first,
            _ => std::slice::from_ref(self),
        }
    }

    /// Something else than a pool that is closed.
    #[cold]
    pub fn closed(what: &'static str) -> Self {
        Self::new(Fault::Shut { what: Cow::Borrowed(what) })
    }

    /// Items of a queue that died with those who had taken them.
    #[cold]
    pub fn lost_items(count: u64) -> Self {
        Self::new(Fault::LostItems { count })
    }

    /// A barrier at which nobody waits any more.
    #[cold]
    pub fn broken_barrier(parties: u32) -> Self {
        Self::new(Fault::BrokenBarrier { parties })
    }

    /// A barrier is broken: somebody waited too long at it, died there, or broke it on purpose; it stays so
    /// until it is reset.
    pub fn is_broken_barrier(&self) -> bool {
        matches!(self.fault(), Fault::BrokenBarrier { .. })
    }

    /// The operating system refused something.
    #[cold]
    pub fn system(what: impl Into<String>, source: io::Error) -> Self {
        Self::new(Fault::System { what: what.into(), source })
    }

    /// A wait that ran out of time.
    #[cold]
    pub fn timed_out(what: &'static str) -> Self {
        Self::new(Fault::TimedOut { what: Cow::Borrowed(what) })
    }

    /// A panic with its report.
    #[cold]
    pub fn panicked(worker: Option<WorkerId>, report: PanicReport) -> Self {
        Self::new(Fault::Panicked { worker, report })
    }

    /// The task, or the initializer, panicked.
    pub fn is_panicked(&self) -> bool {
        matches!(self.fault(), Fault::Panicked { .. })
            || self.cause().is_some_and(Self::is_panicked)
    }

    /// The worker died while it ran the task.
    pub fn is_worker_lost(&self) -> bool {
        matches!(self.fault(), Fault::WorkerLost { .. })
    }

    /// Time ran out: the wait's, or the task's. If it was the task's, this is its outcome, and the
    /// error names the [worker](Self::worker); after a wait of yours the task goes on.
    pub fn is_timed_out(&self) -> bool {
        matches!(self.fault(), Fault::TimedOut { .. } | Fault::Overdue { .. })
    }

    /// The task was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.fault(), Fault::Cancelled { .. })
    }

    /// Arguments or result could not be encoded or decoded.
    pub fn is_codec(&self) -> bool {
        matches!(self.fault(), Fault::Codec { .. })
    }

    /// The pool was terminated or dropped before the task was done.
    pub fn is_terminated(&self) -> bool {
        matches!(self.fault(), Fault::Terminated)
    }

    /// The pool takes no more tasks; or the queue is closed, or the other end of the pipe.
    pub fn is_closed(&self) -> bool {
        matches!(self.fault(), Fault::Closed | Fault::Shut { .. })
    }

    /// The pool cannot go on, or the process could not be started, for a reason that trying again does not
    /// mend: after three failed starts in a row (twelve, if they were killed by signals), or twelve
    /// workers in one place (forty-eight) that died within ten seconds with nothing to do.
    pub fn is_broken(&self) -> bool {
        matches!(self.fault(), Fault::Broken { .. } | Fault::Dying { .. })
    }

    /// The worker sent what no worker of this build sends; it was killed.
    pub fn is_protocol(&self) -> bool {
        matches!(self.fault(), Fault::Protocol { .. })
    }

    /// What kind of fault the system has told, if it was one of the system's: as
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) of a name that is taken, and
    /// [`NotFound`](io::ErrorKind::NotFound) of one that nobody has.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self.fault() {
            Fault::System { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    fn cause(&self) -> Option<&Self> {
        match self.fault() {
            Fault::Broken { cause, .. } => cause.as_ref(),
            _ => None,
        }
    }

    fn worker_id(&self) -> Option<&WorkerId> {
        match self.fault() {
            Fault::Broken { worker: None, cause: Some(cause), .. } => cause.worker_id(),
            Fault::Panicked { worker, .. }
            | Fault::Broken { worker, .. }
            | Fault::Cancelled { worker } => worker.as_ref(),
            Fault::WorkerLost { worker, .. }
            | Fault::Protocol { worker, .. }
            | Fault::Dying { worker, .. }
            | Fault::Overdue { worker, .. } => Some(worker),
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
        match self.fault() {
            Fault::WorkerLost { exit, .. } => Some(exit),
            Fault::Broken { exit, .. } => exit.as_ref(),
            Fault::Dying { exit, .. } => Some(exit),
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
        match self.fault() {
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

/// What was called, or words for it.
struct Called<'a> {
    call: Option<&'a Call>,
    otherwise: &'static str,
}

impl fmt::Display for Called<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.call {
            Some(call) => write!(f, "{call}"),
            None => f.write_str(self.otherwise),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.fault {
            Fault::Panicked { worker, report } => {
                self.call.as_ref().map_or(Ok(()), |call| write!(f, "{call} "))?;
                write!(f, "panicked")?;
                if let Some(worker) = worker {
                    write!(f, " on {worker}")?;
                }
                if let Some(location) = &report.location {
                    write!(f, " at {location}")?;
                }
                write!(f, ": {}", report.message)
            }
            Fault::WorkerLost { worker, exit, why } => {
                let called = self.called("this task");
                write!(f, "the worker died while it ran {called}: {worker} ended with {exit}")?;
                match why {
                    Some(why) => write!(f, " ({why})"),
                    None => worker.cause_of(*exit).map_or(Ok(()), |cause| write!(f, "{cause}")),
                }
            }
            Fault::Codec { message } => {
                self.call.as_ref().map_or(Ok(()), |call| write!(f, "{call}: "))?;
                f.write_str(message)
            }
            Fault::Terminated => write!(f, "the pool was terminated before the task was done"),
            Fault::Closed => write!(f, "the pool is closed and takes no more tasks"),
            Fault::Shut { what } => f.write_str(what),
            Fault::LostItems { count } => write!(
                f,
                "{count} of the queue's items were taken by processes that ended before they had called \
                 task_done(); all others are done"
            ),
            Fault::TimedOut { what } => write!(f, "{what} timed out"),
            Fault::Overdue { worker, limit } => {
                let called = self.called("the task");
                write!(f, "{called} took longer than its limit of {limit:?} on {worker}")
            }
            Fault::Cancelled { worker: None } => {
                write!(f, "the task was cancelled before it had begun")
            }
            Fault::Cancelled { worker: Some(worker) } => {
                let called = self.called("the task");
                write!(
                    f,
                    "{called} was cancelled while it ran on {worker}, which was killed for it"
                )
            }
            Fault::Broken { why, worker, exit, cause } => {
                write!(f, "cannot start workers: {why}")?;
                if let Some(worker) = worker {
                    write!(f, "; {worker}")?;
                    if let Some(exit) = exit {
                        write!(f, " ended with {exit}")?;
                        worker.cause_of(*exit).map_or(Ok(()), |cause| write!(f, "{cause}"))?;
                    }
                }
                // The evidence belongs to the line: most programs print nothing but this.
                cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
            }
            Fault::Dying { worker, exit, deaths, protocol } => {
                write!(
                    f,
                    "cannot keep workers alive: {worker} ended with {exit} soon after it was ready, \
                     with nothing to do; {deaths} in a row have in its place"
                )?;
                protocol.as_ref().map_or(Ok(()), |what| {
                    write!(f, "; it was killed for what no worker of this build sends ({what})")
                })
            }
            Fault::Protocol { worker, what } => {
                write!(
                    f,
                    "{worker} sent what no worker of this build sends ({what}); it was killed"
                )
            }
            Fault::Refused { what } | Fault::Usage { what } => f.write_str(what),
            Fault::System { what, source } => write!(f, "{what}: {source}"),
            Fault::Unseen { count, first } => {
                write!(f, "{count} failures that nobody looked at")?;
                for (index, error) in first.iter().enumerate() {
                    write!(f, "{} {error}", if index == 0 { ":" } else { ";" })?;
                }
                match count.saturating_sub(first.len() as u64) {
                    0 => Ok(()),
                    more => write!(f, "; and {more} more"),
                }
            }
            Fault::BrokenBarrier { parties } => write!(
                f,
                "the barrier for {parties} is broken: somebody waited too long at it, died there, or \
                 broke it on purpose; `reset` mends it"
            ),
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
        match self.fault() {
            Fault::System { source, .. } => Some(source),
            Fault::Broken { cause: Some(cause), .. } => Some(cause),
            _ => None,
        }
    }
}
