//! Mixed work for as long as one likes, on processes and threads that are killed, stopped and resumed,
//! in pools that are made and ended meanwhile. Every task is accounted for.
//!
//! `cargo run --release -p procession-testing --bin soak -- --seconds 600 --seed 1`
//!
//! It exits with failure, and says why, when a task has no outcome, or one that it cannot have; when
//! a pool's counts do not add up; when something is left behind; when nothing moves any more. The
//! seed decides what is done, by whom and in which order; when the system does it is not repeated.

mod alone;
mod board;
mod bully;
mod deed;
mod holdings;
mod life;
mod submit;
mod tally;

use board::{Board, Watch};
use holdings::Holdings;
use procession_testing::Random;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tally::Tally;

/// Threads that make pools, each one pool at a time.
const LIVES: usize = 3;

fn option(name: &str, default: u64) -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    arguments.next().map_or(default, |value| value.parse().expect("a number"))
}

/// Everything that is made once and stays is made by these.
fn warm_up(board: &Board, seed: u64) {
    let tally = Tally::new(seed, 3_600);
    let mut random = Random::new(seed);
    for shape in life::Shape::all() {
        let lived = life::live_once(&tally, board, &mut random, shape, Duration::from_millis(100));
        lived.expect("a pool can be made");
    }
    let commons = deed::Commons::new(&mut random).expect("shared data can be made");
    for _ in 0..10 {
        alone::live_once(&tally, &commons, &mut random).expect("a process can be made");
    }
    assert_eq!(tally.reasons(), [""; 0]);
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
#[procession::main]
fn main() -> ExitCode {
    let (seconds, seed) = (option("--seconds", 30), option("--seed", 1));
    println!("soak: --seconds {seconds} --seed {seed}");
    holdings::be_frugal();
    let board = Arc::new(Board::default());
    let tally = Arc::new(Tally::new(seed, seconds));
    let watch = Watch::start(&tally, &board);
    warm_up(&board, seed);
    let before = Holdings::at_rest();
    std::thread::scope(|scope| {
        let mut random = Random::new(seed);
        let (tally, board) = (&*tally, &*board);
        for _ in 0..LIVES {
            let random = Random::new(random.number());
            scope.spawn(move || life::live(tally, board, random));
        }
        let random = Random::new(random.number());
        scope.spawn(move || alone::live(tally, random));
    });
    let (after, leaked) = Holdings::settle(&before);
    drop(watch);
    leaked.into_iter().for_each(|what| tally.accuse(what));
    let (begun, accounted) = tally.balance();
    if begun != accounted {
        tally.accuse(format!("{begun} tasks, but {accounted} accounted for"));
    }
    println!("{tally}");
    println!("at the start     {before}");
    println!("at the end       {after}");
    let reasons = tally.reasons();
    if reasons.is_empty() {
        println!("soak: all is well");
        return ExitCode::SUCCESS;
    }
    for reason in &reasons {
        println!("failed: {reason}");
    }
    println!(
        "again: cargo run --release -p procession-testing --bin soak -- --seconds {seconds} --seed {seed}"
    );
    ExitCode::FAILURE
}
