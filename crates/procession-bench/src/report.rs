//! The figures, as they are printed and written.

use crate::goals::{self, Duel, Verdict};
use crate::harness::{Figure, Kind, Measured, Outcome, Plan, Scenario, Unit};
use crate::machine::{Load, Machine};
use crate::stats::Summary;
use serde::Serialize;
use std::path::Path;

/// All that one run has measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) quick: bool,
    pub(crate) scenarios: Vec<Entry>,
    pub(crate) goals: Vec<Verdict>,
    pub(crate) rivals: Vec<Duel>,
    /// How the machine was when all was done.
    pub(crate) after: Option<Load>,
}

/// One scenario.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) about: String,
    /// What the figures are: nanoseconds, bytes or a count. Less is better.
    pub(crate) unit: String,
    #[serde(skip)]
    pub(crate) shown_as: Unit,
    /// What the ratios compare.
    pub(crate) figure: Figure,
    pub(crate) contenders: Vec<Line>,
}

/// One contender of a scenario.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) summary: Option<Summary>,
    /// Medians of each round, in their order.
    pub(crate) round_medians: Vec<f64>,
    /// Its figure over that of the scenario's first limit.
    pub(crate) to_limit: Option<f64>,
    /// Its figure over that of the best rival within one process; for ours alone.
    pub(crate) to_threads: Option<f64>,
    /// Its figure over that of the best rival with processes of its own; for ours alone.
    pub(crate) to_processes: Option<f64>,
    pub(crate) failure: Option<String>,
}

impl Entry {
    pub(crate) fn new(scenario: &Scenario, measured: &[Measured]) -> Self {
        let mut contenders: Vec<Line> = scenario
            .contenders
            .iter()
            .zip(measured)
            .map(|(contender, measured)| Line {
                kind: contender.kind,
                name: contender.name.clone(),
                summary: Summary::of(measured.rounds.iter().flatten().copied()),
                round_medians: measured
                    .rounds
                    .iter()
                    .filter_map(|round| Some(Summary::of(round.iter().copied())?.median))
                    .collect(),
                to_limit: None,
                to_threads: None,
                to_processes: None,
                failure: measured.failure.clone(),
            })
            .collect();
        let figure = scenario.figure;
        let of = |kind| contenders.iter().filter(move |line: &&Line| line.kind == kind);
        let best = |kind| of(kind).filter_map(|line| line.figure(figure)).min_by(f64::total_cmp);
        let limit = of(Kind::Limit).next().and_then(|line| line.figure(figure));
        let (threads, processes) = (best(Kind::Threads), best(Kind::Processes));
        for line in &mut contenders {
            let own = line.figure(figure);
            let ratio = |to: Option<f64>| Some(own? / to.filter(|to| *to > 0.0)?);
            line.to_limit = ratio(limit);
            if line.kind == Kind::Ours {
                line.to_threads = ratio(threads);
                line.to_processes = ratio(processes);
            }
        }
        Self {
            name: scenario.name.clone(),
            about: scenario.about.clone(),
            unit: match scenario.unit {
                Unit::Time => "ns".into(),
                Unit::TimePer(what) => format!("ns per {what}"),
                Unit::TimeFor(bytes) => format!("ns for {bytes} bytes"),
                Unit::Bytes => "bytes".into(),
                Unit::Count => "count".into(),
                Unit::Ratio => "times the least possible".into(),
            },
            shown_as: scenario.unit,
            figure,
            contenders,
        }
    }
}

impl Line {
    /// What is compared of it.
    pub(crate) fn figure(&self, figure: Figure) -> Option<f64> {
        self.summary.map(|summary| match figure {
            Figure::Median => summary.median,
            Figure::Mean => summary.mean,
        })
    }
}

impl Report {
    pub(crate) fn new(machine: Machine, plan: Plan) -> Self {
        Self {
            machine,
            quick: plan.quick,
            scenarios: Vec::new(),
            goals: Vec::new(),
            rivals: Vec::new(),
            after: None,
        }
    }

    /// Holds what was measured to the goals and to the rivals.
    pub(crate) fn conclude(&mut self, after: Load) {
        self.goals = goals::verdicts(&self.scenarios);
        self.rivals = goals::duels(&self.scenarios);
        self.after = Some(after);
    }

    /// Writes everything as JSON.
    pub(crate) fn write(&self, path: &Path) -> Outcome<()> {
        std::fs::write(path, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(())
    }

    /// Whether neither a limit nor ours failed. A rival that fails is shown, and no fault of ours.
    pub(crate) fn is_complete(&self) -> bool {
        let mut lines = self.scenarios.iter().flat_map(|entry| &entry.contenders);
        lines.all(|line| {
            line.failure.is_none() || matches!(line.kind, Kind::Threads | Kind::Processes)
        })
    }
}
