//! Resources of which there is a certain amount, and no more.

use crate::report::{require, say};
use crate::work::Turns;
use procession_testing::Leaks;
use std::fs;

type Resource = libc::__rlimit_resource_t;

/// Sets the limit in force, up to what this process may have.
pub(crate) fn limit(resource: Resource, amount: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call fills in the limit.
    assert_eq!(unsafe { libc::getrlimit(resource, &raw mut limit) }, 0);
    limit.rlim_cur = amount.min(limit.rlim_max);
    // SAFETY: the call reads the limit.
    assert_eq!(unsafe { libc::setrlimit(resource, &raw const limit) }, 0);
}

pub(crate) fn open_descriptors() -> u64 {
    // Less the one that reads the folder.
    fs::read_dir("/proc/self/fd").expect("a folder").count() as u64 - 1
}

/// Room for so many more descriptors.
pub(crate) fn descriptors(turns: Turns, amount: u64) {
    let narrow = || limit(libc::RLIMIT_NOFILE, open_descriptors() + amount);
    run(turns, libc::RLIMIT_NOFILE, narrow, &["os error 24", "descriptor"]);
}

/// So many processes and threads, for a user that nobody else is.
pub(crate) fn processes(turns: Turns, amount: u64) {
    become_somebody();
    let narrow = || limit(libc::RLIMIT_NPROC, amount);
    run(turns, libc::RLIMIT_NPROC, narrow, &["os error 11"]);
}

/// Gives up the rights of the superuser, for those of a user that has no other process.
pub(crate) fn become_somebody() -> u32 {
    let user = 100_000 + std::process::id();
    // SAFETY: the call takes a number.
    require("another group", unsafe { libc::setgid(user) });
    // SAFETY: as above.
    require("another user", unsafe { libc::setuid(user) });
    user
}

/// So many KiB of address space more than this program has.
///
/// Small allocations come from memory that it has already: if they fail a program ends, whatever it
/// calls.
pub(crate) fn address_space(turns: Turns, amount: u64) {
    // SAFETY: the calls change where memory comes from, no more.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    // SAFETY: as above.
    unsafe { libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX) };
    drop((0..4096).map(|_| vec![1_u8; 4096]).collect::<Vec<_>>());
    let narrow = || {
        let statm = fs::read_to_string("/proc/self/statm").expect("numbers");
        let pages: u64 = statm.split(' ').next().expect("a number").parse().expect("a number");
        limit(libc::RLIMIT_AS, pages * 4096 + (amount << 10));
    };
    let told = ["os error 12", "os error 11", "memory"];
    run(turns, libc::RLIMIT_AS, narrow, &told);
}

/// Two turns in need, from the program's first use on; then it must work as soon as there is enough
/// again; and then the same once more, which must leave nothing.
fn run(mut turns: Turns, resource: Resource, narrow: impl Fn(), told: &[&str]) {
    let in_need = |turns: &mut Turns| {
        turns.prepare();
        narrow();
        let result = turns.turn();
        limit(resource, u64::MAX);
        match result {
            Ok(()) => say("ok"),
            Err(error) => {
                let text = error.to_string();
                assert!(told.iter().any(|it| text.contains(it)), "{text}");
                say(&format!("refused: {text}"));
            }
        }
    };
    in_need(&mut turns);
    in_need(&mut turns);
    turns.must_work();
    let before = Leaks::count();
    in_need(&mut turns);
    in_need(&mut turns);
    turns.must_work();
    before.assert_nothing_new();
}
