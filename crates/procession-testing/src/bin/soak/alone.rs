//! Processes for a single call, among all the pools.

use crate::deed::{Answer, Commons, Deed, Task, Terms, run};
use crate::tally::{Kind, Tally};
use procession::{Process, StartMethod};
use procession_testing::Random;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Makes processes one after the other until time is up.
pub(crate) fn live(tally: &Tally, mut random: Random) {
    let commons = match Commons::new(&mut random) {
        Ok(commons) => commons,
        Err(error) => return tally.accuse(format!("shared data could not be made: {error}")),
    };
    while !tally.is_over() {
        std::thread::sleep(Duration::from_millis(random.below(60)));
        if let Err(error) = live_once(tally, &commons, &mut random) {
            tally.accuse(format!("a process could not be made: {error}"));
        }
    }
}

/// One process, from its start to its end.
pub(crate) fn live_once(
    tally: &Tally,
    commons: &Commons,
    random: &mut Random,
) -> procession::Result<()> {
    let terms = Terms { here: false, shared: false, bullied: false };
    let deed = loop {
        let deed = Deed::choose(random, terms, commons);
        // Those print what they panic with.
        if deed.can_be_sent() && !matches!(deed, Deed::Panic | Deed::PanicOddly) {
            break deed;
        }
    };
    let task = Task { ticket: tally.ticket(), deed };
    let method = if random.below(2) == 0 { StartMethod::Spawn } else { StartMethod::ForkServer };
    let mut process = Process::new(run, (task.clone(),)).start_method(method);
    process.start()?;
    tally.processes.fetch_add(1, Ordering::Relaxed);
    let ended_by = match random.below(8) {
        0 => process.kill().map(|()| Some(libc::SIGKILL))?,
        1 => process.terminate().map(|()| Some(libc::SIGTERM))?,
        2 => {
            // It ends by itself, and the program waits for that at its own end.
            drop(process);
            tally.dropped.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        _ => None,
    };
    let since = Instant::now();
    judge(tally, &task, &process.join(), terms, ended_by, since);
    Ok(())
}

fn judge(
    tally: &Tally,
    task: &Task,
    outcome: &procession::Result<Answer>,
    terms: Terms,
    ended_by: Option<i32>,
    since: Instant,
) {
    if let Err(error) = outcome
        && ended_by.is_some()
        && (error.signal() == ended_by || error.is_broken())
    {
        // Broken: it was ended before it had said hello.
        return tally.note(Kind::Lost, since);
    }
    match task.judge(outcome, terms) {
        Ok(kind) => tally.note(kind, since),
        Err(reason) => {
            tally.note(Kind::Other, since);
            tally.accuse(format!("a process ({ended_by:?}): {reason}"));
        }
    }
}
