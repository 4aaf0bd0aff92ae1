//! Scenarios, who takes part in them, and how they take turns.

use crate::busy::BusyLoops;
use crate::rivals::python;
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
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// How many times as much as the least that is possible.
    Ratio,
}

/// One turn: samples in the unit of the scenario.
pub(crate) type Turn = Box<dyn Fn(Plan) -> Outcome<Vec<f64>>>;

/// Somebody who takes part in a scenario.
pub(crate) struct Contender {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) turn: Turn,
}

impl Contender {
    fn new(kind: Kind, name: impl Into<String>, turn: Turn) -> Self {
        Self { kind, name: name.into(), turn }
    }

    /// Raw code.
    pub(crate) fn limit(
        name: impl Into<String>,
        turn: impl Fn(Plan) -> Outcome<Vec<f64>> + 'static,
    ) -> Self {
        Self::new(Kind::Limit, name, Box::new(turn))
    }

    /// A rival within one process.
    pub(crate) fn threads(
        name: impl Into<String>,
        turn: impl Fn(Plan) -> Outcome<Vec<f64>> + 'static,
    ) -> Self {
        Self::new(Kind::Threads, name, Box::new(turn))
    }

    /// A rival with processes of its own.
    pub(crate) fn rival(
        name: impl Into<String>,
        turn: impl Fn(Plan) -> Outcome<Vec<f64>> + 'static,
    ) -> Self {
        Self::new(Kind::Processes, name, Box::new(turn))
    }

    pub(crate) fn ours(
        name: impl Into<String>,
        turn: impl Fn(Plan) -> Outcome<Vec<f64>> + 'static,
    ) -> Self {
        Self::new(Kind::Ours, name, Box::new(turn))
    }

    /// A rival from Python, where there is one.
    pub(crate) fn python(name: &str, scenario: &'static str, arguments: &[u64]) -> Option<Self> {
        let arguments = arguments.to_vec();
        python::is_here().then(|| Self::rival(name, move |_| python::run(scenario, &arguments)))
    }
}

/// One kind of work, done by all contenders in turn.
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) unit: Unit,
    /// What is compared: the median, or the mean where most calls are quick and few take all the
    /// time.
    pub(crate) figure: Figure,
    /// Most rounds that make sense: some scenarios take seconds a turn.
    pub(crate) rounds_max: usize,
    /// Busy loops that run beside.
    pub(crate) busy: usize,
    /// The first of ours is the one that is like the rivals; the others vary it.
    pub(crate) contenders: Vec<Contender>,
}

impl Scenario {
    /// One whose turns are short, that compares medians, on cores that are left to it.
    pub(crate) fn new(
        name: impl Into<String>,
        about: impl Into<String>,
        unit: Unit,
        contenders: Vec<Contender>,
    ) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            unit,
            figure: Figure::Median,
            rounds_max: usize::MAX,
            busy: 0,
            contenders,
        }
    }

    /// With so many rounds at most.
    pub(crate) fn rounds(self, rounds_max: usize) -> Self {
        Self { rounds_max, ..self }
    }

    /// With so many busy loops beside, comparing means: a median does not see the few calls that
    /// lose a whole slice of the scheduler.
    pub(crate) fn beside_busy_loops(self, busy: usize) -> Self {
        Self { busy, figure: Figure::Mean, ..self }
    }
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
