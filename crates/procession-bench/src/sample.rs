//! Figures, their medians, and the table.

use std::time::Instant;

/// One thing that is measured, against the machine's limit.
#[derive(Debug)]
pub(crate) struct Scenario {
    name: &'static str,
    unit: &'static str,
    limit_name: &'static str,
    limit: Vec<f64>,
    ours: Vec<f64>,
}

impl Scenario {
    /// A scenario whose figures are in `unit`.
    pub(crate) fn new(name: &'static str, unit: &'static str, limit_name: &'static str) -> Self {
        Self { name, unit, limit_name, limit: Vec::new(), ours: Vec::new() }
    }

    /// Adds what both cost in one turn.
    pub(crate) fn turn(&mut self, limit: f64, ours: f64) {
        self.limit.push(limit);
        self.ours.push(ours);
    }

    /// Adds what ours costs, where there is no limit to hold it against.
    pub(crate) fn ours(&mut self, ours: f64) {
        self.ours.push(ours);
    }
}

/// Microseconds that each of `count` things took since then.
pub(crate) fn micros(since: Instant, count: usize) -> f64 {
    since.elapsed().as_secs_f64() * 1e6 / count as f64
}

/// Median, least and greatest.
fn summary(figures: &[f64]) -> Option<(f64, f64, f64)> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some((*sorted.get(sorted.len() / 2)?, *sorted.first()?, *sorted.last()?))
}

/// Prints the table.
#[expect(clippy::print_stdout, reason = "it is what this program is for")]
pub(crate) fn print(scenarios: &[Scenario]) {
    println!(
        "| scenario | procession, median (min to max) | limit, median | ratio | the limit is |"
    );
    println!("|---|---|---|---|---|");
    for scenario in scenarios {
        let Some((ours, least, greatest)) = summary(&scenario.ours) else { continue };
        let (name, unit) = (scenario.name, scenario.unit);
        let limit = summary(&scenario.limit);
        let (limit_text, ratio) = limit.map_or(("-".into(), "-".into()), |(limit, ..)| {
            (format!("{limit:.3} {unit}"), format!("{:.2}", ours / limit))
        });
        println!(
            "| {name} | {ours:.3} {unit} ({least:.3} to {greatest:.3}) | {limit_text} | {ratio} | {} |",
            scenario.limit_name
        );
    }
}
