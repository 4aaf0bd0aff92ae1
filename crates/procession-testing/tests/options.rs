//! Options at their ends: nothing, and as much as there is. They work, or the call that they are for says
//! that they cannot.

use procession::{Array, AtomicArray, Error, Pool, Process, ThreadPool};
use procession_testing::{Harness, Layout, layouts};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const FOREVER: Duration = Duration::MAX;

layouts! {
    chunks_of_any_size_give_the_same_results
    waits_of_any_length_end_when_they_should
}

fn loop_for_ever() {
    loop {
        std::hint::spin_loop();
    }
}

fn double(x: u64) -> u64 {
    2 * x
}

fn chunks_of_any_size_give_the_same_results(layout: Layout) {
    let _harness = Harness::start("chunk sizes", LIMIT);
    let pool = layout.pool(2);
    let expected: Vec<_> = (0..5000).map(double).collect();
    for size in [0, 1, 4999, u32::MAX as usize, usize::MAX / 2, usize::MAX] {
        let calls = pool.chunksize(size);
        assert_eq!(calls.map(double, 0..5000).unwrap(), expected, "{size}");
        assert_eq!(calls.map_async(double, 0..5000).get().unwrap(), expected, "{size}");
        let lazy: Result<Vec<_>, _> = calls.imap(double, 0..5000).collect();
        assert_eq!(lazy.unwrap(), expected, "{size}");
        let lazy: Result<Vec<_>, _> = calls.imap_unordered(double, 0..5000).collect();
        let mut lazy = lazy.unwrap();
        lazy.sort_unstable();
        assert_eq!(lazy, expected, "{size}");
    }
    pool.close();
    pool.join().unwrap();
}

fn waits_of_any_length_end_when_they_should(layout: Layout) {
    let _harness = Harness::start("waits", LIMIT);
    let pool = layout.pool(1);
    let gate = procession::Event::new().unwrap();
    let mut result = pool.apply_async(|gate: procession::Event| gate.wait(), (gate.clone(),));
    assert!(!result.wait_timeout(Duration::ZERO));
    assert!(result.get_timeout(Duration::ZERO).unwrap_err().is_timed_out());
    assert!(result.get_timeout(Duration::from_nanos(1)).unwrap_err().is_timed_out());
    gate.set();
    assert!(result.wait_timeout(FOREVER));
    result.get_timeout(FOREVER).unwrap();
    pool.close();
    pool.join().unwrap();
}

/// The options make a pool that works.
fn works(what: &str, pool: Result<Pool, Error>) {
    let pool = pool.unwrap_or_else(|error| panic!("{what}: {error}"));
    let results: Vec<_> = (0..20).map(|x| pool.apply_async(double, (x,))).collect();
    for (x, result) in (0..).zip(results) {
        assert_eq!(result.get().unwrap_or_else(|error| panic!("{what}: {error}")), double(x));
    }
    let mapped = pool.map(double, 0..100).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(mapped.len(), 100);
    pool.close();
    pool.join().unwrap_or_else(|error| panic!("{what}: {error}"));
}

/// The options are refused, and the error says why.
fn refused(what: &str, pool: Result<Pool, Error>, why: &str) {
    let error = pool.map(drop).expect_err(what);
    assert!(error.to_string().contains(why), "{what}: {error}");
}

#[procession::test]
fn a_pool_has_some_workers_and_not_too_many() {
    let _harness = Harness::start("numbers of workers", LIMIT);
    let most = usize::MAX;
    refused("no process", Pool::new(0), "at least one process");
    let rows = [
        ("no process", Some(0), None, "at least one"),
        ("no thread", None, Some(0), "1 to 4096"),
        ("no thread of a process", Some(1), Some(0), "at least one"),
        ("processes", Some(most), None, "4096"),
        ("a few too many processes", Some(4097), None, "4096"),
        ("threads", None, Some(most), "4096"),
        ("threads of a process", Some(1), Some(most), "4096"),
        ("both", Some(most), Some(most), "4096"),
        ("both, a little", Some(65), Some(64), "4096"),
        ("overflow to nothing", Some(1 << 63), Some(2), "4096"),
    ];
    for (what, processes, threads, why) in rows {
        let mut builder = Pool::builder();
        if let Some(processes) = processes {
            builder = builder.processes(processes);
        }
        if let Some(threads) = threads {
            builder = builder.threads(threads);
        }
        refused(what, builder.build(), why);
    }
    assert!(ThreadPool::new(0).is_err() && ThreadPool::new(most).is_err());
}

#[procession::test]
fn times_of_a_pool_are_of_any_length() {
    let _harness = Harness::start("times", LIMIT);
    let builder = || Pool::builder().processes(2);
    works("start_timeout", builder().start_timeout(FOREVER).build());
    works("task_timeout", builder().task_timeout(FOREVER).task_grace(FOREVER).build());
    let late = builder().start_timeout(Duration::ZERO).build().unwrap();
    // It may be ready before anybody looks.
    if let Err(error) = late.apply(double, (1,)) {
        assert!(error.is_broken() && error.to_string().contains("start timeout"), "{error}");
    }
    // No time, as may be left until a deadline: it is over at the first look, or done before.
    let pool = builder().task_grace(Duration::ZERO).build().unwrap();
    let endless = || loop_for_ever();
    for limit in [Duration::ZERO, Duration::from_nanos(1)] {
        let hurried = pool.task_timeout(limit);
        let endless: Result<(), Error> = hurried.apply(endless, ());
        assert!(endless.unwrap_err().is_timed_out());
        let many = hurried.imap(|_: u8| loop_for_ever(), 0..3).map(Result::unwrap_err);
        assert!(many.into_iter().all(|error| error.is_timed_out()));
        assert_eq!(pool.apply(double, (4,)).unwrap(), 8);
    }
}

#[procession::test]
fn numbers_of_a_pool_are_of_any_size() {
    let _harness = Harness::start("numbers", LIMIT);
    let builder = || Pool::builder().processes(2);
    works("retries", builder().retries(u32::MAX).build());
    works("max_tasks_per_child", builder().max_tasks_per_child(u64::MAX).build());
    refused("no task", builder().max_tasks_per_child(0).build(), "at least one task");
    works("max_memory_per_child", builder().max_memory_per_child(u64::MAX).build());
    works("memory_limit", builder().memory_limit(u64::MAX).build());
    refused("no memory", builder().memory_limit(0).build(), "0 bytes");
    refused("niceness", builder().niceness(i32::MIN).build(), "niceness");
    refused("niceness", builder().niceness(i32::MAX).build(), "niceness");
    refused("no CPU", builder().cpu_affinity([]).build(), "empty set");
    refused("the last CPU", builder().cpu_affinity([usize::MAX]).build(), "does not exist");
    refused("all CPUs", builder().cpu_affinity(0..).build(), "does not exist");
    let starving = builder().memory_limit(1).build().unwrap();
    assert!(starving.apply(double, (1,)).unwrap_err().is_broken());
    // One that has too much from its start on runs one task.
    let pool = Pool::builder().processes(1).max_memory_per_child(0).build().unwrap();
    assert_eq!(pool.map(double, 0..3).unwrap(), [0, 2, 4]);
    pool.close();
    pool.join().unwrap();
    assert!(pool.stats().retired >= 2);
    // It dies more often than anybody counts, and is tried again.
    let pool = Pool::builder().processes(1).retries(u32::MAX).build().unwrap();
    let third = || match procession::current_task().unwrap().attempt() {
        3 => 3,
        _ => std::process::abort(),
    };
    assert_eq!(pool.apply(third, ()).unwrap(), 3);
}

#[procession::test]
fn names_are_any_text_without_a_nul() {
    let _harness = Harness::start("names", LIMIT);
    let long = "ü".repeat(1000);
    for name in ["", " ", "-", "a b/c%d\n", &long] {
        works(name, Pool::builder().processes(1).name(name).build());
        works(name, Pool::builder().threads(1).name(name).build());
        let named = || procession::current_process().name().to_owned();
        let pool = Pool::builder().processes(1).name(name).build().unwrap();
        assert_eq!(pool.apply(named, ()).unwrap(), format!("{name}-1"));
        let mut process = Process::new(named, ()).name(name);
        process.start().unwrap();
        assert_eq!(process.join().unwrap(), name);
    }
    for name in ["a\0b", "\0", "a\0"] {
        refused("processes", Pool::builder().processes(1).name(name).build(), "NUL");
        refused("threads", Pool::builder().threads(1).name(name).build(), "NUL");
        let error = ThreadPool::builder().threads(1).name(name).build().map(drop).unwrap_err();
        assert!(error.to_string().contains("NUL"), "{error}");
        let error = Process::new(|| (), ()).name(name).start().unwrap_err();
        assert!(error.to_string().contains("NUL"), "{error}");
    }
    let endless = "x".repeat(64 << 20);
    refused("a long name", Pool::builder().processes(1).name(endless.clone()).build(), "longer");
    refused("a long name", Pool::builder().threads(1).name(endless.clone()).build(), "longer");
    let error = Process::new(|| (), ()).name(endless).start().unwrap_err();
    assert!(error.to_string().contains("longer"), "{error}");
}

#[procession::test]
fn waits_for_a_process_are_of_any_length() {
    let _harness = Harness::start("waits for a process", LIMIT);
    let gate = procession::Event::new().unwrap();
    let mut process = Process::new(|gate: procession::Event| gate.wait(), (gate.clone(),));
    process.start().unwrap();
    assert!(process.join_timeout(Duration::ZERO).unwrap().is_none());
    gate.set();
    assert!(process.join_timeout(FOREVER).unwrap().is_some());
}

#[procession::test]
fn shared_objects_that_cannot_be_say_which() {
    let _harness = Harness::start("shared objects", LIMIT);
    let error = AtomicArray::<std::sync::atomic::AtomicU64>::zeroed(1 << 47).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("a shared AtomicArray<core::sync::atomic::AtomicU64>"), "{text}");
    let text = Array::<u8>::zeroed(1 << 62).unwrap_err().to_string();
    assert!(text.contains("a shared Array<u8>"), "{text}");
}
