//! Who submits tasks, takes their results in all the ways there are, and judges them.

use crate::deed::{Answer, Deed, Task, Terms, run};
use crate::life::Life;
use crate::tally::{Kind, Tally};
use procession::{AsyncResult, Error, Pool, Result};
use procession_testing::{Random, block_on};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Most results that one thread leaves untaken.
const OPEN_MAX: usize = 150;

/// A submitted task whose result nobody has taken yet.
#[derive(Debug)]
pub(crate) struct Open {
    task: Task,
    result: AsyncResult<Answer>,
}

/// A thread's work on one pool.
pub(crate) struct Submitter<'a> {
    tally: &'a Tally,
    life: &'a Life,
    pool: &'a Pool,
    random: Random,
    open: Vec<Open>,
}

impl<'a> Submitter<'a> {
    pub(crate) fn new(tally: &'a Tally, life: &'a Life, pool: &'a Pool, random: Random) -> Self {
        Self { tally, life, pool, random, open: Vec::new() }
    }

    /// Works until then; hands over what it left untaken.
    pub(crate) fn work(mut self, until: Instant) -> Vec<Open> {
        while Instant::now() < until && !self.tally.is_over() {
            match self.random.below(40) {
                0 => self.map(),
                1 => self.map_lazily(),
                2 => self.map_in_any_order(),
                3 => self.drop_one(),
                4..16 => self.take_one(),
                _ if self.open.len() < OPEN_MAX => self.submit(),
                _ => self.take_one(),
            }
        }
        if self.random.below(2) == 0 {
            while !self.open.is_empty() {
                self.take_one();
            }
        }
        self.open
    }

    fn task(&mut self) -> Task {
        let deed = Deed::choose(&mut self.random, self.life.terms, &self.life.commons);
        Task { ticket: self.tally.ticket(), deed }
    }

    fn submit(&mut self) {
        let task = self.task();
        let result = self.pool.apply_async(run, (task.clone(),));
        self.open.push(Open { task, result });
    }

    fn pick(&mut self) -> Option<Open> {
        if self.open.is_empty() {
            return None;
        }
        Some(self.open.swap_remove(self.random.below(self.open.len() as u64) as usize))
    }

    fn drop_one(&mut self) {
        if self.pick().is_some() {
            self.tally.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn take_one(&mut self) {
        if let Some(open) = self.pick() {
            open.take(self.tally, self.life, &mut self.random);
        }
    }

    fn tasks(&mut self) -> Vec<Task> {
        let mut tasks = Vec::new();
        let most = 1 << self.random.below(9);
        for _ in 0..self.random.below(most) {
            let task = self.task();
            if task.deed.can_be_sent() {
                tasks.push(task);
            } else {
                self.tally.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        tasks
    }

    /// A whole map: one failure stands for all that there were.
    fn map(&mut self) {
        let tasks = self.tasks();
        let since = Instant::now();
        let outcome = match self.random.below(3) {
            0 => self.pool.map(run, tasks.clone()),
            1 => self.pool.map_async(run, tasks.clone()).get(),
            _ => {
                let chunk = 1 + self.random.below(20) as usize;
                self.pool.chunksize(chunk).map_async(run, tasks.clone()).get()
            }
        };
        match outcome {
            Ok(answers) if answers.len() == tasks.len() => {
                for (task, answer) in tasks.iter().zip(answers) {
                    judge(self.tally, self.life, task, &Ok(answer), since);
                }
            }
            Ok(answers) => {
                let what = format!("{} answers of {} items", answers.len(), tasks.len());
                self.tally.accuse(format!("{}: a map gave {what}", self.life.name));
            }
            Err(error) => {
                let outcome = Err(error);
                let is_possible = |task: &&Task| task.judge(&outcome, self.life.terms).is_ok();
                match tasks.iter().find(is_possible) {
                    Some(task) => judge(self.tally, self.life, task, &outcome, since),
                    None => self.accuse_error(&outcome),
                }
                let rest = tasks.len().saturating_sub(1) as u64;
                self.tally.dropped.fetch_add(rest, Ordering::Relaxed);
            }
        }
    }

    /// A map failed as none of its items can have; unless the pool did not take it at all.
    fn accuse_error(&self, outcome: &Result<Answer>) {
        if let Err(error) = outcome
            && !(is_end(error) && self.life.allows(Kind::of(error)))
        {
            self.tally.accuse(format!("{}: a map failed with: {error}", self.life.name));
        }
    }

    /// How many results of a lazy map are taken: mostly all.
    fn wanted(&mut self, items: usize) -> usize {
        let some = self.random.below(items as u64 + 1) as usize;
        if self.random.below(3) == 0 { some } else { items }
    }

    /// Notes the items of a lazy map of whose outcome nothing is known: the map ended before them.
    fn forsake(&self, items: usize, refused: bool, wanted: usize, taken: usize) {
        self.tally.dropped.fetch_add(items as u64, Ordering::Relaxed);
        if taken < wanted && !refused {
            let what = format!("{taken} of {wanted} results");
            self.tally.accuse(format!("{}: a lazy map gave {what}", self.life.name));
        }
    }

    fn map_lazily(&mut self) {
        let tasks = self.tasks();
        let wanted = self.wanted(tasks.len());
        let chunk = 1 + self.random.below(20) as usize;
        let items = tasks.clone();
        let mut outcomes: Box<dyn Iterator<Item = Result<Answer>>> = match self.random.below(2) {
            0 => Box::new(self.pool.imap(run, items)),
            _ => Box::new(self.pool.chunksize(chunk).imap(run, items)),
        };
        let (mut taken, mut refused) = (0, false);
        for task in &tasks[..wanted] {
            let since = Instant::now();
            let Some(outcome) = outcomes.next() else { break };
            judge(self.tally, self.life, task, &outcome, since);
            taken += 1;
            refused |= outcome.is_err_and(|error| is_end(&error));
        }
        drop(outcomes);
        self.forsake(tasks.len() - taken, refused, wanted, taken);
    }

    fn map_in_any_order(&mut self) {
        let tasks = self.tasks();
        let wanted = self.wanted(tasks.len());
        let mut outcomes = self.pool.imap_unordered(run, tasks.clone());
        let mut left: HashMap<u64, Task> = tasks.into_iter().map(|t| (t.ticket, t)).collect();
        let items = left.len();
        let (mut taken, mut refused) = (0, false);
        let mut failures = Vec::new();
        while taken < wanted {
            let since = Instant::now();
            let Some(outcome) = outcomes.next() else { break };
            taken += 1;
            match &outcome {
                Ok(answer) => match left.remove(&answer.ticket()) {
                    Some(task) => judge(self.tally, self.life, &task, &outcome, since),
                    None => {
                        let what = format!("task {} came twice, or unasked", answer.ticket());
                        self.tally.accuse(format!("{}: {what}", self.life.name));
                    }
                },
                Err(error) => failures.push((error.clone(), since)),
            }
            refused |= outcome.is_err_and(|error| is_end(&error));
        }
        drop(outcomes);
        // Those that only few can have become first: then it does not matter who gets which.
        failures.sort_by_key(|(error, _)| vagueness(error));
        for (error, since) in failures {
            let (outcome, terms) = (Err(error), self.life.terms);
            let is_possible =
                |terms| left.values().find(|task| task.judge(&outcome, terms).is_ok());
            let whose = is_possible(Terms { shared: false, bullied: false, ..terms });
            let whose = whose.or_else(|| is_possible(terms)).map(|task| task.ticket);
            match whose.and_then(|ticket| left.remove(&ticket)) {
                Some(task) => judge(self.tally, self.life, &task, &outcome, since),
                None => self.accuse_error(&outcome),
            }
        }
        self.forsake(items - taken, refused, wanted, taken);
    }
}

fn judge(tally: &Tally, life: &Life, task: &Task, outcome: &Result<Answer>, since: Instant) {
    match task.judge(outcome, life.terms) {
        Ok(kind) if life.allows(kind) => tally.note(kind, since),
        Ok(kind) => {
            tally.note(kind, since);
            let what = format!("task {} became {kind:?} too early", task.ticket);
            tally.accuse(format!("{}: {what}", life.name));
        }
        Err(reason) => {
            tally.note(Kind::Other, since);
            tally.accuse(format!("{}: {reason}", life.name));
        }
    }
}

/// Whether it says that the pool takes no more.
fn is_end(error: &Error) -> bool {
    error.is_terminated() || error.is_closed()
}

/// How many kinds of tasks may have failed like this, roughly.
fn vagueness(error: &Error) -> u8 {
    match Kind::of(error) {
        Kind::Terminated | Kind::Closed => 3,
        Kind::Lost if error.signal() == Some(libc::SIGKILL) => 2,
        Kind::Lost => 1,
        _ => 0,
    }
}

impl Open {
    /// Waits for the result in one of the ways there are, and judges it.
    pub(crate) fn take(self, tally: &Tally, life: &Life, random: &mut Random) {
        let since = Instant::now();
        let Self { task, mut result } = self;
        let outcome = match random.below(4) {
            0 => loop {
                match result.get_timeout(Duration::from_micros(random.below(2_000))) {
                    Err(error) if error.is_timed_out() && !result.ready() => {}
                    Err(error) if error.is_timed_out() => break result.get(),
                    outcome => break outcome,
                }
            },
            1 => {
                result.wait();
                if result.successful().is_none() {
                    tally.accuse(format!("{}: a result was waited for in vain", life.name));
                }
                result.get()
            }
            2 => block_on(result),
            _ => result.get(),
        };
        judge(tally, life, &task, &outcome, since);
    }
}
