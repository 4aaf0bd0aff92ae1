//! What the workers of a pool do at this moment, for whoever asks.

use super::handle::Pool;
use super::inner::{Inner, State};
use super::shared::Shared;
use super::slot::{Phase, Slot, Target};
use crate::face;
use crate::report::Reports;
use crate::rest;
use crate::start::WorkerProcess;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for the lock of a pool that is to be told of: it is held for microseconds, unless
/// something is badly wrong, and that is to be told as well.
const PATIENCE: Duration = Duration::from_secs(1);

/// What one worker, a process or a thread of one, is and does at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// Its name, such as `PoolWorker-1`; that of its process, if that has several threads.
    pub name: String,
    /// Its process id; the program's own for a thread of it, and `None` while there is no process.
    pub pid: Option<u32>,
    /// Place of the process in the pool, from 0.
    pub index: usize,
    /// Which thread of its process it is, from 1.
    pub thread: usize,
    /// Which life in that place, from 1.
    pub generation: u32,
    /// What it does.
    pub state: WorkerState,
    /// For how long, to a few milliseconds.
    pub state_for: Duration,
    /// What it runs, if it runs something.
    pub task: Option<TaskInfo>,
    /// Tasks that it has ended, in this life. Items of a map count one by one, when their results have
    /// come in: those of short ones come together.
    pub done: u64,
    /// Private memory of its process, in bytes, if the system tells; never for threads of the program.
    pub memory_bytes: Option<u64>,
}

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerState {
    /// Is launched, or runs the initializer.
    Starting,
    /// Waits for a task.
    Idle,
    /// Runs one.
    Running,
    /// Is to be replaced, and waits for the other threads of its process.
    Retiring,
    /// Was told to end, or was killed, and has not ended yet.
    Stopping,
    /// There is none: it has ended, and either the pool has, too, or another will be launched.
    Gone,
}

/// A task that a worker runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskInfo {
    /// The function, by the name that its type has.
    pub function: &'static str,
    /// Index of the item of a map, in the order in which the map was given its items.
    pub item: Option<u64>,
    /// Which attempt it is, from 1.
    pub attempt: u32,
}

impl TaskInfo {
    pub(crate) fn new(function: &'static str, item: Option<u64>, attempt: u32) -> Self {
        Self { function, item, attempt }
    }
}

impl fmt::Display for WorkerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Starting => "starting",
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Retiring => "retiring",
            Self::Stopping => "stopping",
            Self::Gone => "gone",
        })
    }
}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.function)?;
        if let Some(item) = self.item {
            write!(f, " of item {item}")?;
        }
        if self.attempt > 1 {
            write!(f, ", attempt {}", self.attempt)?;
        }
        Ok(())
    }
}

impl fmt::Display for WorkerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pid = self.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        // As the threads themselves are called.
        let name = match self.thread {
            1 => self.name.clone(),
            thread => format!("{}.{thread}", self.name),
        };
        write!(f, "{name:<18} pid {pid:<8} generation {:<4} ", self.generation)?;
        write!(f, "{:<8} for {:<9} ", self.state, Rounded(self.state_for).to_string())?;
        write!(f, "{:>8} done", self.done)?;
        if let Some(bytes) = self.memory_bytes {
            write!(f, "  {:>7.1} MiB", bytes as f64 / f64::from(1 << 20))?;
        }
        if let Some(task) = &self.task {
            write!(f, "  {task}")?;
        }
        Ok(())
    }
}

/// A duration as people say it.
struct Rounded(Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..10 => write!(f, "{:.2} s", self.0.as_secs_f64()),
            10..600 => write!(f, "{seconds} s"),
            600..36_000 => write!(f, "{} min", seconds / 60),
            _ => write!(f, "{} h", seconds / 3600),
        }
    }
}

impl Slot {
    /// What the worker here runs, if it runs something.
    fn task(&self) -> Option<TaskInfo> {
        let (call, _) = self.current_call()?;
        let flight = self.flights.iter().find(|flight| flight.sequence == call.sequence)?;
        let (item, attempts_before) = match flight.target.as_ref().filter(|_| call.is_begun)? {
            Target::Task(cell) => (None, cell.attempts_before()),
            // That of the first item that is left of the chunk when it was sent.
            Target::Chunk(span) if call.index == 0 => (Some(span.first), span.attempts_before),
            Target::Chunk(span) => (Some(span.first + call.index), 0),
            Target::Start => return None,
        };
        let function = face::name_of(flight.code);
        Some(TaskInfo { function, item, attempt: attempts_before.saturating_add(1) })
    }

    /// What the worker here is and does, without the memory of its process.
    fn info(&self, pool: &str, team: usize, thread: usize) -> WorkerInfo {
        let id = self.live.as_ref().map(|live| live.process.id());
        let task = self.task();
        let state = match self.phase {
            Phase::Starting(_) => WorkerState::Starting,
            Phase::Ready | Phase::Retiring if task.is_some() => WorkerState::Running,
            Phase::Ready => WorkerState::Idle,
            Phase::Retiring => WorkerState::Retiring,
            Phase::Stopping => WorkerState::Stopping,
            Phase::Gone => WorkerState::Gone,
        };
        let known = rest::now().saturating_duration_since(self.phase_since);
        let state_for = match (state, &self.live) {
            // It may say what it likes.
            (WorkerState::Idle | WorkerState::Running, Some(live)) => {
                live.lane.busy_for().min(known)
            }
            _ => known,
        };
        WorkerInfo {
            name: id.map_or_else(|| format!("{pool}-{}", team + 1), |id| id.name.clone()),
            pid: id.map(|id| id.pid),
            index: team,
            thread,
            generation: self.generation,
            state,
            state_for,
            task,
            done: self.done,
            memory_bytes: None,
        }
    }
}

impl Shared {
    fn infos(&self, inner: &Inner) -> Vec<(WorkerInfo, Option<Arc<WorkerProcess>>)> {
        let info = |(place, slot): (usize, &Slot)| {
            let thread = place % inner.threads + 1;
            let info = slot.info(&self.config.name, slot.process, thread);
            (info, slot.live.as_ref().map(|live| live.process.clone()))
        };
        inner.slots.iter().enumerate().map(info).collect()
    }
}

/// Adds the memory of processes: a system call for each, and so without the pool's lock.
fn weigh(infos: Vec<(WorkerInfo, Option<Arc<WorkerProcess>>)>) -> Vec<WorkerInfo> {
    let weigh = |(info, process): (WorkerInfo, Option<Arc<WorkerProcess>>)| {
        let memory_bytes = process.and_then(|process| process.memory_bytes());
        WorkerInfo { memory_bytes, ..info }
    };
    infos.into_iter().map(weigh).collect()
}

impl Pool {
    /// What each worker, process by process and thread by thread, is and does at this moment. None in a
    /// forked copy of the process that made the pool.
    pub fn worker_infos(&self) -> Vec<WorkerInfo> {
        if !self.is_here() {
            return Vec::new();
        }
        let shared = self.shared();
        let mut inner = shared.lock();
        // What has come back is done.
        shared.collect(&mut inner);
        shared.tell_leader(&mut inner);
        let infos = shared.infos(&inner);
        drop(inner);
        weigh(infos)
    }

    /// The same as text, with what the pool has done and has to do.
    pub fn report(&self) -> String {
        if self.is_here() { self.shared().report() } else { String::new() }
    }
}

impl Reports for Shared {
    fn report(&self) -> String {
        let (workers, threads) = (self.config.workers, self.config.threads);
        let mut text = format!("{}: a pool of {workers} x {threads}", self.config.name);
        let Some(mut inner) = self.lock_within(PATIENCE) else {
            text.push_str(", which has held its own lock for too long\n");
            return text;
        };
        self.collect(&mut inner);
        self.tell_leader(&mut inner);
        let infos = self.infos(&inner);
        let state = match &inner.state {
            State::Open => "open".to_owned(),
            State::Closed => "closed".to_owned(),
            State::Terminated => "terminated".to_owned(),
            State::Broken(error) => format!("broken: {error}"),
        };
        let (stats, waiting) = (inner.stats, inner.injector.len());
        drop(inner);
        let ended = stats.succeeded + stats.failed + stats.dropped;
        let left = stats.submitted.saturating_sub(ended);
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            ", {state}; tasks: {} submitted, {} succeeded, {} failed, {left} left ({waiting} requests \
             and maps with no worker); {} workers replaced",
            stats.submitted,
            stats.succeeded,
            stats.failed,
            stats.respawns + stats.retired,
        );
        for info in weigh(infos) {
            let _ = writeln!(text, "  {info}");
        }
        text
    }
}
