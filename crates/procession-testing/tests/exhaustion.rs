//! Programs that something was taken from: descriptors, processes, address space, shared memory with
//! a name, streams, signals, the statuses of their children. All works, or is refused with a reason;
//! nothing hangs, nothing is left.
//!
//! Each row runs in a program of its own (`exhausted`), for each start method, in a process group that
//! must be empty afterwards. Rows that this system does not permit are skipped, and say why.

use procession::StartMethod;
use procession_testing::Program;
use std::process::{Command, Stdio};
use std::time::Duration;

const METHODS: [StartMethod; 3] = [StartMethod::Spawn, StartMethod::ForkServer, StartMethod::Fork];

/// Longest time for a row, by far.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs a row; gives how many of its turns worked, and how many were refused. Both are 0 if it was
/// skipped.
fn row(situation: &str, method: StartMethod, amount: u64) -> (usize, usize) {
    let what = format!("{situation}, {method}, {amount}");
    let arguments = [situation.to_owned(), method.to_string(), amount.to_string()];
    let mut command = Command::new(env!("CARGO_BIN_EXE_exhausted"));
    let said = Program::start(command.args(arguments), Stdio::null()).finish(&what, LIMIT);
    if let Some(why) = said.lines().find_map(|line| line.strip_prefix("skipped: ")) {
        eprintln!("skipped: {what}: {why}");
        return (0, 0);
    }
    assert!(said.ends_with("done\n"), "{what}: {said}");
    let count = |begin: &str| said.lines().filter(|line| line.starts_with(begin)).count();
    (count("ok"), count("refused"))
}

/// Runs a situation in which everything works.
fn works(situation: &str) {
    for method in METHODS {
        let (_, refused) = row(situation, method, 0);
        assert_eq!(refused, 0, "{situation}, {method}");
    }
}

/// Runs a situation with less and less taken away: with the least amount there is nothing but
/// refusals, save for the turns that have enough, and with the most there are none.
fn works_or_says_why(situation: &str, amounts: &[u64]) {
    for method in METHODS {
        let rows: Vec<_> = amounts.iter().map(|amount| row(situation, method, *amount)).collect();
        eprintln!("{situation}, {method}: {rows:?} (worked, refused) with {amounts:?}");
        if !rows.contains(&(0, 0)) {
            assert_eq!(rows[0], (2, 4), "{situation}, {method}: {} is too little", amounts[0]);
            assert_eq!(rows.last(), Some(&(6, 0)), "{situation}, {method}: the last is enough");
        }
    }
}

#[test]
fn few_descriptors() {
    works_or_says_why("descriptors", &[0, 1, 2, 3, 4, 5, 7, 9, 11, 13, 15, 40]);
}

#[test]
fn few_processes() {
    works_or_says_why("processes", &[1, 2, 3, 4, 5, 6, 20]);
}

#[test]
fn little_address_space() {
    works_or_says_why("address space", &[16, 300, 700, 1100, 1500, 2100, 2500, 65536]);
}

#[test]
fn a_running_pool_without_descriptors() {
    for method in METHODS {
        row("growth", method, 0);
        row("worker growth", method, 0);
    }
}

#[test]
fn closed_streams() {
    for method in METHODS {
        for streams in 1..8 {
            assert_eq!(row("closed streams", method, streams), (2, 0), "{method}, {streams:03b}");
        }
    }
}

#[test]
fn blocked_signals() {
    works("blocked signals");
}

#[test]
fn no_shared_file_system() {
    works("no shared file system");
}

#[test]
fn no_proc() {
    for method in METHODS {
        row("no proc", method, 0);
    }
}

#[test]
fn the_first_process_of_a_container() {
    works("first process");
}

#[test]
fn rights_that_were_dropped() {
    works("dropped rights");
}

#[test]
fn statuses_that_are_ignored() {
    works("ignored");
}

#[test]
fn statuses_that_are_not_kept() {
    works("not kept");
}

#[test]
fn statuses_that_a_handler_takes() {
    works("handler");
}

#[test]
fn statuses_that_a_thread_takes() {
    works("thief");
}
