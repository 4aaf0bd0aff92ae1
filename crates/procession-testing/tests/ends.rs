//! Ends of pools, and calls around them: the same for processes, threads, and processes of threads.

use procession::{AsyncResult, Event, Pool};
use procession_testing::{Harness, Layout, layouts, wait_for};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

layouts! {
    ends_follow_each_other_in_any_order
    calls_after_the_end_say_which_it_was
    results_outlive_their_pool
    whoever_waits_is_woken_by_the_end
    an_end_may_come_from_many_threads_at_once
    one_thread_may_wait_for_what_another_cancels
    an_iterator_that_panics_costs_its_own_call_alone
    what_a_lazy_map_had_handed_in_before_the_pool_was_closed_runs
}

fn double(x: u64) -> u64 {
    2 * x
}

/// Says that it has begun, then waits.
fn hold(begun: Event, gate: Event) -> u64 {
    begun.set();
    gate.wait();
    7
}

/// A task that has begun, and the gate that ends it.
fn held(pool: &Pool) -> (AsyncResult<u64>, Event) {
    let (begun, gate) = (Event::new().unwrap(), Event::new().unwrap());
    let task = pool.apply_async(hold, (begun.clone(), gate.clone()));
    begun.wait();
    (task, gate)
}

fn ends_follow_each_other_in_any_order(layout: Layout) {
    let _harness = Harness::start("ends in a row", LIMIT);
    let pool = layout.pool(2);
    assert!(pool.join().unwrap_err().to_string().contains("close"));
    assert_eq!(pool.apply(double, (3,)).unwrap(), 6, "that was no end");
    pool.close();
    pool.close();
    pool.join().unwrap();
    pool.join().unwrap();
    pool.terminate();
    pool.join().unwrap();
    pool.close();
    pool.terminate();
    drop(pool);
    let pool = layout.pool(2);
    pool.terminate();
    pool.close();
    pool.join().unwrap();
    pool.join().unwrap();
    assert_eq!(pool.stats().workers, 0);
    drop(pool);
    // Closed and not joined.
    let pool = layout.pool(2);
    let task = pool.apply_async(double, (4,));
    pool.close();
    drop(pool);
    assert!(task.get().map_or_else(|error| error.is_terminated(), |value| value == 8));
}

fn calls_after_the_end_say_which_it_was(layout: Layout) {
    let _harness = Harness::start("calls after the end", LIMIT);
    for terminate in [false, true] {
        let pool = layout.pool(1);
        let before = pool.apply_async(double, (1,));
        before.wait();
        if terminate {
            pool.terminate()
        } else {
            pool.close()
        }
        let says = |error: procession::Error| {
            if terminate { error.is_terminated() } else { error.is_closed() }
        };
        let check = || {
            assert!(says(pool.apply(double, (1,)).unwrap_err()));
            let task = pool.apply_async(double, (1,));
            assert!(task.ready() && task.successful() == Some(false));
            assert!(!task.cancel() && !task.cancel_running());
            assert!(says(task.get().unwrap_err()));
            assert!(says(pool.map(double, 0..10_000).unwrap_err()));
            assert!(says(pool.starmap(|x: u8, y: u8| x + y, [(1, 2)]).unwrap_err()));
            let map = pool.map_async(double, 0..10_000);
            map.wait();
            assert_eq!(map.successful(), Some(false));
            assert!(says(map.get().unwrap_err()));
            assert!(says(pool.imap(double, 0..).next().unwrap().unwrap_err()));
            assert!(says(pool.imap_unordered(double, 0..).next().unwrap().unwrap_err()));
        };
        check();
        if !terminate {
            // What a lazy map has after the close goes with the map.
            pool.join().unwrap();
        }
        check();
        assert_eq!(before.get().unwrap(), 2);
    }
}

fn results_outlive_their_pool(layout: Layout) {
    let _harness = Harness::start("results without a pool", LIMIT);
    let pool = layout.pool(1);
    let value = pool.apply_async(double, (1,));
    let map = pool.map_async(double, 0..100);
    let error = pool.apply_async(|| panic!("kept"), ());
    let error: AsyncResult<()> = error;
    error.wait();
    pool.close();
    assert!(pool.join().unwrap_err().is_panicked());
    drop(pool);
    assert!(value.ready() && !value.cancel());
    assert_eq!(value.get().unwrap(), 2);
    assert_eq!(map.get().unwrap().len(), 100);
    assert_eq!(error.get().unwrap_err().panic_message(), Some("kept"));
}

fn whoever_waits_is_woken_by_the_end(layout: Layout) {
    let _harness = Harness::start("waits that end", LIMIT);
    let pool = layout.pool(1);
    let (running, gate) = held(&pool);
    let queued = pool.apply_async(double, (1,));
    let map = pool.map_async(double, 0..1000);
    std::thread::scope(|scope| {
        let waiters = [
            scope.spawn(|| assert!(queued.get().unwrap_err().is_terminated())),
            scope.spawn(|| assert!(map.get().unwrap_err().is_terminated())),
            scope.spawn(|| assert!(pool.imap(double, 0..).all(|item| item.is_err()))),
            scope.spawn(|| assert!(pool.map(double, 0..1000).unwrap_err().is_terminated())),
        ];
        let end = scope.spawn(|| pool.terminate());
        for waiter in waiters {
            waiter.join().unwrap();
        }
        // A thread cannot be ended, and is waited for.
        gate.set();
        end.join().unwrap();
    });
    match running.get() {
        Ok(value) => assert!(value == 7 && layout == Layout::Threads),
        Err(error) => assert!(error.is_terminated() && layout != Layout::Threads),
    }
    pool.join().unwrap();
}

fn one_thread_may_wait_for_what_another_cancels(layout: Layout) {
    let _harness = Harness::start("waiting and cancelling", LIMIT);
    let pool = layout.pool(1);
    let (running, gate) = held(&pool);
    // What they give need not be shared between threads itself.
    let task = pool.apply_async(|| std::cell::Cell::new(1), ());
    let map = pool.map_async(std::cell::Cell::new, 0..100_u8);
    std::thread::scope(|scope| {
        let waits = [scope.spawn(|| task.wait()), scope.spawn(|| map.wait())];
        assert!(task.cancel() && map.cancel());
        waits.into_iter().for_each(|wait| wait.join().unwrap());
    });
    assert!(task.get().unwrap_err().is_cancelled());
    assert!(map.get().unwrap_err().is_cancelled());
    gate.set();
    assert_eq!(running.get().unwrap(), 7);
    pool.close();
    pool.join().unwrap();
}

fn an_end_may_come_from_many_threads_at_once(layout: Layout) {
    let _harness = Harness::start("many ends", LIMIT);
    for round in 0..10 {
        let pool = layout.pool(2);
        let tasks: Vec<_> = (0..50).map(|x| pool.apply_async(double, (x,))).collect();
        pool.close();
        std::thread::scope(|scope| {
            let joins: Vec<_> = (0..3).map(|_| scope.spawn(|| pool.join())).collect();
            if round % 2 == 0 {
                scope.spawn(|| pool.terminate());
            }
            for join in joins {
                join.join().unwrap().unwrap();
            }
        });
        for (x, task) in (0..).zip(tasks) {
            match task.get() {
                Ok(value) => assert_eq!(value, double(x)),
                Err(error) => assert!(error.is_terminated() && round % 2 == 0, "{error}"),
            }
        }
        assert_eq!(pool.stats().workers, 0);
    }
}

/// What an iterator panics with.
struct NoMore;

/// Items until one that is none.
fn broken_off(at: u64) -> impl Iterator<Item = u64> {
    (0..).inspect(move |x| {
        if *x >= at {
            resume_unwind(Box::new(NoMore));
        }
    })
}

fn an_iterator_that_panics_costs_its_own_call_alone(layout: Layout) {
    let _harness = Harness::start("iterators that panic", LIMIT);
    let pool = layout.pool(1);
    let panics = |call: &dyn Fn()| {
        let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        assert!(payload.is::<NoMore>());
    };
    for at in [0, 1, 3, 100, 20_000] {
        panics(&|| drop(pool.map(double, broken_off(at))));
        panics(&|| drop(pool.map_async(double, broken_off(at))));
        panics(&|| assert!(pool.imap(double, broken_off(at)).all(|item| item.is_ok())));
        panics(&|| assert!(pool.imap_unordered(double, broken_off(at)).all(|item| item.is_ok())));
        assert_eq!(pool.apply(double, (5,)).unwrap(), 10);
    }
    // What waits behind a task that runs is not run any more: nobody can ask for it.
    let (running, gate) = held(&pool);
    panics(&|| drop(pool.map_async(double, broken_off(5000))));
    let all_over = || {
        let stats = pool.stats();
        stats.submitted == stats.succeeded + stats.failed + stats.dropped
    };
    let before = pool.stats();
    gate.set();
    running.get().unwrap();
    wait_for("all to be over", LIMIT, || pool.apply(double, (1,)).is_ok() && all_over());
    let after = pool.stats();
    assert!(after.succeeded < before.succeeded + 1000, "{before:?}, {after:?}");
    pool.close();
    pool.join().unwrap();
}

fn what_a_lazy_map_had_handed_in_before_the_pool_was_closed_runs(layout: Layout) {
    let _harness = Harness::start("lazy maps of pools that close", LIMIT);
    let pool = layout.pool(1);
    let (running, gate) = held(&pool);
    let (second, more) = (Event::new().unwrap(), Event::new().unwrap());
    let before = pool.stats().submitted;
    std::thread::scope(|scope| {
        let lazy = scope.spawn(|| {
            let items = (0..).map(|x| {
                if pool.stats().submitted > before {
                    more.set();
                }
                (x, second.clone())
            });
            let lazy = pool.chunksize(1).imap(
                |(x, second): (u64, Event)| {
                    if x > 0 {
                        second.wait();
                    }
                    x
                },
                items,
            );
            lazy.collect::<Vec<_>>()
        });
        wait_for("the first items", LIMIT, || pool.stats().submitted >= before + 4);
        pool.close();
        more.clear();
        // The first item comes back, others are taken for it, and the second runs meanwhile.
        gate.set();
        more.wait();
        second.set();
        let outcomes = lazy.join().unwrap();
        for (x, outcome) in outcomes.iter().enumerate().take(4) {
            assert!(outcome.as_ref().is_ok_and(|y| *y == x as u64), "{x}: {outcome:?}");
        }
        let refused = outcomes.iter().skip_while(|outcome| outcome.is_ok());
        assert!(refused.clone().count() > 0);
        assert!(refused.flatten().count() == 0, "they are the last");
    });
    running.get().unwrap();
    pool.join().unwrap();
}
