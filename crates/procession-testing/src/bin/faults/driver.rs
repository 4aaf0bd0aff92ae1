//! Runs the cases, one after the other, each under its bound and between two counts of what the process
//! holds; and says how it went.

#![expect(clippy::print_stdout, reason = "the report of a program")]

use crate::case::{Case, Layout, Moment, all};
use crate::early;
use crate::marks::{Marks, folder_of};
use crate::moments::play;
use crate::rule::{Reason, impossible};
use procession::{Process, StartMethod};
use procession_testing::{Alarm, Leaks, children, leave_no_cores, send, wait_for};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// What to run.
#[derive(Debug, Default)]
pub(crate) struct Options {
    list: bool,
    twice: bool,
    words: Vec<String>,
    part: Option<(usize, usize)>,
}

impl Options {
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match &*argument {
                "--list" => options.list = true,
                "--twice" => options.twice = true,
                "--only" => options.words.push(value()?),
                "--part" => {
                    let text = value()?;
                    let numbers = text.split_once('/');
                    let part = numbers.and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
                    let is_part = |(k, n): &(usize, usize)| *k >= 1 && k <= n;
                    options.part = Some(
                        part.filter(is_part).ok_or(format!("{text} is no part, such as 1/4"))?,
                    );
                }
                _ => return Err(format!("{argument} is no option")),
            }
        }
        Ok(options)
    }

    fn wants(&self, index: usize, case: &Case) -> bool {
        let name = case.to_string();
        self.words.iter().all(|word| name.split('/').any(|part| part == word))
            && self.part.is_none_or(|(k, n)| index % n == k - 1)
    }
}

/// How long a case may take, by far: it is ended then.
pub(crate) fn bound(case: &Case) -> Duration {
    let grace =
        if case.moment == Moment::Terminate && case.layout != Layout::Process { 3 } else { 0 };
    Duration::from_secs(10 + grace)
}

/// What was run.
#[derive(Debug, Default)]
struct Tally {
    run: usize,
    skipped: BTreeMap<Reason, usize>,
    failed: Vec<String>,
    longest: Option<(Duration, Case)>,
}

/// Runs what the options say; `false` when a case did not come out as declared.
pub(crate) fn run(options: &Options) -> bool {
    let mut tally = Tally::default();
    let mut cases = Vec::new();
    for case in all() {
        match impossible(&case) {
            Some(reason) => *tally.skipped.entry(reason).or_default() += 1,
            None => cases.push(case),
        }
    }
    let wanted = cases.iter().enumerate().filter(|(index, case)| options.wants(*index, case));
    let wanted: Vec<Case> = wanted.map(|(_, case)| *case).collect();
    if options.list {
        for case in wanted {
            println!("{case}, within {:?}", bound(&case));
        }
        return true;
    }
    early::prepare().expect("nothing was started yet");
    leave_no_cores();
    let times = if options.twice { 2 } else { 1 };
    for (number, case) in wanted.iter().cycle().take(times * wanted.len()).enumerate() {
        tally.add(case, number);
    }
    std::fs::remove_dir_all(folder_of(std::process::id())).expect("the folder is ours");
    tally.report();
    tally.failed.is_empty()
}

/// The launcher's thread and its descriptors are made once and stay, and so does the template until a
/// case ends it.
fn make_what_stays() {
    if !children().is_empty() {
        return;
    }
    let mut first = Process::new(|| (), ()).start_method(StartMethod::ForkServer);
    first.start().expect("a process starts");
    first.join().expect("a process ends");
}

impl Tally {
    fn add(&mut self, case: &Case, number: usize) {
        let marks = Marks::new(number);
        make_what_stays();
        let before = Leaks::count();
        if case.moment == Moment::BeforeHello {
            end_the_template();
        }
        let start = Instant::now();
        let guard = Alarm::set(&case.to_string(), bound(case));
        let ended = catch_unwind(AssertUnwindSafe(|| {
            play(case, &marks);
            before.assert_nothing_new();
        }));
        drop(guard);
        let time = start.elapsed();
        self.run += 1;
        if ended.is_err() {
            println!("NOT AS DECLARED: {case}");
            self.failed.push(case.to_string());
        }
        if self.longest.is_none_or(|(longest, _)| time > longest) {
            self.longest = Some((time, *case));
        }
        marks.clear();
    }

    fn report(&self) {
        println!("{} cases run, {} not as declared", self.run, self.failed.len());
        for case in &self.failed {
            println!("    {case}");
        }
        for (reason, count) in &self.skipped {
            println!("{count} combinations are none: {reason}");
        }
        if let Some((time, case)) = &self.longest {
            println!("longest: {case}, {time:.3?} of {:?}", bound(case));
        }
    }
}

/// Ends the template, so that the next child's is a new one. No pool lives, so it is the only child.
fn end_the_template() {
    for pid in children() {
        send(pid as i32, libc::SIGKILL);
    }
    wait_for("the template's end", Duration::from_secs(20), || children().is_empty());
}
