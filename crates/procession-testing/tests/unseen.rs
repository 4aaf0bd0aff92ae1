//! What failed and nobody has looked at is told by `join`, whatever was called and however it was refused;
//! what somebody has looked at is not.

use procession::{Error, Event, Pool};
use procession_testing::{Harness, Layout, layouts};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

layouts! {
    any_number_of_failures_is_counted_and_the_first_are_named
    of_a_map_each_item_that_failed_counts
    a_lazy_map_has_shown_what_it_gave_and_nothing_else
    a_lazy_map_that_is_dropped_tells_nothing_of_what_came_after_the_close
    what_was_looked_at_is_not_told
    submissions_that_were_refused_are_told
    what_was_cancelled_or_terminated_is_no_news
    a_result_that_was_taken_is_still_what_it_was
    items_of_a_closed_pool_fail_one_by_one
}

fn fail(x: u32) -> u32 {
    panic!("number {x}")
}

fn fail_at_multiples(x: u32) -> u32 {
    assert!(!x.is_multiple_of(10), "number {x}");
    x
}

/// What `join` says: how many failures, and the messages of the first.
fn told(pool: &Pool) -> (u64, Vec<String>) {
    pool.close();
    let Err(error) = pool.join() else { return (0, Vec::new()) };
    assert_eq!(error.failures()[0].panic_message(), error.panic_message());
    let message = |error: &Error| error.panic_message().map_or(error.to_string(), str::to_owned);
    let named: Vec<_> = error.failures().iter().map(message).collect();
    for name in &named {
        assert!(error.to_string().contains(name), "{error}");
    }
    (error.failure_count(), named)
}

fn any_number_of_failures_is_counted_and_the_first_are_named(layout: Layout) {
    let _harness = Harness::start("fire and forget", LIMIT);
    // In order on one worker.
    let pool = layout.pool(1);
    for x in 0..10_000 {
        drop(pool.apply_async(fail, (x,)));
    }
    let (count, named) = told(&pool);
    assert_eq!(count, 10_000);
    let first: Vec<_> = (0..8).map(|x| format!("number {x}")).collect();
    assert_eq!(named, first);
    assert_eq!(told(&pool), (count, named), "it is told whenever it is asked for");
    let pool = layout.pool(2);
    drop(pool.apply_async(fail, (5,)));
    assert_eq!(told(&pool), (1, vec!["number 5".into()]));
}

fn of_a_map_each_item_that_failed_counts(layout: Layout) {
    let _harness = Harness::start("maps", LIMIT);
    let pool = layout.pool(2);
    drop(pool.map_async(fail_at_multiples, 0..1000));
    let kept = pool.map_async(fail_at_multiples, 0..500);
    drop(pool.apply_async(fail, (1,)));
    assert_eq!(told(&pool).0, 100 + 50 + 1);
    assert_eq!(kept.get().unwrap_err().panic_message(), Some("number 0"));
    assert_eq!(told(&pool).0, 100 + 1, "that of the map was looked at by now");
}

fn a_lazy_map_has_shown_what_it_gave_and_nothing_else(layout: Layout) {
    let _harness = Harness::start("lazy maps", LIMIT);
    let pool = layout.pool(1);
    assert_eq!(pool.imap(fail_at_multiples, 0..100).filter(Result::is_err).count(), 10);
    assert_eq!(pool.imap_unordered(fail_at_multiples, 0..100).filter(Result::is_err).count(), 10);
    assert_eq!(told(&pool).0, 0, "all were given");
    for ordered in [true, false] {
        // The first is given; the others are there when the iterator is dropped, whether it has taken them
        // in before or not.
        let pool = layout.pool(1);
        let all_ran = |given: Option<procession::Result<u32>>| {
            assert!(given.unwrap().is_err());
            pool.apply(|| (), ()).unwrap();
        };
        if ordered {
            let mut lazy = pool.chunksize(1).imap(fail, 0..4);
            all_ran(lazy.next());
        } else {
            let mut lazy = pool.chunksize(1).imap_unordered(fail, 0..4);
            all_ran(lazy.next());
        }
        assert_eq!(told(&pool).0, 3, "ordered: {ordered}");
    }
}

fn what_was_looked_at_is_not_told(layout: Layout) {
    let _harness = Harness::start("looked at", LIMIT);
    let pool = layout.pool(2);
    assert!(pool.apply(fail, (1,)).is_err());
    assert!(pool.map(fail_at_multiples, 0..100).is_err());
    assert!(pool.map_async(fail_at_multiples, 0..100).get().is_err());
    let asked = pool.apply_async(fail, (2,));
    asked.wait();
    assert_eq!(asked.successful(), Some(false));
    let asked = pool.map_async(fail_at_multiples, 0..100);
    asked.wait();
    assert_eq!(asked.successful(), Some(false));
    drop(asked);
    let mut timed = pool.apply_async(fail, (3,));
    assert!(timed.get_timeout(LIMIT).is_err());
    let awaited = pool.apply_async(fail, (4,));
    assert!(procession_testing::block_on(awaited).is_err());
    assert_eq!(told(&pool), (0, Vec::new()));
}

/// Fails to encode itself when it is odd.
#[derive(Debug, Deserialize)]
struct Stubborn(u32);

impl Serialize for Stubborn {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(2) {
            to.serialize_newtype_struct("Stubborn", &self.0)
        } else {
            Err(serde::ser::Error::custom(format!("stubborn {}", self.0)))
        }
    }
}

fn submissions_that_were_refused_are_told(layout: Layout) {
    let _harness = Harness::start("refused", LIMIT);
    if layout == Layout::Threads {
        // Nothing is encoded; what they refuse is a time limit.
        let pool = layout.pool(1);
        let limited = pool.task_timeout(LIMIT);
        drop(limited.apply_async(|| (), ()));
        drop(limited.map_async(|_: u8| (), 0..3));
        drop(limited.imap(|_: u8| (), 0..3));
        assert!(limited.apply(|| (), ()).is_err());
        let (count, named) = told(&pool);
        assert_eq!(count, 3);
        assert!(named.iter().all(|name| name.contains("no time limit")), "{named:?}");
    } else {
        let pool = layout.pool(1);
        drop(pool.apply_async(|_: Stubborn| (), (Stubborn(1),)));
        drop(pool.map_async(|_: Stubborn| (), [Stubborn(2), Stubborn(3), Stubborn(4)]));
        let mut lazy = pool.imap(|_: Stubborn| (), [0, 2, 5, 4, 7].map(Stubborn));
        assert!(lazy.next().unwrap().is_ok());
        assert!(lazy.next().unwrap().is_ok());
        assert!(lazy.next().unwrap().is_err(), "that is looked at");
        assert!(lazy.next().unwrap().is_ok());
        drop(lazy);
        let seen = pool.apply_async(|_: Stubborn| (), (Stubborn(9),));
        assert_eq!(seen.successful(), Some(false));
        let seen = pool.map_async(|_: Stubborn| (), [Stubborn(11)]);
        assert_eq!(seen.successful(), Some(false));
        assert!(pool.map(|_: Stubborn| (), [Stubborn(13)]).is_err());
        let (count, named) = told(&pool);
        assert_eq!(count, 3, "{named:?}");
        for (name, number) in named.iter().zip([1, 3, 7]) {
            assert!(name.contains(&format!("stubborn {number}")), "{named:?}");
        }
    }
    // The pool takes no more.
    let pool = layout.pool(1);
    pool.close();
    drop(pool.apply_async(|| (), ()));
    drop(pool.map_async(|_: u8| (), 0..2));
    let kept = pool.apply_async(|| (), ());
    assert_eq!(told(&pool).0, 3, "what is kept may be looked at yet");
    drop(kept);
    assert_eq!(told(&pool).0, 4);
}

fn what_was_cancelled_or_terminated_is_no_news(layout: Layout) {
    let _harness = Harness::start("no news", LIMIT);
    let pool = layout.pool(1);
    let gate = Event::new().unwrap();
    let wait = |gate: Event| gate.wait();
    let running = pool.apply_async(wait, (gate.clone(),));
    let cancelled = pool.apply_async(fail, (1,));
    assert!(cancelled.cancel());
    drop(cancelled);
    let cancelled = pool.map_async(fail, 0..100);
    assert!(cancelled.cancel());
    drop(cancelled);
    gate.set();
    running.get().unwrap();
    assert_eq!(told(&pool), (0, Vec::new()));
    let pool = layout.pool(1);
    drop(pool.apply_async(fail, (7,)));
    let gate = Event::new().unwrap();
    let running = pool.apply_async(wait, (gate.clone(),));
    // So the one that fails has: it was first.
    let has_failed = || pool.stats().failed == 1;
    procession_testing::wait_for("the failure", LIMIT, || running.ready() || has_failed());
    drop(pool.apply_async(fail, (8,)));
    drop(pool.map_async(fail, 0..100));
    gate.set();
    pool.terminate();
    let (_, named) = told(&pool);
    assert_eq!(named[0], "number 7", "what had failed before is news: {named:?}");
}

fn a_result_that_was_taken_is_still_what_it_was(layout: Layout) {
    let _harness = Harness::start("taken results", LIMIT);
    let pool = layout.pool(1);
    let mut task = pool.apply_async(fail, (1,));
    let mut map = pool.map_async(fail, 0..3);
    let mut good = pool.apply_async(|| 7, ());
    assert!(task.get_timeout(LIMIT).unwrap_err().is_panicked());
    assert!(map.get_timeout(LIMIT).unwrap_err().is_panicked());
    assert_eq!(good.get_timeout(LIMIT).unwrap(), 7);
    assert_eq!(task.successful(), Some(false));
    assert_eq!(map.successful(), Some(false));
    assert_eq!(good.successful(), Some(true));
    for error in [task.get().unwrap_err(), map.get().map(drop).unwrap_err()] {
        assert!(error.to_string().contains("taken before"), "{error}");
    }
    pool.close();
    pool.join().unwrap();
}

fn items_of_a_closed_pool_fail_one_by_one(layout: Layout) {
    let _harness = Harness::start("lazy maps of closed pools", LIMIT);
    let pool = layout.pool(1);
    pool.close();
    for items in [1, 3, 4] {
        let outcomes: Vec<_> = pool.imap(|x: u32| x, 0..items).collect();
        assert_eq!(outcomes.len(), items as usize);
        let other: Vec<_> = pool.imap_unordered(|x: u32| x, 0..items).collect();
        assert_eq!(other.len(), items as usize);
        for outcome in outcomes.into_iter().chain(other) {
            assert!(outcome.unwrap_err().is_closed());
        }
    }
    // It ends although the items do not.
    assert!(pool.imap(|x: u32| x, 0..).all(|outcome| outcome.is_err_and(|e| e.is_closed())));
    assert_eq!(told(&pool), (0, Vec::new()));
}

#[procession::test]
fn a_pool_that_broke_tells_what_had_failed_before() {
    let _harness = Harness::start("failures of broken pools", LIMIT);
    let no_more = Event::new().unwrap();
    let initialize = |no_more: Event| assert!(!no_more.is_set(), "no more workers");
    let builder = Pool::builder().processes(1).initializer(initialize, (no_more.clone(),));
    let pool = builder.build().unwrap();
    drop(pool.apply_async(fail, (1,)));
    procession_testing::wait_for("the failure", LIMIT, || {
        pool.apply(|| (), ()).is_ok() && pool.stats().failed == 1
    });
    no_more.set();
    let last: Result<(), Error> = pool.apply(|| std::process::abort(), ());
    assert!(last.unwrap_err().is_worker_lost());
    assert!(pool.apply(|| (), ()).unwrap_err().is_broken());
    drop(pool.apply_async(|| (), ()));
    pool.close();
    let error = pool.join().unwrap_err();
    assert!(error.is_broken() && error.panic_message() == Some("no more workers"), "{error}");
    assert_eq!(error.failure_count(), 2, "{error}");
    assert_eq!(error.failures()[1].panic_message(), Some("number 1"));
}

#[procession::test]
fn errors_of_joins_travel() {
    let _harness = Harness::start("errors of joins", LIMIT);
    let outer = Pool::new(1).unwrap();
    let inner = || -> Result<(), Error> {
        let pool = Pool::new(1)?;
        (0..20).for_each(|x| drop(pool.apply_async(fail, (x,))));
        pool.close();
        pool.join()
    };
    let error = outer.apply(inner, ()).unwrap().unwrap_err();
    assert_eq!((error.failure_count(), error.failures().len()), (20, 8));
    assert!(error.to_string().ends_with("; and 12 more"), "{error}");
    assert_eq!(error.failures()[7].panic_message(), Some("number 7"));
    outer.close();
    outer.join().unwrap();
}

fn a_lazy_map_that_is_dropped_tells_nothing_of_what_came_after_the_close(layout: Layout) {
    let _harness = Harness::start("a lazy map of a closed pool", LIMIT);
    let pool = layout.pool(2);
    let mut squares = pool.imap(|x: u64| x * x, 0_u64..);
    assert_eq!(squares.next().unwrap().unwrap(), 0);
    pool.close();
    // It takes more from its iterator, which the pool takes no more.
    for square in squares.by_ref() {
        if square.is_err_and(|error| error.is_closed()) {
            break;
        }
    }
    drop(squares);
    pool.join().unwrap();
}
