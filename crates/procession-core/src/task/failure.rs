//! Failures, and whether somebody has looked at them: `join` reports those that nobody has.
//!
//! Whoever may look at a failure holds it: a handle, a piece of a map that waits to be taken. When nobody
//! else does, nobody ever will. Then it is counted, and only the first of those are remembered, so that any
//! number of tasks can fail that nobody waits for. The others are as many as there are handles.

use crate::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Failures of which more than the number is remembered.
const NAMED_MAX: usize = 8;
/// Failures that are held by somebody before it is looked for the first time whether they still are.
const HELD_MIN: usize = 64;

/// What became of a task, or of several items of a map, instead of a value.
#[derive(Debug)]
pub struct Failure {
    error: Error,
    /// Of how many tasks nobody knows yet.
    unseen: AtomicU64,
}

impl Failure {
    /// One task's.
    pub fn new(error: Error) -> Arc<Self> {
        Self::of_many(error, 1)
    }

    /// That of so many tasks.
    pub fn of_many(error: Error, tasks: u64) -> Arc<Self> {
        Arc::new(Self { error, unseen: AtomicU64::new(tasks) })
    }

    /// What happened, without looking.
    pub(crate) fn error(&self) -> &Error {
        &self.error
    }

    /// Looks at what happened to one of the tasks.
    pub fn look(&self) -> Error {
        let fewer = |unseen: u64| unseen.checked_sub(1);
        // Somebody may look twice, or at all of them before.
        let _ = self.unseen.try_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
        self.error.clone()
    }

    /// Looks at what happened to all of the tasks.
    pub fn look_at_all(&self) -> Error {
        self.unseen.store(0, Ordering::Relaxed);
        self.error.clone()
    }

    /// Nobody wants to know of it, if all that has happened is that the pool was closed.
    pub fn forget_if_closed(&self) {
        if self.error.is_closed() {
            self.unseen.store(0, Ordering::Relaxed);
        }
    }

    /// Of how many tasks nobody knows yet.
    fn unseen(&self) -> u64 {
        self.unseen.load(Ordering::Relaxed)
    }

    /// Whether it is news to whoever joins the pool: not what the user has asked for, and not that the pool
    /// is broken, which is said anyway.
    fn is_news(&self) -> bool {
        !self.error.is_terminated() && !self.error.is_cancelled() && !self.error.is_broken()
    }
}

/// The failures of a pool.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    /// How many there were so far: each has a number.
    noted: u64,
    /// Those that somebody may look at yet, in their order, with their numbers.
    held: Vec<(u64, Arc<Failure>)>,
    /// When there are more than these, those that nobody holds any more are sorted out.
    held_max: usize,
    /// Of how many tasks that failed nobody will ever know.
    lost: u64,
    /// The first of those, in their order, with their numbers.
    named: Vec<(u64, Error)>,
}

impl Failures {
    /// Notes a failure, unless it is what the user has asked for.
    pub(crate) fn note(&mut self, failure: &Arc<Failure>) {
        if !failure.is_news() || failure.unseen() == 0 {
            return;
        }
        self.held.push((self.noted, failure.clone()));
        self.noted += 1;
        if self.held.len() > self.held_max {
            self.sort_out();
            self.held_max = HELD_MIN.max(2 * self.held.len());
        }
    }

    /// Lets go of those that somebody has looked at, and counts those that nobody can look at any more.
    fn sort_out(&mut self) {
        let Self { held, lost, named, .. } = self;
        held.retain_mut(|(number, failure)| {
            // Nobody else has it: what the last holder has seen is known here.
            let is_final = Arc::get_mut(failure).is_some();
            let unseen = failure.unseen();
            if is_final && unseen > 0 {
                *lost += unseen;
                let place = named.partition_point(|(other, _)| other < number);
                if place < NAMED_MAX {
                    named.insert(place, (*number, failure.error.clone()));
                    named.truncate(NAMED_MAX);
                }
            }
            !is_final && unseen > 0
        });
    }

    /// That the pool is broken, and what nobody has looked at: one error for all of it.
    pub(crate) fn unseen_beside(&mut self, broken: &Error) -> Error {
        let Some(unseen) = self.unseen() else { return broken.clone() };
        let first = std::iter::once(broken).chain(unseen.failures()).take(NAMED_MAX);
        let both = Error::unseen(unseen.failure_count() + 1, first.cloned().collect());
        both.unwrap_or_else(|| broken.clone())
    }

    /// What nobody has looked at: one error for all of it, or none.
    pub(crate) fn unseen(&mut self) -> Option<Error> {
        self.sort_out();
        let mut count = self.lost;
        let mut first = self.named.clone();
        for (number, failure) in &self.held {
            let unseen = failure.unseen();
            // Who submits while somebody else closes the pool is about to look.
            if unseen > 0 && !failure.error.is_closed() {
                count += unseen;
                first.push((*number, failure.error.clone()));
            }
        }
        first.sort_unstable_by_key(|(number, _)| *number);
        first.truncate(NAMED_MAX);
        Error::unseen(count, first.into_iter().map(|(_, error)| error).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(name: impl ToString) -> Arc<Failure> {
        Failure::new(Error::usage(name.to_string()))
    }

    fn told(failures: &mut Failures) -> Vec<String> {
        let unseen = failures.unseen();
        unseen.iter().flat_map(Error::failures).map(ToString::to_string).collect()
    }

    #[test]
    fn the_first_are_named_and_all_are_counted() {
        let mut failures = Failures::default();
        assert!(failures.unseen().is_none());
        for number in 0..100_000 {
            failures.note(&failure(number));
            assert!(failures.held.len() <= HELD_MIN + 1);
        }
        let unseen = failures.unseen().expect("nobody has looked");
        assert_eq!(unseen.failure_count(), 100_000);
        let first: Vec<_> = unseen.failures().iter().map(ToString::to_string).collect();
        assert_eq!(first, ["0", "1", "2", "3", "4", "5", "6", "7"]);
        assert_eq!(failures.unseen().map(|error| error.failure_count()), Some(100_000));
    }

    #[test]
    fn what_is_held_may_be_looked_at_yet() {
        let mut failures = Failures::default();
        let held: Vec<_> = (0..1000).map(failure).collect();
        for (number, held) in held.iter().enumerate() {
            failures.note(held);
            failures.note(&failure(format!("lost {number}")));
        }
        assert_eq!(told(&mut failures)[..3], ["0", "lost 0", "1"]);
        held.iter().skip(1).for_each(|failure| drop(failure.look()));
        let unseen = failures.unseen().map(|error| error.failure_count());
        assert_eq!(unseen, Some(1001));
        assert_eq!(told(&mut failures)[..3], ["0", "lost 0", "lost 1"]);
        drop(held);
        assert_eq!(told(&mut failures)[..3], ["0", "lost 0", "lost 1"]);
    }

    #[test]
    fn those_of_many_tasks_are_looked_at_one_by_one_or_all_at_once() {
        let mut failures = Failures::default();
        let [one, other] = [3, 5].map(|tasks| Failure::of_many(Error::usage("many"), tasks));
        failures.note(&one);
        failures.note(&other);
        let _ = other.look_at_all();
        for left in (0..3).rev() {
            assert_eq!(one.look().to_string(), "many");
            let count = failures.unseen().map_or(0, |error| error.failure_count());
            assert_eq!(count, left);
        }
        let _ = one.look();
        assert!(failures.unseen().is_none());
    }

    #[test]
    fn that_the_pool_is_broken_comes_first() {
        let fault = |why: &str| crate::error::Fault::Broken {
            why: why.to_owned(),
            worker: None,
            exit: None,
            cause: None,
        };
        let broken = Error::new(fault("no luck"));
        let mut failures = Failures::default();
        // What failed by that is no news.
        failures.note(&Failure::new(broken.clone()));
        assert_eq!(failures.unseen_beside(&broken).failure_count(), 1);
        (0..10).for_each(|number| failures.note(&failure(number)));
        let both = failures.unseen_beside(&broken);
        assert!(both.is_broken());
        assert_eq!((both.failure_count(), both.failures().len()), (11, NAMED_MAX));
        assert_eq!(both.failures()[1].to_string(), "0");
    }

    #[test]
    fn what_a_closed_pool_refuses_counts_when_nobody_holds_it() {
        let mut failures = Failures::default();
        let refused = Failure::new(Error::new(crate::error::Fault::Closed));
        failures.note(&refused);
        assert!(failures.unseen().is_none());
        drop(refused);
        assert!(failures.unseen().is_some_and(|error| error.is_closed()));
    }

    #[test]
    fn what_the_user_has_asked_for_is_no_news() {
        let mut failures = Failures::default();
        let cancelled = crate::error::Fault::Cancelled { worker: None };
        for fault in [crate::error::Fault::Terminated, cancelled] {
            failures.note(&Failure::new(Error::new(fault)));
        }
        assert!(failures.unseen().is_none());
    }
}
