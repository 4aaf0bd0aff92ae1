//! Scenarios, who takes part in them, and how they take turns.

use crate::busy::BusyLoops;
use crate::watchdog::Watchdog;
use std::error::Error;
use std::io::IsTerminal;
use std::time::Duration;

/// What may go wrong in a contender is only shown.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Longest turn of a contender; one that takes longer hangs.
const TURN_MAX: Duration = Duration::from_secs(60);

/// How thorough a run is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
}

impl Plan {
    /// One of two values: for a full run, and for a quick one.
    pub(crate) fn pick<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// What a contender stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Raw code: what the machine can do. The first of a scenario is the one to compare with.
    Limit,
    /// A rival within one process: nothing is encoded, nothing can die alone.
    Threads,
    /// A rival with processes of its own.
    Processes,
    Ours,
}

/// What of the samples is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Figure {
    Median,
    Mean,
}

/// What a sample is. Less is better for all of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    /// Nanoseconds of one run.
    Time,
    /// Nanoseconds for each of many things, so many that their rate says more.
    TimePer(&'static str),
    /// Nanoseconds in which so many bytes are moved.
    TimeFor(u64),
    /// Bytes.
    Bytes,
    /// A number of something.
    Count,
}

/// One turn: samples in the unit of the scenario.
pub(crate) type Turn = Box<dyn Fn(Plan) -> Outcome<Vec<f64>>>;

/// Somebody who takes part in a scenario.
pub(crate) struct Contender {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) turn: Turn,
}

/// One kind of work, done by all contenders in turn.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) unit: Unit,
    /// What is compared: the median, or the mean where most calls are quick and few take all the
    /// time.
    pub(crate) figure: Figure,
    /// Most rounds that make sense: some scenarios take seconds a turn.
    pub(crate) rounds_max: usize,
    /// Busy loops that run beside.
    pub(crate) busy: usize,
    pub(crate) contenders: Vec<Contender>,
}

/// What one contender did.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// Samples of each round.
    pub(crate) rounds: Vec<Vec<f64>>,
    /// Why there are no more.
    pub(crate) failure: Option<String>,
}

/// Has the contenders take turns. One that fails takes no further part.
pub(crate) fn run(scenario: &Scenario, plan: Plan) -> Vec<Measured> {
    let mut measured: Vec<Measured> = Vec::new();
    measured.resize_with(scenario.contenders.len(), Measured::default);
    let rounds = plan.rounds.min(scenario.rounds_max).max(1);
    for round in 0..rounds {
        show_progress(&format!("{} {}/{rounds} ", scenario.name, round + 1));
        for (contender, measured) in scenario.contenders.iter().zip(&mut measured) {
            if measured.failure.is_some() {
                continue;
            }
            let _watchdog =
                Watchdog::start(format!("{}: {}", scenario.name, contender.name), TURN_MAX);
            let turn = BusyLoops::start(scenario.busy)
                .map_err(Into::into)
                .and_then(|_busy| (contender.turn)(plan));
            match turn {
                Ok(samples) => measured.rounds.push(samples),
                Err(error) => measured.failure = Some(error.to_string()),
            }
        }
    }
    show_progress("");
    measured
}

/// Replaces the line of progress, where somebody sees it.
fn show_progress(line: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{line}");
    }
}
