//! The fault table: what breaks, at every moment, in every kind of child; each with the outcome that is
//! declared for it (`declared`). Combinations that do not exist are left out by rule (`rule`).
//!
//! ```text
//! faults [--list] [--only WORD]... [--part K/N] [--twice] [--seed S]
//! ```
//!
//! `--list` shows the cases, `--only` takes those whose name has all the words in it, `--part` every
//! N-th from the K-th on, `--twice` runs all of it two times, and with a seed there are random delays
//! where processes wait for each other. Exits with 1 when a case did not come out as declared.

mod asked;
mod case;
mod declared;
mod deeds;
mod driver;
mod early;
mod marks;
mod moments;
mod order;
mod rule;

use driver::Options;
use std::process::ExitCode;

fn main() -> ExitCode {
    early::main_begins();
    procession::init();
    if early::is_child() {
        eprintln!("faults: a child takes itself for the program");
        return ExitCode::from(99);
    }
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("faults: {why}");
            return ExitCode::from(2);
        }
    };
    if driver::run(&options) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
