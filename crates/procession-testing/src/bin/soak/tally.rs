//! What was counted, and what went wrong.

use parking_lot::Mutex;
use procession::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A kind of outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Value,
    Panicked,
    Codec,
    Lost,
    Terminated,
    Closed,
    /// None that a task may have here.
    Other,
}

const KINDS: [Kind; 7] = [
    Kind::Value,
    Kind::Panicked,
    Kind::Codec,
    Kind::Lost,
    Kind::Terminated,
    Kind::Closed,
    Kind::Other,
];

impl Kind {
    /// The kind of a failure.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            error if error.is_broken() => Self::Other,
            error if error.is_panicked() => Self::Panicked,
            error if error.is_codec() => Self::Codec,
            error if error.is_worker_lost() => Self::Lost,
            error if error.is_terminated() => Self::Terminated,
            error if error.is_closed() => Self::Closed,
            _ => Self::Other,
        }
    }
}

/// Reasons that are kept; what follows them is mostly their echo.
const REASONS_MAX: usize = 50;

/// Counts of the whole run.
#[derive(Debug)]
pub(crate) struct Tally {
    started: Instant,
    pub(crate) seed: u64,
    /// Until when new work is begun.
    pub(crate) until: Instant,
    next_ticket: AtomicU64,
    kinds: [AtomicU64; KINDS.len()],
    /// Tasks whose handle was dropped before the outcome; the pool's counts account for them.
    pub(crate) dropped: AtomicU64,
    pub(crate) pools: AtomicU64,
    pub(crate) processes: AtomicU64,
    pub(crate) respawns: AtomicU64,
    pub(crate) kills: AtomicU64,
    pub(crate) stops: AtomicU64,
    longest_us: AtomicU64,
    reasons: Mutex<Vec<String>>,
    failed: AtomicBool,
}

impl Tally {
    pub(crate) fn new(seed: u64, seconds: u64) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            started: Instant::now(),
            seed,
            until: Instant::now() + Duration::from_secs(seconds),
            next_ticket: zero(),
            kinds: std::array::from_fn(|_| zero()),
            dropped: zero(),
            pools: zero(),
            processes: zero(),
            respawns: zero(),
            kills: zero(),
            stops: zero(),
            longest_us: zero(),
            reasons: Mutex::default(),
            failed: AtomicBool::new(false),
        }
    }

    /// Whether no new work is to be begun: time is up, or something is wrong.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.until || self.failed.load(Ordering::Relaxed)
    }

    /// The next task's number.
    pub(crate) fn ticket(&self) -> u64 {
        self.next_ticket.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes an outcome, and how long it was waited for.
    pub(crate) fn note(&self, kind: Kind, since: Instant) {
        let index = KINDS.iter().position(|known| *known == kind).expect("all kinds are listed");
        self.kinds[index].fetch_add(1, Ordering::Relaxed);
        self.longest_us.fetch_max(since.elapsed().as_micros() as u64, Ordering::Relaxed);
    }

    /// Notes something that must not be.
    #[expect(clippy::print_stdout, reason = "it is what the program is for")]
    pub(crate) fn accuse(&self, reason: String) {
        println!("seed {}: {reason}", self.seed);
        self.failed.store(true, Ordering::Relaxed);
        let mut reasons = self.reasons.lock();
        if reasons.len() < REASONS_MAX {
            reasons.push(reason);
        }
    }

    /// What must not be, and was.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.reasons.lock().clone()
    }

    /// Moves as long as anything does.
    pub(crate) fn progress(&self) -> u64 {
        let outcomes: u64 = self.kinds.iter().map(|kind| kind.load(Ordering::Relaxed)).sum();
        let others = [&self.pools, &self.processes, &self.next_ticket, &self.dropped];
        outcomes + others.iter().map(|count| count.load(Ordering::Relaxed)).sum::<u64>()
    }

    /// Tasks begun, and tasks accounted for.
    pub(crate) fn balance(&self) -> (u64, u64) {
        let outcomes: u64 = self.kinds.iter().map(|kind| kind.load(Ordering::Relaxed)).sum();
        let dropped = self.dropped.load(Ordering::Relaxed);
        (self.next_ticket.load(Ordering::Relaxed), outcomes + dropped)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let seconds = self.started.elapsed().as_secs_f64();
        let (tasks, accounted) = self.balance();
        writeln!(f, "seed             {}", self.seed)?;
        writeln!(f, "time             {seconds:.1} s")?;
        writeln!(f, "tasks            {tasks}, accounted for {accounted}")?;
        for (kind, count) in KINDS.iter().zip(&self.kinds) {
            writeln!(f, "  {:<14} {}", format!("{kind:?}").to_lowercase(), seen(count))?;
        }
        writeln!(f, "  handle dropped {}", seen(&self.dropped))?;
        writeln!(f, "pools            {}", seen(&self.pools))?;
        writeln!(f, "processes        {}", seen(&self.processes))?;
        writeln!(f, "respawns         {}", seen(&self.respawns))?;
        writeln!(f, "kills            {}", seen(&self.kills))?;
        writeln!(f, "stops            {}", seen(&self.stops))?;
        write!(f, "longest wait     {:.3} s", seen(&self.longest_us) as f64 / 1e6)
    }
}
