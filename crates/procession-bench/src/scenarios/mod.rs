//! The scenarios, and who takes part in which: one file for each family.

mod kernels;
mod large;
mod lives;
mod maps;
mod queues;
mod rates;
mod schedules;
mod sharing;
mod trips;

use crate::harness::{Plan, Scenario};

/// All scenarios, in the order of the table.
pub(crate) fn all(plan: Plan) -> Vec<Scenario> {
    // The lives come first, while this process is small: a fork pays for every page of it.
    [
        lives::all,
        trips::all,
        rates::all,
        maps::all,
        large::all,
        schedules::all,
        kernels::all,
        queues::all,
        sharing::all,
    ]
    .into_iter()
    .flat_map(|family| family(plan))
    .collect()
}

/// A size as it is written in names: `1 KiB`, `64 MiB`.
fn size_name(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..0x10_0000 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}
