//! Limits of the machine, rivals, and procession, measured in one run.
//!
//! `cargo run --release -p procession-bench` prints a table for each scenario, then one of the goals
//! and one of the rivals; `--json FILE` writes all figures, `--quick` runs each contender once and
//! briefly, `--only NAME` chooses scenarios, `--instructions` counts those of the hot paths instead. The
//! contenders of a scenario take turns over several rounds, so that a noisy machine moves all alike.

#![deny(unsafe_code)]

mod busy;
mod cli;
mod goals;
mod harness;
mod instructions;
mod kernels;
mod limits;
mod machine;
mod ours;
mod pace;
mod population;
mod report;
mod rivals;
mod roles;
mod scenarios;
mod stats;
mod summary;
mod table;
mod watchdog;

use cli::{Action, Options};
use harness::Outcome;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Helper processes of the limits and rivals. First, so that the one that exits at once does.
    if let Some(code) = roles::run() {
        return code;
    }
    procession::init();
    procspawn::init();
    match bench() {
        Ok(complete) => ExitCode::from(u8::from(!complete)),
        Err(error) => {
            eprintln!("procession-bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// `false` when a limit or ours failed.
fn bench() -> Outcome<bool> {
    let Some(options) = cli::Options::parse(std::env::args().skip(1))? else {
        return Ok(true);
    };
    match &options.action {
        Action::Measure => return measure(&options),
        Action::CountInstructions => instructions::count()?,
        Action::Traced(path, rounds) => instructions::run_traced(path, *rounds)?,
        Action::List => table::list(&scenarios::all(options.plan)),
    }
    Ok(true)
}

fn measure(options: &Options) -> Outcome<bool> {
    let machine = machine::Machine::look();
    table::header(&machine, options.plan);
    let mut report = report::Report::new(machine, options.plan);
    let scenarios = scenarios::all(options.plan);
    for scenario in scenarios.iter().filter(|scenario| options.wants(&scenario.name)) {
        let measured = harness::run(scenario, options.plan);
        let entry = report::Entry::new(scenario, &measured);
        table::scenario(&entry);
        report.scenarios.push(entry);
    }
    report.conclude(machine::Load::now());
    summary::goals(&report.goals, report.quick);
    summary::duels(&report.rivals);
    if let Some(after) = &report.after {
        table::footer(after);
    }
    if let Some(path) = &options.json {
        report.write(path)?;
    }
    Ok(report.is_complete())
}
