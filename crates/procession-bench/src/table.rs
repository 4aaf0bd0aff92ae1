//! The figures as tables of Markdown that are also readable as they are.

#![expect(clippy::print_stdout, reason = "the table is what this program prints")]

use crate::harness::{Figure, Kind, Plan, Scenario, Unit};
use crate::machine::{Load, Machine};
use crate::report::{Entry, Line};

/// How many columns a table has.
const WIDTH: usize = 10;
const COLUMNS: [&str; WIDTH] =
    ["", "median", "mean", "p99", "min", "max", "rate", "to limit", "to threads", "to processes"];

/// Names the scenarios and who takes part.
pub(crate) fn list(scenarios: &[Scenario]) {
    for scenario in scenarios {
        println!("{}: {}", scenario.name, scenario.about);
        for contender in &scenario.contenders {
            println!("    {} ({})", contender.name, kind(contender.kind));
        }
    }
}

/// What the figures below are of.
pub(crate) fn header(machine: &Machine, plan: Plan) {
    println!(
        "{} x {}, Linux {}, commit {}; {}. One reading of the clock takes {:.0} ns and is in every \
         sample. Before the run {}.",
        machine.processors,
        machine.processor,
        machine.kernel,
        machine.commit,
        if plan.quick { "a quick run" } else { "contenders take turns" },
        machine.clock_ns,
        load(&machine.before),
    );
    if cfg!(debug_assertions) {
        println!("Built without optimization: the figures mean nothing.");
    }
}

/// How the machine was when all was done.
pub(crate) fn footer(after: &Load) {
    println!("\nAfter the run {}.", load(after));
}

fn load(load: &Load) -> String {
    format!(
        "others used {:.0} % of the processors, the load was {}: {}",
        load.busy * 100.0,
        load.average,
        if load.is_quiet() { "quiet" } else { "not quiet" },
    )
}

/// One scenario's table.
pub(crate) fn scenario(entry: &Entry) {
    let compared = match entry.figure {
        Figure::Median => "medians",
        Figure::Mean => "means",
    };
    println!("\n### {}\n\n{}; ratios of {compared}, less is better.\n", entry.name, entry.about);
    let rows: Vec<Vec<String>> =
        entry.contenders.iter().map(|line| row(line, entry.shown_as)).collect();
    print(&COLUMNS, 1, &rows);
    for line in &entry.contenders {
        if let Some(failure) = &line.failure {
            println!("\n{} failed: {failure}", line.name);
        }
    }
}

/// Prints a table whose first columns are text and the others figures.
pub(crate) fn print(columns: &[&str], texts: usize, rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([columns[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    print_row(&columns.iter().copied().map(str::to_owned).collect::<Vec<_>>(), texts, &widths);
    let rules = widths.iter().enumerate().map(|(column, width)| {
        if column < texts { "-".repeat(width + 2) } else { "-".repeat(width + 1) + ":" }
    });
    println!("|{}|", rules.collect::<Vec<_>>().join("|"));
    for row in rows {
        print_row(row, texts, &widths);
    }
}

fn print_row(cells: &[String], texts: usize, widths: &[usize]) {
    let cells = cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
        if column < texts { format!(" {cell:<width$} ") } else { format!(" {cell:>width$} ") }
    });
    println!("|{}|", cells.collect::<Vec<_>>().join("|"));
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Limit => "limit",
        Kind::Threads => "threads",
        Kind::Processes => "processes",
        Kind::Ours => "ours",
    }
}

fn row(line: &Line, unit: Unit) -> Vec<String> {
    let name = match line.kind {
        Kind::Limit => format!("limit: {}", line.name),
        Kind::Threads => format!("threads: {}", line.name),
        Kind::Processes => line.name.clone(),
        Kind::Ours => format!("**{}**", line.name),
    };
    let Some(summary) = line.summary else {
        let mut cells = vec![name, "failed".to_owned()];
        cells.resize(WIDTH, String::new());
        return cells;
    };
    let ratio = |ratio: Option<f64>| ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
    vec![
        name,
        value(summary.median, unit),
        value(summary.mean, unit),
        value(summary.p99, unit),
        value(summary.min, unit),
        value(summary.max, unit),
        rate(summary.median, unit),
        ratio(line.to_limit),
        ratio(line.to_threads),
        ratio(line.to_processes),
    ]
}

/// A figure with three digits and its unit.
pub(crate) fn value(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Time | Unit::TimePer(_) | Unit::TimeFor(_) => {
            scaled(value, 1000.0, &["ns", "us", "ms", "s"])
        }
        Unit::Bytes => scaled(value, 1024.0, &["B", "KiB", "MiB", "GiB"]),
        Unit::Count => format!("{value:.0}"),
        Unit::Ratio => format!("{value:.3}"),
    }
}

fn rate(median: f64, unit: Unit) -> String {
    match unit {
        Unit::TimePer(_) => format!("{:.3} M/s", 1000.0 / median),
        Unit::TimeFor(bytes) => format!("{:.2} GB/s", bytes as f64 / median),
        Unit::Time | Unit::Bytes | Unit::Count | Unit::Ratio => String::new(),
    }
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut units = units.iter();
    let mut unit = units.next();
    while value >= step
        && let Some(next) = units.next()
    {
        value /= step;
        unit = Some(next);
    }
    let decimals = if value >= 100.0 { 0 } else { usize::from(value < 10.0) + 1 };
    format!("{value:.decimals$} {}", unit.unwrap_or(&""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        let shown = [0.5, 12.34, 999.4, 1000.0, 2_345_000.0, 2.5e12];
        let shown = shown.map(|nanoseconds| value(nanoseconds, Unit::Time));
        assert_eq!(shown, ["0.50 ns", "12.3 ns", "999 ns", "1.00 us", "2.35 ms", "2500 s"]);
    }

    #[test]
    fn rates_follow_from_the_median() {
        assert_eq!(rate(250.0, Unit::TimePer("task")), "4.000 M/s");
        assert_eq!(rate(2e6, Unit::TimeFor(4_000_000)), "2.00 GB/s");
    }
}
