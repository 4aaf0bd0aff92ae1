//! Work in a program that something was taken from: `exhausted SITUATION METHOD [AMOUNT]`.
//!
//! Each situation makes its world, does the work of `work.rs` or some of its own, and checks that all
//! is right, or refused with a reason that names what is missing, and that nothing is left. It says
//! `ok`, `refused: WHY` or `skipped: WHY` for each turn.

#![allow(unsafe_code)]

mod growth;
mod narrow;
mod report;
mod sigchld;
mod work;
mod world;

use procession::StartMethod;
use report::{finish, say};
use work::Turns;

/// What the arguments ask for.
struct Order {
    situation: String,
    method: StartMethod,
    amount: u64,
}

impl Order {
    fn from_arguments() -> Self {
        let mut arguments = std::env::args().skip(1);
        let situation = arguments.next().expect("a situation");
        let method = arguments.next().expect("a start method");
        let methods = [StartMethod::Spawn, StartMethod::ForkServer, StartMethod::Fork];
        let method = methods.into_iter().find(|it| it.to_string() == method);
        let amount = arguments.next().map_or(0, |amount| amount.parse().expect("a number"));
        Self { situation, method: method.expect("a start method"), amount }
    }
}

#[procession::main]
fn main() {
    report::open();
    let Order { situation, method, amount } = Order::from_arguments();
    let turns = Turns::new(method);
    match &*situation {
        "descriptors" => narrow::descriptors(turns, amount),
        "processes" => narrow::processes(turns, amount),
        "address space" => narrow::address_space(turns, amount),
        "growth" => growth::program_without_descriptors(method),
        "worker growth" => growth::worker_without_descriptors(method),
        "closed streams" => world::close_streams(turns, amount),
        "blocked signals" => world::block_signals(turns),
        "no shared file system" => world::without_shared_files(turns),
        "no proc" => world::without_proc(turns),
        "first process" => world::as_first_process(method),
        "as the first" => turns.all_work(),
        "dropped rights" => world::drop_rights(turns),
        "ignored" => sigchld::ignore(turns),
        "not kept" => sigchld::keep_no_statuses(turns),
        "handler" => sigchld::reap_in_a_handler(turns),
        "thief" => sigchld::reap_in_a_thread(turns),
        other => panic!("there is no situation {other:?}"),
    }
    finish();
    say("done");
}
