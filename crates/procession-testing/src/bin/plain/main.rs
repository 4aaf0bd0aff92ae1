//! Plain programs that hang, or lose something, elsewhere: `plain CASE WORKERS METHOD`.
//!
//! Each is as short as a user would write it, and says `ok` when all is as it should be and nothing is
//! left. `plain` alone lists the cases.

#![allow(unsafe_code)]

mod deaths;
mod ends;
mod results;
mod world;

use procession_testing::{Alarm, leave_no_cores};
use std::time::Duration;
use world::World;

/// Longest time for a case, by far.
const LIMIT: Duration = Duration::from_secs(100);

type Case = (&'static str, fn(World));

const CASES: [Case; 11] = [
    ("three large tasks for two workers", results::three_large_tasks_for_two_workers),
    ("the second result first", results::the_second_result_first),
    ("join with results unread", results::join_with_results_unread),
    ("every handle dropped", results::every_handle_dropped),
    ("few descriptors", results::few_descriptors),
    ("death with an argument in flight", deaths::death_with_an_argument_in_flight),
    ("death at any time of a large call", deaths::death_at_any_time_of_a_large_call),
    (EARLY_RETURN, deaths::early_return),
    ("never waits and drops", ends::never_waits_and_drops),
    ("never waits and forgets", ends::never_waits_and_forgets),
    ("exits", ends::exits),
];

/// In this case children never come to `init`.
const EARLY_RETURN: &str = "early return";

/// Prints a line that a test reads.
#[expect(clippy::print_stdout, reason = "the test reads it")]
fn say(line: &str) {
    println!("{line}");
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let case = arguments.next().unwrap_or_default();
    let is_child = std::env::var_os("PROCESSION_WORKER").is_some();
    if is_child && case == EARLY_RETURN {
        return;
    }
    procession::init();
    leave_no_cores();
    let Some((name, run)) = CASES.iter().find(|(name, _)| *name == case) else {
        CASES.iter().for_each(|(name, _)| say(name));
        return;
    };
    let _alarm = Alarm::set(name, LIMIT);
    run(World::from_arguments(arguments));
}
