//! Plain programs that hang, or lose something, elsewhere, each a test.
//!
//! The programs are the cases of `plain`, which are as short as a user would write them. Each runs for
//! every start method and layout, by itself, in a process group that must be empty afterwards.

use procession::StartMethod;
use procession_testing::Program;
use std::process::{Command, Stdio};
use std::time::Duration;

const METHODS: [StartMethod; 3] = [StartMethod::Spawn, StartMethod::ForkServer, StartMethod::Fork];

/// Longest time for one program, by far.
const LIMIT: Duration = Duration::from_secs(120);

fn run(case: &str, layout: &str, method: StartMethod) {
    let what = format!("{case}, {layout}, {method}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_plain"));
    command.args([case, layout, &method.to_string()]);
    let said = Program::start(&mut command, Stdio::inherit()).finish(&what, LIMIT);
    assert!(said.ends_with("ok\n"), "{what}: {said}");
}

/// Runs a program whose workers are processes.
fn in_processes(case: &str) {
    for method in METHODS {
        run(case, "processes", method);
        run(case, "team", method);
    }
}

/// Runs a program wherever workers can be.
fn everywhere(case: &str) {
    in_processes(case);
    run(case, "threads", StartMethod::Spawn);
}

#[test]
fn three_large_tasks_are_submitted_to_two_workers_before_a_result_is_taken() {
    everywhere("three large tasks for two workers");
}

#[test]
fn the_second_result_is_taken_before_the_first() {
    everywhere("the second result first");
}

#[test]
fn a_pool_is_joined_with_its_results_unread() {
    everywhere("join with results unread");
}

#[test]
fn every_handle_is_dropped_and_every_task_runs() {
    everywhere("every handle dropped");
}

#[test]
fn a_hundred_thousand_tasks_need_no_more_than_256_descriptors() {
    everywhere("few descriptors");
}

#[test]
fn a_worker_dies_while_a_large_argument_is_in_flight() {
    in_processes("death with an argument in flight");
}

#[test]
fn a_worker_dies_at_any_time_of_a_large_call() {
    in_processes("death at any time of a large call");
}

#[test]
fn main_returns_before_it_comes_to_init() {
    in_processes("early return");
}

#[test]
fn main_waits_for_nothing_and_drops_its_pool() {
    everywhere("never waits and drops");
}

#[test]
fn main_waits_for_nothing_and_forgets_its_pool() {
    everywhere("never waits and forgets");
}

#[test]
fn main_exits_with_tasks_pending() {
    everywhere("exits");
}
