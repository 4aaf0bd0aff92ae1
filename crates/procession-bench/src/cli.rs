//! The command line.

use crate::harness::{Outcome, Plan};
use std::path::PathBuf;

const USAGE: &str = "\
usage: cargo run --release -p procession-bench -- [OPTIONS]
  --quick        each contender once and briefly, for CI
  --rounds N     how often the contenders of a scenario take turns (default 5, quick 1)
  --only NAME    scenarios whose name contains NAME; may be repeated
  --json FILE    write all figures to FILE
  --list         name the scenarios and their contenders
  --instructions count the instructions of the hot paths instead";

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Measure,
    List,
    CountInstructions,
    /// What the counting starts: a path, and how often.
    Traced(String, usize),
}

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) plan: Plan,
    pub(crate) json: Option<PathBuf>,
    pub(crate) action: Action,
    only: Vec<String>,
}

impl Options {
    /// Reads the arguments; `None` when only help was wanted, which is printed then.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Option<Self>> {
        let mut options = Self {
            plan: Plan { quick: false, rounds: 5 },
            json: None,
            action: Action::Measure,
            only: Vec::new(),
        };
        let mut rounds = None;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value\n{USAGE}"));
            match argument.as_str() {
                "--quick" => options.plan.quick = true,
                "--rounds" => rounds = Some(value()?.parse::<usize>()?.max(1)),
                "--only" => options.only.push(value()?),
                "--json" => options.json = Some(value()?.into()),
                "--instructions" => options.action = Action::CountInstructions,
                "--traced" => options.action = Action::Traced(value()?, value()?.parse()?),
                "--list" => options.action = Action::List,
                "--help" | "-h" => {
                    eprintln!("{USAGE}");
                    return Ok(None);
                }
                _ => return Err(format!("unknown option {argument}\n{USAGE}").into()),
            }
        }
        let usual = options.plan.pick(options.plan.rounds, 1);
        options.plan.rounds = rounds.unwrap_or(usual);
        Ok(Some(options))
    }

    /// Whether a scenario is to be run.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str()))
    }
}
