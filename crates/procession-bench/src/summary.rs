//! Goals and rivals, as they are printed at the end.

#![expect(clippy::print_stdout, reason = "the tables are what this program prints")]

use crate::goals::{Duel, Verdict};
use crate::table::{print, value};

/// One row for each goal.
pub(crate) fn goals(verdicts: &[Verdict], quick: bool) {
    if verdicts.is_empty() {
        return;
    }
    println!("\n### goals\n");
    if quick {
        println!("From one short turn each: this says that the bench works, and little else.\n");
    }
    let rows: Vec<_> = verdicts.iter().map(goal).collect();
    print(&["work", "goal", "measured", "of the goal", "met"], 3, &rows);
}

fn goal(verdict: &Verdict) -> Vec<String> {
    let met = match verdict.met {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "",
    };
    vec![
        verdict.work.to_owned(),
        verdict.goal.to_owned(),
        verdict.measured.clone().unwrap_or_else(|| "not measured".to_owned()),
        verdict.to_goal.map_or(String::new(), |to_goal| format!("{to_goal:.2}")),
        met.to_owned(),
    ]
}

/// One row for each scenario that others do with processes, too.
pub(crate) fn duels(duels: &[Duel]) {
    if duels.is_empty() {
        return;
    }
    println!("\n### rivals with processes\n");
    println!("Their figures over ours; what is below 1 is faster than ours.\n");
    let rows: Vec<_> = duels.iter().map(duel).collect();
    let columns = ["scenario", "ours", "", "procspawn", "ipc-channel", "Command", "Python"];
    print(&columns, 2, &rows);
}

fn duel(duel: &Duel) -> Vec<String> {
    let ratio = |ratio: Option<f64>| match ratio {
        Some(ratio) if ratio < 1.0 => format!("**{ratio:.2}**"),
        Some(ratio) => format!("{ratio:.2}"),
        None => String::new(),
    };
    vec![
        duel.scenario.clone(),
        duel.ours.clone(),
        value(duel.figure, duel.unit),
        ratio(duel.procspawn),
        ratio(duel.ipc_channel),
        ratio(duel.command),
        ratio(duel.python),
    ]
}
