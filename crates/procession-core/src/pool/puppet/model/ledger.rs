//! What each task has been through, and what may come of it.

use super::super::worker::mix;
use crate::error::Error;
use crate::task::Terms;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What is said when there is no process to be had.
pub(super) const NO_PROCESS: &str = "there is no process to be had";

/// How a call ends, if its worker lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Value,
    Panic,
}

/// What came of a task.
#[derive(Debug)]
pub(super) enum Came {
    Value(Vec<u8>),
    Error(Error),
}

/// One task, or one item of a map.
#[derive(Debug, Default)]
struct Entry {
    terms: Terms,
    /// A worker runs it since then.
    since: Option<Instant>,
    /// Longest that a worker has run it.
    longest: Duration,
    /// A worker has begun it, or a chunk that it was in.
    was_claimed: bool,
    /// Workers that have died while they ran it.
    lost: u32,
    answer: Option<Answer>,
    /// Why no worker may begin it any more.
    over: Option<&'static str>,
    may_be_cancelled: bool,
    must_be_cancelled: bool,
    /// Nobody wants it, and nothing comes of it.
    is_dropped: bool,
    /// Something comes of it, but nobody sees it.
    is_forgotten: bool,
    /// It was handed in when the pool was closed.
    is_refused: bool,
    /// The pool counts it.
    is_counted: bool,
    has_outcome: bool,
}

/// All tasks by their numbers, and what the pool was told.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: BTreeMap<u64, Entry>,
    pub(super) is_closed: bool,
    pub(super) is_terminated: bool,
    /// There was no process to be had: if all others are gone that is the end of a pool.
    pub(super) may_break: bool,
    /// How many tasks nobody looks at.
    pub(super) forgotten: u64,
    pub(super) totals: Totals,
}

/// How many tasks have come to what.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) submitted: u64,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) lost: u64,
    pub(super) timed_out: u64,
    pub(super) cancelled: u64,
    pub(super) dropped: u64,
}

impl Ledger {
    /// Notes tasks that are handed in; gives the first one's number.
    pub(super) fn hand_in(&mut self, count: u64, terms: Terms) -> u64 {
        let first = self.entries.last_key_value().map_or(1, |(last, _)| last + 1);
        let is_refused = self.is_closed;
        for number in first..first + count {
            let entry = Entry { terms, is_refused, ..Entry::default() };
            self.entries.insert(number, entry);
        }
        first
    }

    /// The pool counts them as its own, be it to refuse them.
    pub(super) fn count(&mut self, first: u64, count: u64) {
        (first..first + count).for_each(|number| self.entry(number).is_counted = true);
        self.totals.submitted += count;
    }

    fn entry(&mut self, number: u64) -> &mut Entry {
        self.entries.get_mut(&number).expect("a task that was handed in")
    }

    /// A worker begins it, after so many attempts as it was told.
    pub(super) fn begin(&mut self, number: u64, now: Instant, attempts_before: u32) {
        let has_ended = self.is_terminated;
        let entry = self.entry(number);
        assert!(entry.since.is_none(), "{number} runs twice at a time");
        assert!(entry.answer.is_none(), "{number} runs again after its answer");
        // An item of a map may have been got by a worker before the pool could refuse it.
        assert!(!entry.is_refused || entry.is_counted, "{number} was refused, and runs");
        assert!(has_ended || entry.over.is_none(), "{number} runs, and {:?}", entry.over);
        assert!(entry.lost <= entry.terms.retries, "{number} runs after its last attempt");
        assert_eq!(attempts_before, entry.lost, "attempts of {number}");
        entry.since = Some(now);
    }

    /// A worker begins what these travel in.
    pub(super) fn claim(&mut self, numbers: &[u64]) {
        numbers.iter().for_each(|number| self.entry(*number).was_claimed = true);
    }

    /// A worker answers it.
    pub(super) fn answer(&mut self, number: u64, answer: Answer, now: Instant) {
        self.stop(number, now);
        self.entry(number).answer = Some(answer);
    }

    /// Its worker has died while it ran it.
    pub(super) fn lose(&mut self, number: u64, now: Instant) {
        self.stop(number, now);
        self.entry(number).lost += 1;
    }

    fn stop(&mut self, number: u64, now: Instant) {
        let entry = self.entry(number);
        let since = entry.since.take().expect("a task that runs");
        entry.longest = entry.longest.max(now - since);
    }

    /// Whether a worker runs it.
    pub(super) fn is_running(&self, number: u64) -> bool {
        self.entries[&number].since.is_some()
    }

    /// How long a worker has run a task that has a limit, and the limit.
    pub(super) fn time_of(&self, number: u64, now: Instant) -> Option<(Duration, Duration)> {
        let entry = &self.entries[&number];
        Some((now - entry.since?, entry.terms.timeout?))
    }

    /// It was cancelled, or may have been: it is not begun any more. With `must` nothing else may come of it.
    pub(super) fn cancel(&mut self, number: u64, must: bool) {
        let entry = self.entry(number);
        entry.may_be_cancelled = true;
        entry.must_be_cancelled |= must && !entry.has_outcome;
        entry.over.get_or_insert("it was cancelled");
    }

    /// It may be cancelled if its worker is killed before it has answered.
    pub(super) fn may_cancel(&mut self, number: u64) {
        self.entry(number).may_be_cancelled = true;
    }

    /// Nobody wants it any more.
    pub(super) fn drop_task(&mut self, number: u64) {
        let entry = self.entry(number);
        entry.is_dropped = true;
        entry.over = Some("it was dropped");
        self.totals.dropped += 1;
    }

    /// Whether there is nothing to come of it.
    pub(super) fn is_settled(&self, number: u64) -> bool {
        let entry = &self.entries[&number];
        entry.has_outcome || entry.is_dropped || entry.is_forgotten
    }

    /// Whether no worker has had anything to do with it, and it is not over.
    pub(super) fn is_untouched(&self, number: u64) -> bool {
        let entry = &self.entries[&number];
        !entry.was_claimed && entry.over.is_none() && !entry.has_outcome && !entry.is_refused
    }

    /// What has come of it is what may.
    pub(super) fn check(&mut self, number: u64, came: &Came, now: Instant) {
        let (is_closed, is_terminated) = (self.is_closed, self.is_terminated);
        let entry = self.entries.get_mut(&number).expect("a task that was handed in");
        assert!(!entry.has_outcome, "{number} has a second outcome: {came:?}");
        assert!(!entry.is_dropped, "{number} was dropped, and has an outcome: {came:?}");
        entry.has_outcome = true;
        entry.over.get_or_insert("it has its outcome");
        let ran = entry.since.map_or(entry.longest, |since| entry.longest.max(now - since));
        let is_late = entry.terms.timeout.is_some_and(|limit| ran >= limit);
        let is_right = match came {
            Came::Value(bytes) => {
                assert_eq!(bytes[..], mix(number).to_le_bytes(), "the value of {number}");
                entry.answer == Some(Answer::Value) && !entry.must_be_cancelled
            }
            Came::Error(error) if error.is_panicked() => entry.answer == Some(Answer::Panic),
            Came::Error(error) if error.is_cancelled() => entry.may_be_cancelled,
            Came::Error(error) if error.is_terminated() => is_terminated,
            Came::Error(error) if error.is_closed() => entry.is_refused && is_closed,
            Came::Error(error) if error.is_timed_out() => is_late,
            Came::Error(error) if error.is_worker_lost() => {
                entry.answer.is_none() && entry.lost == entry.terms.retries + 1
            }
            Came::Error(error) => is_broken(error) && self.may_break,
        };
        assert!(is_right, "{number} has come to {came:?}: {entry:?}");
        let totals = &mut self.totals;
        match came {
            Came::Value(_) => totals.succeeded += 1,
            Came::Error(_) if !entry.is_counted => {}
            Came::Error(error) => {
                totals.failed += 1;
                totals.lost += u64::from(error.is_worker_lost());
                totals.timed_out += u64::from(error.is_timed_out());
                totals.cancelled += u64::from(error.is_cancelled());
            }
        }
    }

    /// Nobody will look at it.
    pub(super) fn forget(&mut self, number: u64) {
        self.entry(number).is_forgotten = true;
        self.forgotten += 1;
    }

    /// Everything has had what comes of it.
    pub(super) fn check_all(&self) {
        for (number, entry) in &self.entries {
            let is_over = entry.has_outcome || entry.is_dropped || entry.is_forgotten;
            assert!(is_over, "{number} has no outcome: {entry:?}");
        }
    }
}

/// Whether it says what a play says when there is no process to be had.
fn is_broken(error: &Error) -> bool {
    error.to_string().contains(NO_PROCESS)
}
