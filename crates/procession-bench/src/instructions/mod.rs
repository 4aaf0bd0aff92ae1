//! Instructions of the hot paths: they do not depend on the weather.
//!
//! A tracer has the processor stop after each instruction of the submitting thread and counts the
//! stops. Callgrind would do the same quicker, but knows neither `pidfd_open` nor how to let a
//! traced program start others (3.19), and slows the submitting thread alone: workers would fall
//! asleep between two tasks, and what was counted would be the waking of them. Here the worker is
//! stopped while it spins, so that the path is the warm one.

#![expect(clippy::print_stdout, reason = "the table is what this program prints")]

mod traced;
mod tracer;

pub(crate) use traced::run as run_traced;

use crate::harness::Outcome;
use crate::stats::Summary;
use crate::table::print;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use traced::PATHS;

/// Rounds of each path.
const ROUNDS: usize = 3;

/// Keeps this thread to the first of its processors until dropped, as its peer does: a step goes back
/// and forth between the two, and is many times quicker on one processor than from one to another.
struct OneProcessor {
    allowed: CpuSet,
}

impl OneProcessor {
    fn choose() -> Outcome<Self> {
        let allowed = sched_getaffinity(None)?;
        let cpu = (0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu));
        let mut first = CpuSet::new();
        first.set(cpu.ok_or("no processor is allowed")?);
        sched_setaffinity(None, &first)?;
        Ok(Self { allowed })
    }
}

impl Drop for OneProcessor {
    fn drop(&mut self) {
        // It was allowed before; if it is not any more, one processor is still enough.
        let _ = sched_setaffinity(None, &self.allowed);
    }
}

/// Counts what the submitting thread executes for each path, and prints it.
pub(crate) fn count() -> Outcome<()> {
    let mut rows = Vec::new();
    for path in &PATHS {
        // The path after an empty one, which tells what the marks themselves cost; twice a round.
        let counts = tracer::count(&["--traced", path.name, &ROUNDS.to_string()])?;
        for (part, name) in ["submit", "take"].into_iter().enumerate() {
            let of = |which: usize| counts.iter().copied().skip(which).step_by(4);
            let marks = of(2 * part).map(|count| count as f64).fold(f64::INFINITY, f64::min);
            let each = of(2 * part + 1).map(|count| (count as f64 - marks) / path.units as f64);
            let summary = Summary::of(each).ok_or("the traced program did nothing")?;
            rows.push(vec![
                format!("{}: {name}", path.name),
                path.unit.to_owned(),
                format!("{:.0}", summary.median),
                format!("{:.0}", summary.min),
                format!("{:.0}", summary.max),
            ]);
        }
    }
    println!("### instructions\n");
    println!("What the submitting thread executes itself, the kernel left out.\n");
    print(&["path", "for each", "median", "min", "max"], 2, &rows);
    Ok(())
}
