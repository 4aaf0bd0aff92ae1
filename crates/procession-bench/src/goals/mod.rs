//! What the design wants of the figures, and whether they meet it.

mod wanted;

use crate::harness::{Kind, Unit};
use crate::report::{Entry, Line};
use crate::table::value;
use Bound::{Shown, Times, Value};
use serde::Serialize;
use wanted::{ENGINE, LOADS};

/// A contender of a scenario.
#[derive(Debug, Clone, Copy)]
struct At(&'static str, &'static str);

/// What a figure is held to.
#[derive(Debug, Clone, Copy)]
enum Bound {
    /// At most this, in the unit of the scenario.
    Value(f64),
    /// At most so many times another figure.
    Times(f64, At),
    /// Nothing: the figure is what is wanted.
    Shown,
}

/// A goal: the work, what is wanted, ours, and what that is held to.
#[derive(Debug)]
struct Goal(&'static str, &'static str, At, Bound);

/// How ours stands to a goal.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) work: &'static str,
    pub(crate) goal: &'static str,
    /// The figures, as they are shown; `None` when one of them was not measured.
    pub(crate) measured: Option<String>,
    /// Ours over what it is held to at most; above one the goal is missed.
    pub(crate) to_goal: Option<f64>,
    pub(crate) met: Option<bool>,
}

/// Holds what was measured to the goals; those of whose scenarios none was run are left out.
pub(crate) fn verdicts(entries: &[Entry]) -> Vec<Verdict> {
    let goals = ENGINE.iter().chain(LOADS);
    let was_run = |goal: &&Goal| entries.iter().any(|entry| entry.name == goal.2.0);
    goals.filter(was_run).map(|goal| verdict(goal, entries)).collect()
}

fn verdict(Goal(work, goal, ours, bound): &Goal, entries: &[Entry]) -> Verdict {
    let held = figure(entries, *ours).and_then(|(own, unit)| match bound {
        Value(most) => Some((value(own, unit), Some(own / most))),
        Times(times, other) => {
            let (other, _) = figure(entries, *other)?;
            let ratio = own / other;
            let shown = format!("{ratio:.2} x: {} to {}", value(own, unit), value(other, unit));
            Some((shown, Some(ratio / times)))
        }
        Shown => Some((value(own, unit), None)),
    });
    let (measured, to_goal) = held.map_or((None, None), |(shown, to_goal)| (Some(shown), to_goal));
    Verdict { work, goal, measured, to_goal, met: to_goal.map(|to_goal| to_goal <= 1.0) }
}

fn figure(entries: &[Entry], At(scenario, contender): At) -> Option<(f64, Unit)> {
    let entry = entries.iter().find(|entry| entry.name == scenario)?;
    let line = entry.contenders.iter().find(|line| line.name == contender)?;
    Some((line.figure(entry.figure)?, entry.shown_as))
}

/// Ours against those who do the same with processes, in one scenario.
#[derive(Debug, Serialize)]
pub(crate) struct Duel {
    pub(crate) scenario: String,
    /// The first of ours, which is the one that is like the rivals.
    pub(crate) ours: String,
    pub(crate) figure: f64,
    #[serde(skip)]
    pub(crate) unit: Unit,
    /// The rival's figure over ours; below one it is the faster.
    pub(crate) procspawn: Option<f64>,
    pub(crate) ipc_channel: Option<f64>,
    pub(crate) command: Option<f64>,
    pub(crate) python: Option<f64>,
}

/// All scenarios that a rival with processes takes part in, and ours.
pub(crate) fn duels(entries: &[Entry]) -> Vec<Duel> {
    entries.iter().filter_map(duel).collect()
}

fn duel(entry: &Entry) -> Option<Duel> {
    let ours = entry.contenders.iter().find(|line| line.kind == Kind::Ours)?;
    let own = ours.figure(entry.figure)?;
    let best = |name: &str| {
        let is_rival = |line: &&Line| line.kind == Kind::Processes && line.name.starts_with(name);
        let rivals = entry.contenders.iter().filter(is_rival);
        let best = rivals.filter_map(|line| line.figure(entry.figure)).min_by(f64::total_cmp)?;
        // Nothing against nothing is no contest.
        (own > 0.0).then_some(best / own)
    };
    let duel = Duel {
        scenario: entry.name.clone(),
        ours: ours.name.clone(),
        figure: own,
        unit: entry.shown_as,
        procspawn: best("procspawn"),
        ipc_channel: best("ipc-channel"),
        command: best("Command"),
        python: best("Python"),
    };
    let rivals = [duel.procspawn, duel.ipc_channel, duel.command, duel.python];
    rivals.iter().any(Option::is_some).then_some(duel)
}

#[cfg(test)]
mod tests {
    use super::wanted::ONE;
    use super::*;
    use crate::harness::{Measured, Plan};
    use crate::scenarios;

    /// Every scenario, each contender of which measured the same.
    fn entries(sample: f64) -> Vec<Entry> {
        let plan = Plan { quick: true, rounds: 1 };
        let entry = |scenario: &crate::harness::Scenario| {
            let measured = || Measured { rounds: vec![vec![sample]], failure: None };
            let all: Vec<_> = scenario.contenders.iter().map(|_| measured()).collect();
            Entry::new(scenario, &all)
        };
        scenarios::all(plan).iter().map(entry).collect()
    }

    #[test]
    fn every_goal_finds_its_figures() {
        let entries = entries(1.0);
        let verdicts = verdicts(&entries);
        assert_eq!(verdicts.len(), ENGINE.len() + LOADS.len(), "a scenario is gone");
        for verdict in verdicts {
            assert!(verdict.measured.is_some(), "{verdict:?}");
        }
    }

    #[test]
    fn a_goal_is_missed_from_just_above_it() {
        let goal = Goal("work", "2 B", At("idle-memory", "procession worker, spawn"), Value(2.0));
        assert_eq!(verdict(&goal, &entries(2.0)).met, Some(true));
        assert_eq!(verdict(&goal, &entries(2.1)).met, Some(false));
    }

    #[test]
    fn rivals_are_found_by_their_names() {
        let duels = duels(&entries(1.0));
        let trip = duels.iter().find(|duel| duel.scenario == "round-trip-warm").expect("a duel");
        assert_eq!(trip.procspawn, Some(1.0));
        assert_eq!(trip.ipc_channel, Some(1.0));
        assert_eq!(trip.command, Some(1.0));
        assert_eq!(trip.ours, ONE);
    }
}
