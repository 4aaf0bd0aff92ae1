//! What only threads can do, and what can go wrong on them: captures, panics of all kinds, waits
//! inside of tasks, ends of pools.

use procession::{AsyncResult, Error, Pool, ThreadPool};
use procession_testing::{Harness, Random, block_on, wait_for};
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// Holds up tasks until it is opened.
#[derive(Debug, Clone, Default)]
struct Gate(Arc<(Mutex<bool>, std::sync::Condvar)>);

impl Gate {
    fn pass(&self) {
        let mut open = self.0.0.lock().unwrap();
        while !*open {
            open = self.0.1.wait(open).unwrap();
        }
    }

    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// A task that holds a thread until the gate opens, and has begun when this returns.
fn occupy(pool: &ThreadPool, gate: &Gate) -> AsyncResult<()> {
    let (begun, has_begun) = mpsc::channel();
    let gate = gate.clone();
    let occupied = pool.apply_async(
        move || {
            begun.send(()).unwrap();
            gate.pass();
        },
        (),
    );
    has_begun.recv().unwrap();
    occupied
}

/// Panics when it is dropped.
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("{}", self.0);
        }
    }
}

#[procession::test]
fn closures_capture_and_values_need_no_encoding() {
    struct Opaque(Box<dyn Fn(u64) -> u64 + Send>);
    let _harness = Harness::start("captures", LIMIT);
    let pool = ThreadPool::new(2).unwrap();
    let table = Arc::new(HashMap::from([("a", 1), ("b", 2)]));
    let captured = table.clone();
    assert_eq!(pool.apply(move |key: &'static str| captured[key], ("b",)).unwrap(), 2);
    // A result that is no data at all, an argument that is none, and a call that can be made once.
    let factor = 3;
    let opaque = pool.apply(move || Opaque(Box::new(move |x| x * factor)), ()).unwrap();
    assert_eq!((opaque.0)(5), 15);
    let owned = String::from("moved");
    assert_eq!(pool.apply(move |o: Opaque| (owned, (o.0)(2)), (opaque,)).unwrap().1, 6);
    let sum = Arc::new(AtomicUsize::new(0));
    let shared = sum.clone();
    let add = move |x: usize| shared.fetch_add(x, Ordering::Relaxed);
    assert_eq!(pool.map(add, 0..1000).unwrap().len(), 1000);
    assert_eq!(sum.load(Ordering::Relaxed), 499_500);
    let base = 10;
    assert_eq!(
        pool.starmap(move |a: i32, b: i32| base + a * b, [(1, 2), (3, 4)]).unwrap(),
        [12, 22]
    );
    let words: Vec<Arc<str>> =
        pool.imap(|w: Arc<str>| w, ["x".into()]).map(Result::unwrap).collect();
    assert_eq!(&*words[0], "x");
    // `Send` is enough for what runs once.
    let cell = Cell::new(4);
    assert_eq!(pool.apply(move || cell.replace(5), ()).unwrap(), 4);
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn a_panic_is_its_tasks_error_with_message_and_place() {
    let _harness = Harness::start("panics", LIMIT);
    let pool = ThreadPool::new(1).unwrap();
    let line = line!() + 1;
    let error = pool.apply(|| panic!("at {}", 5), ()).map(|()| 0).unwrap_err();
    assert!(error.is_panicked() && error.pid().is_none() && error.worker().is_none());
    assert_eq!(error.panic_message(), Some("at 5"));
    let place = error.panic_location().unwrap();
    assert!(place.contains(&format!("threads.rs:{line}:")), "{place}");
    let payload = || std::panic::panic_any(7_u8);
    let error = pool.apply(payload, ()).map(|()| 0).unwrap_err();
    assert_eq!(error.panic_message(), Some("a panic whose payload is not a string"));
    // A payload that panics in turn, arguments and captures that do, and nobody but the task minds.
    let payload = || std::panic::panic_any(Bomb("payload"));
    assert!(pool.apply(payload, ()).map(|()| 0).unwrap_err().is_panicked());
    let error = pool.apply(|_: Bomb| (), (Bomb("argument"),)).unwrap_err();
    assert_eq!(error.panic_message(), Some("argument"));
    let bomb = Bomb("capture");
    let error = pool.apply(move || drop(bomb), ()).unwrap_err();
    assert_eq!(error.panic_message(), Some("capture"));
    assert_eq!(pool.apply(|| 1, ()).unwrap(), 1);
    let outcomes: Vec<_> = pool.imap(|x: u32| assert_ne!(x % 3, 0, "third"), 0..9).collect();
    let failed: Vec<_> = (0..9).filter(|i| outcomes[*i].is_err()).collect();
    assert_eq!(failed, [0, 3, 6]);
    let error = pool.map(|x: u32| assert!(x < 100, "from {x} on"), 0..1000).unwrap_err();
    assert_eq!(error.panic_message(), Some("from 100 on"), "the first item in order");
    pool.close();
    pool.join().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.submitted, stats.succeeded + stats.failed), (1015, 1015));
}

#[procession::test]
fn a_panic_after_a_panic_inside_of_a_wait_keeps_its_place() {
    let _harness = Harness::start("nested panics", LIMIT);
    let pool = Arc::new(ThreadPool::new(1).unwrap());
    let inside = pool.clone();
    let outer = move || {
        let inner = inside.apply(|| panic!("inner"), ()).map(|()| 0).unwrap_err();
        assert_eq!(inner.panic_message(), Some("inner"));
        panic!("outer")
    };
    let error = pool.apply(outer, ()).map(|()| 0).unwrap_err();
    assert_eq!(error.panic_message(), Some("outer"));
    assert!(error.panic_location().is_some());
}

#[procession::test]
fn the_programs_panic_hook_sees_a_tasks_panic_once() {
    let _harness = Harness::start("panic hook", LIMIT);
    // The pool puts its hook before the one that is there; so this one comes first.
    let before = ThreadPool::new(1).unwrap();
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = seen.clone();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref::<&str>() == Some(&"counted") {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        hook(panic);
    }));
    let after = ThreadPool::new(1).unwrap();
    for pool in [before, after] {
        let error = pool.apply(|| panic!("counted"), ()).map(|()| 0).unwrap_err();
        assert!(error.panic_location().is_some(), "the hook before is called, and is ours");
    }
    assert_eq!(seen.load(Ordering::Relaxed), 2);
}

#[procession::test]
fn a_failure_that_nobody_looked_at_is_reported_by_join() {
    let _harness = Harness::start("unseen failures", LIMIT);
    let message = |pool: ThreadPool| {
        assert!(pool.join().is_err(), "it is open");
        pool.close();
        pool.join().map_err(|error| error.panic_message().map(str::to_owned))
    };
    let pool = ThreadPool::new(2).unwrap();
    drop(pool.apply_async(|| panic!("dropped"), ()));
    assert_eq!(message(pool), Err(Some("dropped".into())));
    let pool = ThreadPool::new(2).unwrap();
    let kept = pool.apply_async(|| panic!("kept"), ());
    assert_eq!(message(pool), Err(Some("kept".into())));
    assert!(kept.get().is_err());
    let pool = ThreadPool::new(2).unwrap();
    drop(pool.map_async(|x: u8| assert!(x < 5, "in a map"), 0..9));
    assert_eq!(message(pool), Err(Some("in a map".into())));
    let pool = ThreadPool::new(2).unwrap();
    assert!(pool.apply(|| panic!("looked at"), ()).map(|()| 0).is_err());
    let asked = pool.apply_async(|| panic!("asked"), ());
    asked.wait();
    assert_eq!(asked.successful(), Some(false));
    assert_eq!(message(pool), Ok(()));
    // A result that nobody wants and that panics when it is dropped.
    let pool = ThreadPool::new(1).unwrap();
    let gate = Gate::default();
    let occupied = occupy(&pool, &gate);
    drop(pool.apply_async(|| Bomb("unwanted"), ()));
    gate.open();
    occupied.get().unwrap();
    assert_eq!(pool.apply(|| 2, ()).unwrap(), 2);
    assert_eq!(message(pool), Err(Some("unwanted".into())));
}

#[procession::test]
fn tasks_wait_for_tasks_of_their_own_pool() {
    let _harness = Harness::start("nested tasks", LIMIT);
    for threads in [1, 2, 3] {
        let pool = Arc::new(ThreadPool::new(threads).unwrap());
        fn fibonacci(pool: &Arc<ThreadPool>, n: u64) -> u64 {
            if n < 2 {
                return n;
            }
            let inside = pool.clone();
            let left = pool.apply_async(move || fibonacci(&inside, n - 1), ());
            fibonacci(pool, n - 2) + left.get().unwrap()
        }
        let inside = pool.clone();
        assert_eq!(pool.apply(move || fibonacci(&inside, 15), ()).unwrap(), 610);
        // Many tasks that each wait for one behind all of them: no stack grows with their number.
        let inside = pool.clone();
        let waits = move |i: u64| inside.apply(move || i, ()).unwrap();
        let results: Vec<_> = (0..20_000).map(|i| pool.apply_async(waits.clone(), (i,))).collect();
        for (i, result) in (0..).zip(results) {
            assert_eq!(result.get().unwrap(), i);
        }
        // Maps in maps, and iterators.
        let inside = pool.clone();
        let rows = pool.map(move |n: u64| inside.map(|x: u64| x, 0..n).unwrap().len(), 0..50);
        assert_eq!(rows.unwrap(), (0..50).collect::<Vec<_>>());
        let inside = pool.clone();
        let lazily = move || inside.imap_unordered(|x: u64| x, 0..).take(500).count();
        assert_eq!(pool.apply(lazily, ()).unwrap(), 500);
        let inside = pool.clone();
        assert!(pool.apply(move || inside.join(), ()).unwrap().is_err());
        pool.close();
        let inside = pool.clone();
        assert!(pool.apply(move || inside.join(), ()).unwrap_err().is_closed());
        pool.join().unwrap();
    }
}

#[procession::test]
fn chunks_follow_the_time_of_an_item_and_are_shared_with_idle_threads() {
    let _harness = Harness::start("chunks", LIMIT);
    let pool = ThreadPool::new(2).unwrap();
    let slow_start = Arc::new(AtomicUsize::new(0));
    let threads = Arc::new(Mutex::new(BTreeSet::new()));
    let (counter, names) = (slow_start.clone(), threads.clone());
    let item = move |x: u32| {
        counter.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(1));
        names.lock().unwrap().insert(std::thread::current().name().map(str::to_owned));
        x
    };
    // All in one chunk: without sharing one thread would run them all.
    assert_eq!(pool.chunksize(200).map(item, 0..200).unwrap(), (0..200).collect::<Vec<_>>());
    assert_eq!(slow_start.load(Ordering::Relaxed), 200);
    assert_eq!(threads.lock().unwrap().len(), 2);
}

#[procession::test]
fn what_has_not_begun_fails_with_the_end_of_the_pool_and_what_runs_is_waited_for() {
    let _harness = Harness::start("ends", LIMIT);
    for drops in [false, true] {
        let pool = ThreadPool::new(1).unwrap();
        let gate = Gate::default();
        let running = occupy(&pool, &gate);
        let ran = Arc::new(AtomicBool::new(false));
        let flag = ran.clone();
        let waiting = pool.apply_async(move || flag.store(true, Ordering::SeqCst), ());
        let mapped = pool.map_async(|x: u8| x, 0..100);
        let bomb = Bomb("never run");
        let bombed = pool.apply_async(move || drop(bomb), ());
        let mut polled = pool.apply_async(|| (), ());
        let noop = &mut Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut polled).poll(noop).is_pending());
        std::thread::scope(|scope| {
            let ender = scope.spawn(move || {
                if drops {
                    drop(pool);
                    return None;
                }
                pool.terminate();
                let refused = pool.apply_async(|| (), ());
                assert!(refused.get().unwrap_err().is_terminated());
                assert!(pool.map(|x: u8| x, 0..3).unwrap_err().is_terminated());
                Some(pool.stats())
            });
            // The gate is still closed.
            assert!(waiting.get().unwrap_err().is_terminated());
            assert!(mapped.get().unwrap_err().is_terminated());
            assert!(bombed.get().unwrap_err().is_terminated());
            assert!(block_on(polled).unwrap_err().is_terminated());
            assert!(!running.ready() && !ender.is_finished());
            gate.open();
            running.get().unwrap();
            if let Some(stats) = ender.join().unwrap() {
                assert_eq!((stats.succeeded, stats.failed, stats.workers), (1, 103, 0));
            }
        });
        assert!(!ran.load(Ordering::SeqCst));
    }
}

#[procession::test]
fn a_task_may_end_its_own_pool() {
    let _harness = Harness::start("suicide", LIMIT);
    let pool = Arc::new(ThreadPool::new(2).unwrap());
    let inside = pool.clone();
    pool.apply(move || inside.terminate(), ()).unwrap();
    assert!(pool.apply(|| (), ()).unwrap_err().is_terminated());
    pool.terminate();
    // The last to hold the pool is a task of it.
    let pool = Arc::new(ThreadPool::new(2).unwrap());
    let gate = Gate::default();
    let (inside, closed) = (pool.clone(), gate.clone());
    let last = pool.apply_async(
        move || {
            closed.pass();
            drop(inside);
        },
        (),
    );
    drop(pool);
    gate.open();
    last.get().unwrap();
}

#[procession::test]
fn a_closed_pool_finishes_what_it_has() {
    let _harness = Harness::start("closing", LIMIT);
    let pool = ThreadPool::new(2).unwrap();
    let gate = Gate::default();
    let running = occupy(&pool, &gate);
    let mut lazy = pool.imap(|x: u64| x, 0..);
    let waiting: Vec<_> = (0..100).map(|i| pool.apply_async(move || i, ())).collect();
    pool.close();
    assert!(pool.apply(|| (), ()).unwrap_err().is_closed());
    assert!(pool.map_async(|x: u8| x, 0..3).get().unwrap_err().is_closed());
    assert!(lazy.next().unwrap().unwrap_err().is_closed());
    // Those that were taken from the iterator have failed, and no more are.
    assert!(lazy.all(|outcome| outcome.is_err_and(|error| error.is_closed())));
    std::thread::scope(|scope| {
        let joiners: Vec<_> = (0..3).map(|_| scope.spawn(|| pool.join())).collect();
        gate.open();
        for joiner in joiners {
            joiner.join().unwrap().unwrap();
        }
    });
    for (i, result) in waiting.into_iter().enumerate() {
        assert_eq!(result.get().unwrap(), i);
    }
    running.get().unwrap();
    assert_eq!(pool.stats().workers, 0);
}

#[procession::test]
fn the_initializer_runs_once_on_each_thread_or_breaks_the_pool() {
    thread_local!(static PREPARED: Cell<u32> = const { Cell::new(0) });
    let _harness = Harness::start("initializer", LIMIT);
    let add = |by: u32| PREPARED.with(|prepared| prepared.set(prepared.get() + by));
    let pool = ThreadPool::builder().threads(3).initializer(add, (7,)).build().unwrap();
    let seen = pool.map(|_: u32| PREPARED.with(Cell::get), 0..300).unwrap();
    assert!(seen.iter().all(|prepared| *prepared == 7), "{seen:?}");
    // The same with the options that processes have.
    let pool = Pool::builder().threads(2).initializer(add, (9,)).build().unwrap();
    let seen = pool.map(|_: u32| PREPARED.with(Cell::get), 0..300).unwrap();
    assert!(seen.iter().all(|prepared| *prepared == 9), "{seen:?}");

    let fail = || panic!("no table");
    let pool = ThreadPool::builder().threads(3).initializer(fail, ()).build().unwrap();
    let error = pool.apply(|| (), ()).unwrap_err();
    assert!(error.is_broken() && error.is_panicked(), "{error}");
    assert_eq!(error.panic_message(), Some("no table"));
    assert!(pool.imap(|x: u8| x, 0..3).next().unwrap().unwrap_err().is_broken());
    pool.close();
    assert!(pool.join().unwrap_err().is_broken());
    let fail = || assert!(std::env::args().count() == 0, "no");
    let pool = Pool::builder().threads(1).initializer(fail, ()).build().unwrap();
    assert!(pool.apply(|| (), ()).unwrap_err().is_broken());
}

#[procession::test]
fn threads_have_names_and_a_pool_of_them_has_no_processes() {
    let _harness = Harness::start("names", LIMIT);
    let name = || std::thread::current().name().map(str::to_owned).unwrap();
    assert_eq!(ThreadPool::new(1).unwrap().apply(name, ()).unwrap(), "ThreadPoolWorker-1");
    let pool = Pool::builder().threads(1).name("Decoder").build().unwrap();
    assert_eq!(pool.apply(name, ()).unwrap(), "Decoder-1");
    assert_eq!(pool.apply(std::process::id, ()).unwrap(), std::process::id());
    assert!(pool.worker_pids().is_empty());
    assert_eq!((pool.processes(), pool.stats().workers), (0, 1));
    assert!(ThreadPool::new(0).is_err());
    assert!(ThreadPool::new(1 << 20).is_err());
}

#[procession::test]
fn one_program_runs_on_processes_or_threads() {
    let _harness = Harness::start("the switch", LIMIT);
    for threads in [false, true] {
        let pool: Pool =
            if threads { Pool::threads(2).unwrap().into() } else { Pool::new(2).unwrap() };
        let pids: BTreeSet<u32> =
            pool.map(|_: u32| std::process::id(), 0..100).unwrap().into_iter().collect();
        assert_eq!(pids.contains(&std::process::id()), threads);
        let error = pool.apply(|| panic!("either way"), ()).map(|()| 0).unwrap_err();
        assert_eq!(error.panic_message(), Some("either way"));
        assert_eq!(pool.apply(|v: Vec<u8>| v.len(), (vec![0; 1 << 20],)).unwrap(), 1 << 20);
        pool.close();
        pool.join().unwrap();
    }
    // An argument is handed over as it is: the very same memory comes back.
    let pool: Pool = Pool::threads(1).unwrap().into();
    let bytes = vec![0_u8; 1 << 20];
    let address = bytes.as_ptr() as usize;
    let back = pool.apply(|v: Vec<u8>| v, (bytes,)).unwrap();
    assert_eq!(back.as_ptr() as usize, address);
}

#[procession::test]
fn a_timed_wait_ends_and_futures_wake() {
    let _harness = Harness::start("waits", LIMIT);
    let pool = ThreadPool::new(1).unwrap();
    let gate = Gate::default();
    let closed = gate.clone();
    let mut held = pool.apply_async(move || closed.pass(), ());
    assert!(!held.wait_timeout(Duration::from_millis(5)));
    assert!(held.get_timeout(Duration::from_millis(1)).unwrap_err().is_timed_out());
    assert_eq!((held.ready(), held.successful()), (false, None));
    let mut polled: Vec<_> = (0..50).map(|i| (i, pool.apply_async(move || i, ()))).collect();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(move || {
            block_on(std::future::poll_fn(|context| {
                polled.retain_mut(|(i, result)| match Pin::new(result).poll(context) {
                    Poll::Ready(value) => {
                        assert_eq!(value.unwrap(), *i);
                        false
                    }
                    Poll::Pending => true,
                });
                if polled.is_empty() { Poll::Ready(()) } else { Poll::Pending }
            }));
        });
        gate.open();
        waiter.join().unwrap();
    });
    assert!(held.get_timeout(LIMIT).is_ok());
    assert!(held.get_timeout(LIMIT).is_err(), "a result is taken once");
}

/// One thread's part of a storm.
fn blow(pool: &Arc<ThreadPool>, mut random: Random, is_ended: &AtomicBool) {
    let check = |expected: u64, outcome: Result<u64, Error>| match outcome {
        Ok(value) => assert_eq!(value, expected),
        Err(error) if error.is_panicked() => assert_eq!(expected % 5, 0, "{error}"),
        Err(error) => {
            assert!(error.is_terminated() && is_ended.load(Ordering::SeqCst), "{error}");
        }
    };
    let task = |x: u64| {
        assert_ne!(x % 5, 0, "a storm");
        x
    };
    let mut open: Vec<(u64, AsyncResult<u64>)> = Vec::new();
    for _ in 0..600 {
        let x = random.below(1000);
        match random.below(24) {
            0 => {
                let outcomes = pool.imap(task, 0..x);
                outcomes.take(50).enumerate().for_each(|(i, outcome)| check(i as u64, outcome));
            }
            1 => drop(pool.map_async(task, 0..x)),
            2 => match pool.map(|x: u64| x, 0..x) {
                Ok(values) => assert_eq!(values, (0..x).collect::<Vec<_>>()),
                Err(error) => assert!(error.is_terminated(), "{error}"),
            },
            3 => drop(open.pop()),
            4..12 if !open.is_empty() => {
                let at = random.below(open.len() as u64) as usize;
                let (expected, result) = open.swap_remove(at);
                check(expected, if x < 500 { result.get() } else { block_on(result) });
            }
            12 => {
                let inside = pool.clone();
                let nested = move || inside.apply(task, (x,)).unwrap_or(x);
                open.push((x, pool.apply_async(nested, ())));
            }
            13 => std::thread::sleep(Duration::from_micros(x)),
            _ => open.push((x, pool.apply_async(task, (x,)))),
        }
    }
    for (expected, result) in open {
        check(expected, result.get());
    }
}

#[procession::test]
fn in_a_storm_every_task_has_its_outcome() {
    let _harness = Harness::start("storms", Duration::from_secs(240));
    for seed in 1..=24 {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let pool = Arc::new(ThreadPool::new(1 + random.below(4) as usize).unwrap());
        let is_ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..1 + random.below(4) {
                let random = Random::new(random.number());
                let (pool, is_ended) = (&pool, &is_ended);
                scope.spawn(move || blow(pool, random, is_ended));
            }
            if seed % 2 == 0 {
                std::thread::sleep(Duration::from_micros(random.below(20_000)));
                is_ended.store(true, Ordering::SeqCst);
                pool.terminate();
            }
        });
        pool.close();
        if let Err(error) = pool.join() {
            assert!(error.is_panicked(), "{error}");
        }
        let stats = pool.stats();
        assert!(stats.succeeded + stats.failed <= stats.submitted, "{stats:?}");
        assert_eq!(stats.workers, 0);
    }
}

#[procession::test]
fn an_end_races_with_submissions_and_loses_nothing() {
    let _harness = Harness::start("races", LIMIT);
    for round in 0..400 {
        let pool = ThreadPool::new(2).unwrap();
        let start = Barrier::new(3);
        let outcomes: Vec<Result<u64, Error>> = std::thread::scope(|scope| {
            let submit = || {
                start.wait();
                let results: Vec<_> = (0..20).map(|i| pool.apply_async(move || i, ())).collect();
                results.into_iter().map(AsyncResult::get).collect::<Vec<_>>()
            };
            let threads = [scope.spawn(submit), scope.spawn(submit)];
            start.wait();
            if round % 2 == 0 {
                pool.terminate();
            } else {
                pool.close();
                pool.join().unwrap();
            }
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let values = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64;
        assert_eq!(outcomes.len(), 40);
        assert_eq!(pool.stats().succeeded, values);
    }
}

#[procession::test]
fn threads_that_sleep_wake_for_each_of_many_single_tasks() {
    let _harness = Harness::start("sleepers", LIMIT);
    let pool = ThreadPool::new(4).unwrap();
    for i in 0..300 {
        // Long enough for the threads to fall asleep, most of the time.
        std::thread::sleep(Duration::from_micros(i % 7 * 50));
        let (sender, receiver) = mpsc::channel();
        for _ in 0..i % 5 {
            let sender = sender.clone();
            drop(pool.apply_async(move || sender.send(()), ()));
        }
        drop(sender);
        assert_eq!(receiver.iter().count() as u64, i % 5);
    }
    wait_for("all are counted", LIMIT, || pool.stats().succeeded == pool.stats().submitted);
}
