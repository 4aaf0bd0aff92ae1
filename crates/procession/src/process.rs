//! A function in a process of its own.

use crate::args::Args;
use crate::codec;
use crate::entry;
use crate::forked::{self, Run};
use crate::target::{Returned, Target};
use procession_core::face::Code;
use procession_core::payload::Output;
use procession_core::start::StartMethod;
use procession_core::{Error, Result, process as core};
use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

type Encode = Box<dyn FnOnce(&mut Output<'_>) -> std::result::Result<(), codec::CodecError> + Send>;

/// A function that runs in a process of its own. (`multiprocessing.Process`.)
///
/// ```
/// use procession::Process;
///
/// fn greet(name: String) -> usize {
///     println!("hello {name}, from process {}", std::process::id());
///     name.len()
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let mut process = Process::new(greet, ("world".to_string(),)).name("greeter");
///     process.start()?;
///     assert_eq!(process.join()?, 5);
///     assert_eq!(process.exit_code(), Some(0));
///     Ok(())
/// }
/// ```
///
/// The child exits with code 0 when the function returns and with 1 when it panics. Dropping a
/// running `Process` neither ends it nor waits for it; `#[procession::main]` waits for it when
/// `main` returns. When the program dies the child does too.
pub struct Process<R> {
    config: core::Config,
    state: State,
    returns: PhantomData<fn() -> R>,
}

enum State {
    New { code: Result<Code>, encode: Encode, run: Option<Run> },
    Running(core::Process),
    Ended { process: core::Process },
    Failed,
}

impl<R> fmt::Debug for Process<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("name", &self.config.name)
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

impl<R: Returned> Process<R> {
    /// A process that will call `target` with `args`, a tuple, once it is [started](Self::start).
    ///
    /// `target` is a plain function or a closure that captures nothing; anything else is refused at
    /// compile time.
    pub fn new<F, A>(target: F, args: A) -> Self
    where
        F: Target<A, Output = R>,
        A: Args,
    {
        // The function is known by its type; its value has no bytes.
        let _ = target;
        let code = entry::code_of::<F, A>();
        let encode: Encode = Box::new(move |output| args.encode(output));
        Self {
            config: core::Config::default(),
            state: State::New { code, encode, run: None },
            returns: PhantomData,
        }
    }

    /// A process that will call a closure, which may capture anything, once it is
    /// [started](Self::start): the program is forked then, and the child has copies of all its memory.
    ///
    /// What [`StartMethod::Fork`] says holds for it; above all, it is refused when the program has
    /// threads. Where a function and its arguments will do, [`new`](Self::new) is faster and knows no
    /// such limits.
    ///
    /// ```
    /// use procession::Process;
    ///
    /// #[procession::main]
    /// fn main() -> procession::Result<()> {
    ///     let words = vec!["as", "they", "are"];
    ///     let mut process = Process::fork(move || words.concat());
    ///     process.start()?;
    ///     assert_eq!(process.join()?, "astheyare");
    ///     Ok(())
    /// }
    /// ```
    pub fn fork<F>(closure: F) -> Self
    where
        F: FnOnce() -> R + Send + 'static,
    {
        let encode: Encode = Box::new(|_| Ok(()));
        let run = Some(forked::run_of(closure));
        let start_method = Some(StartMethod::Fork);
        Self {
            config: core::Config { start_method, ..core::Config::default() },
            state: State::New { code: entry::code_of_forked(), encode, run },
            returns: PhantomData,
        }
    }

    /// Names the process; without, it is `Process-1` and so on.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.config.name = name.into();
        self
    }

    /// How the process is made; as [set](crate::set_start_method) for the program unless told. One
    /// that is made by [`fork`](Self::fork) can be made in no other way.
    #[must_use]
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.config.start_method = Some(method);
        self
    }

    /// The most private memory that the process may have, in bytes; see
    /// [`PoolBuilder::memory_limit`](crate::PoolBuilder::memory_limit).
    ///
    /// ```
    /// use procession::Process;
    ///
    /// #[procession::main]
    /// fn main() -> procession::Result<()> {
    ///     let mut process = Process::new(|| vec![1_u8; 1 << 30].len(), ()).memory_limit(64 << 20);
    ///     process.start()?;
    ///     let error = process.join().expect_err("a gibibyte is too much");
    ///     assert!(error.is_worker_lost());
    ///     assert!(error.to_string().ends_with("it probably hit its memory limit of 64 MiB"));
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.config.limits.memory_bytes = Some(bytes);
        self
    }

    /// The niceness of the process; see [`PoolBuilder::niceness`](crate::PoolBuilder::niceness).
    #[must_use]
    pub fn niceness(mut self, niceness: i32) -> Self {
        self.config.limits.niceness = Some(niceness);
        self
    }

    /// The CPUs that the process may run on; see
    /// [`PoolBuilder::cpu_affinity`](crate::PoolBuilder::cpu_affinity).
    #[must_use]
    pub fn cpu_affinity(mut self, cpus: impl IntoIterator<Item = usize>) -> Self {
        self.config.limits.run_on(cpus);
        self
    }

    /// Whether nobody waits for the process when the program ends: then it is killed, even if this handle was
    /// dropped, where another is waited for. (`daemon`.) It may have children of its own, unlike in Python: they
    /// go with it.
    #[must_use]
    pub fn daemon(mut self, is_daemon: bool) -> Self {
        self.config.is_daemon = is_daemon;
        self
    }

    /// The process's name.
    pub fn get_name(&self) -> &str {
        &self.config.name
    }

    /// Starts the process.
    ///
    /// # Errors
    /// When it was started before, the arguments cannot be encoded, the function lives in another
    /// shared library, the system cannot make a process, it would be forked and the program has
    /// threads, or it was given limits that it cannot have, or a name with a NUL or of more than 4096 bytes.
    pub fn start(&mut self) -> Result<()> {
        if !matches!(self.state, State::New { .. }) {
            return Err(Error::usage("a process is started once"));
        }
        let State::New { code, encode, run } = std::mem::replace(&mut self.state, State::Failed)
        else {
            unreachable!("matched above");
        };
        let (config, code) = (self.config.clone(), code?);
        let refused = |error: codec::CodecError| Error::codec(error.to_string());
        let process = match run {
            None => core::Process::start(config, code, encode, refused),
            Some(_) if config.start_method != Some(StartMethod::Fork) => {
                Err(Error::usage("a closure that captures can be started by fork alone"))
            }
            Some(run) => forked::with(run, || core::Process::start(config, code, encode, refused)),
        }?;
        self.state = State::Running(process);
        Ok(())
    }

    /// Waits until the process has ended; gives back what the function returned. Woken by its end.
    ///
    /// # Errors
    /// The function's panic, the process's death (with signal or exit code), why it could not
    /// start, or that the result cannot be decoded. When it was never started, or joined before.
    pub fn join(&mut self) -> Result<R> {
        match self.join_until(None)? {
            Some(value) => Ok(value),
            None => Err(Error::timed_out("join")),
        }
    }

    /// As [`join`](Self::join), for at most this long; `None` when the process still runs then.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn join_timeout(&mut self, timeout: Duration) -> Result<Option<R>> {
        self.join_until(Instant::now().checked_add(timeout))
    }

    fn join_until(&mut self, deadline: Option<Instant>) -> Result<Option<R>> {
        let process = match &mut self.state {
            State::Running(process) => process,
            State::New { .. } => {
                return Err(Error::usage("join() of a process that was not started"));
            }
            State::Ended { .. } => return Err(Error::usage("join() of a process that was joined")),
            State::Failed => return Err(Error::usage("join() of a process that failed to start")),
        };
        if !process.wait(deadline) {
            return Ok(None);
        }
        let State::Running(mut process) = std::mem::replace(&mut self.state, State::Failed) else {
            unreachable!("matched above");
        };
        let outcome = process.take_outcome();
        self.state = State::Ended { process };
        codec::decode_outcome::<R>(outcome).map(Some)
    }
}

impl<R> Process<R> {
    fn inner(&self) -> Option<&core::Process> {
        match &self.state {
            State::Running(process) | State::Ended { process } => Some(process),
            State::New { .. } | State::Failed => None,
        }
    }

    /// Whether the process was started and has not ended.
    pub fn is_alive(&self) -> bool {
        self.inner().is_some_and(|process| process.exit().is_none())
    }

    /// The process id, once started.
    pub fn pid(&self) -> Option<u32> {
        self.inner().map(core::Process::pid)
    }

    /// How the process ended, as in Python: its exit code, or the negative number of the signal
    /// that killed it. `None` while it runs, before it is started, and when somebody else reaped
    /// it.
    pub fn exit_code(&self) -> Option<i32> {
        self.inner()?.exit()?.code_like_python()
    }

    /// Asks the process to end: SIGTERM, which kills it unless it handles that signal.
    ///
    /// # Errors
    /// When the process was not started. One that has ended already is no error.
    pub fn terminate(&self) -> Result<()> {
        self.signal("terminate()", |child| child.terminate())
    }

    /// Kills the process: SIGKILL.
    ///
    /// # Errors
    /// When the process was not started. One that has ended already is no error.
    pub fn kill(&self) -> Result<()> {
        self.signal("kill()", |child| child.kill())
    }

    fn signal(
        &self,
        what: &str,
        send: impl FnOnce(&procession_os::process::Child) -> std::io::Result<()>,
    ) -> Result<()> {
        let Some(process) = self.inner() else {
            return Err(Error::usage(format!("{what} of a process that was not started")));
        };
        match send(process.child()) {
            Err(error) if process.exit().is_none() && !is_gone(&error) => {
                Err(Error::system(format!("{what} of process {}", process.pid()), error))
            }
            _ => Ok(()),
        }
    }
}

/// The process has ended and the news of it is on the way.
fn is_gone(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound || error.raw_os_error() == Some(3)
}

impl<R> Drop for Process<R> {
    fn drop(&mut self) {
        if let State::Running(process) = std::mem::replace(&mut self.state, State::Failed) {
            core::detach(process);
        }
    }
}
