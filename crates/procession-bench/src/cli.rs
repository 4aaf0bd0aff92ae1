//! The command line.

use crate::harness::{Outcome, Plan};
use std::path::PathBuf;

const USAGE: &str = "\
usage: cargo run --release -p procession-bench -- [OPTIONS]
  --quick        each contender once and briefly, for CI
  --rounds N     how often the contenders of a scenario take turns (default 5)
  --only NAME    scenarios whose name contains NAME; may be repeated
  --json FILE    write all figures to FILE
  --list         name the scenarios and their contenders";

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) plan: Plan,
    pub(crate) json: Option<PathBuf>,
    pub(crate) list: bool,
    only: Vec<String>,
}

impl Options {
    /// Reads the arguments; `None` when only help was wanted, which is printed then.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Option<Self>> {
        let mut options = Self {
            plan: Plan { quick: false, rounds: 5 },
            json: None,
            list: false,
            only: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value\n{USAGE}"));
            match argument.as_str() {
                "--quick" => options.plan = Plan { quick: true, rounds: 1 },
                "--rounds" => options.plan.rounds = value()?.parse::<usize>()?.max(1),
                "--only" => options.only.push(value()?),
                "--json" => options.json = Some(value()?.into()),
                "--list" => options.list = true,
                "--help" | "-h" => {
                    eprintln!("{USAGE}");
                    return Ok(None);
                }
                _ => return Err(format!("unknown option {argument}\n{USAGE}").into()),
            }
        }
        Ok(Some(options))
    }

    /// Whether a scenario is to be run.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str()))
    }
}
