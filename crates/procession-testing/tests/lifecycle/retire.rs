//! Workers that are replaced although nothing is wrong with their process.

use super::{LIMIT, Place, close, place};
use procession::{Pool, PoolBuilder};
use procession_testing::{Harness, Random, send, wait_for};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

/// Checks that no process ran more than `most`; gives how many processes there were.
fn check(places: &[Place], most: u64) -> u64 {
    let mut counts: HashMap<u32, u64> = HashMap::new();
    for (pid, number) in places {
        assert!(*number <= most, "process {pid} ran {number} tasks of {most}");
        *counts.entry(*pid).or_default() += 1;
    }
    assert!(counts.values().all(|count| *count <= most), "{counts:?}");
    counts.len() as u64
}

/// Pools of processes and of processes with threads.
fn layouts() -> [(&'static str, PoolBuilder); 3] {
    let builder = Pool::builder;
    [
        ("one process", builder().processes(1)),
        ("two processes", builder().processes(2)),
        ("two processes of three threads", builder().processes(2).threads(3)),
    ]
}

#[procession::test]
fn no_process_runs_more_tasks_than_it_may_and_none_is_lost() {
    let _harness = Harness::start("max tasks", LIMIT);
    for most in [1, 3, 40] {
        for (name, builder) in layouts() {
            let pool = builder.max_tasks_per_child(most).build().unwrap();
            let tasks = 3 * most + 1;
            let single: Vec<_> = (0..tasks).map(|_| pool.apply_async(place, ())).collect();
            let mut places: Vec<_> = single.into_iter().map(|task| task.get().unwrap()).collect();
            places.extend(pool.map(|_: u64| place(), 0..tasks).unwrap());
            places.extend(pool.chunksize(7).map(|_: u64| place(), 0..tasks).unwrap());
            assert_eq!(places.len() as u64, 3 * tasks);
            let processes = check(&places, most);
            assert!(processes * most >= 3 * tasks, "{name} of {most}: {processes} processes");
            close(&pool);
            let stats = pool.stats();
            assert_eq!((stats.respawns, stats.lost), (0, 0), "{name} of {most}: {stats:?}");
            assert!(stats.retired + 2 >= processes, "{name} of {most}: {stats:?}, {processes}");
        }
    }
}

#[procession::test]
fn what_is_taken_back_counts_where_it_runs() {
    let _harness = Harness::start("max tasks and taking back", LIMIT);
    let mut random = Random::new(7);
    let pool = Pool::builder().processes(3).max_tasks_per_child(5).build().unwrap();
    let slow = |micros: u64| {
        std::thread::sleep(Duration::from_micros(micros));
        place()
    };
    // A few long ones, behind which short ones pile up.
    let mut length = || if random.below(10) == 0 { 8_000 } else { random.below(300) };
    let tasks: Vec<_> = (0..120).map(|_| pool.apply_async(slow, (length(),))).collect();
    let places: Vec<_> = tasks.into_iter().map(|task| task.get().unwrap()).collect();
    check(&places, 5);
    // Chunks that were cut for a fresh process come back, and find one that may run less.
    let lengths: Vec<u64> = (0..120).map(|_| length()).collect();
    let places = pool.chunksize(4).map(slow, lengths.clone()).unwrap();
    assert_eq!(places.len(), 120);
    check(&places, 5);
    let places: Vec<_> = pool.chunksize(3).imap(slow, lengths).map(Result::unwrap).collect();
    check(&places, 5);
    close(&pool);
}

#[procession::test]
fn a_worker_that_has_run_its_tasks_is_replaced_though_nobody_waits() {
    let _harness = Harness::start("replaced unseen", LIMIT);
    for (name, builder) in layouts() {
        let pool = builder.max_tasks_per_child(1).build().unwrap();
        let before = pool.worker_pids();
        let tasks: Vec<_> = before.iter().map(|_| pool.apply_async(place, ())).collect();
        wait_for("every place has another process", LIMIT, || {
            let now = pool.worker_pids();
            now.len() == before.len() && now.iter().all(|pid| !before.contains(pid))
        });
        assert_eq!(pool.stats().retired, before.len() as u64, "{name}");
        tasks.iter().for_each(|task| assert!(task.ready()));
        close(&pool);
    }
}

#[procession::test]
fn a_pool_ends_while_its_workers_are_replaced() {
    let _harness = Harness::start("ends while retiring", LIMIT);
    for round in 0..24 {
        let pool = Pool::builder().processes(2).max_tasks_per_child(1).build().unwrap();
        let tasks: Vec<_> = (0..round).map(|_| pool.apply_async(place, ())).collect();
        match round % 3 {
            0 => close(&pool),
            1 => pool.terminate(),
            _ => drop(pool),
        }
        for task in tasks {
            match task.get() {
                Ok((_, number)) => assert_eq!(number, 1),
                Err(error) => assert!(round % 3 > 0 && error.is_terminated(), "{error}"),
            }
        }
    }
}

/// Panics at every third item.
fn moody(item: u64) -> Place {
    assert!(!item.is_multiple_of(3), "item {item}");
    place()
}

#[procession::test]
fn nothing_runs_in_a_process_after_a_panic() {
    let _harness = Harness::start("restart on panic", LIMIT);
    for (name, builder) in layouts().into_iter().take(2) {
        let pool = builder.restart_on_panic().build().unwrap();
        for chunk in [1, 5] {
            let mut panicked = Vec::new();
            let results: Vec<_> = pool.chunksize(chunk).imap(moody, 0..12).collect();
            assert_eq!(results.len(), 12);
            for (item, result) in (0_u64..).zip(results) {
                match result {
                    Ok(_) => assert!(!item.is_multiple_of(3)),
                    Err(error) => {
                        assert!(error.is_panicked() && item.is_multiple_of(3), "{error}");
                        panicked.push(error.pid().unwrap());
                    }
                }
            }
            panicked.sort_unstable();
            panicked.dedup();
            assert_eq!(panicked.len(), 4, "{name} in chunks of {chunk}: each panic had a process");
        }
        let stats = pool.stats();
        assert_eq!((stats.succeeded, stats.failed, stats.lost, stats.respawns), (16, 8, 0, 0));
        wait_for("the last is replaced", LIMIT, || pool.stats().retired == 8);
        pool.terminate();
    }
}

#[procession::test]
fn the_other_threads_of_a_process_finish_what_they_run_after_a_panic() {
    let _harness = Harness::start("restart on panic, threads", LIMIT);
    /// Says that it runs, and waits for the file to be gone.
    fn wait_for_panic(path: PathBuf) -> Place {
        std::fs::write(&path, "runs").unwrap();
        while path.exists() {
            std::thread::yield_now();
        }
        place()
    }
    let path = std::env::temp_dir().join(format!("procession-panic-{}", std::process::id()));
    let pool = Pool::builder().processes(1).threads(3).restart_on_panic().build().unwrap();
    let before = pool.worker_pids()[0];
    let slow = pool.apply_async(wait_for_panic, (path.clone(),));
    wait_for("it runs", LIMIT, || path.exists());
    let panics = pool.apply_async(moody, (3,));
    assert!(panics.get().unwrap_err().is_panicked());
    // It waits for the next process, or ran before the panic.
    let later: Vec<_> = (0..20).map(|_| pool.apply_async(place, ())).collect();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(slow.get().unwrap().0, before);
    later.into_iter().for_each(|task| assert_ne!(task.get().unwrap().0, before));
    assert_eq!(pool.stats().lost, 0);
    close(&pool);
}

/// Takes memory and keeps it.
fn leak(bytes: usize) -> Place {
    static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
    KEPT.lock().unwrap().push(vec![1; bytes]);
    place()
}

#[procession::test]
fn a_process_with_too_much_memory_is_replaced_before_it_runs_more() {
    const MIB: usize = 1 << 20;
    let _harness = Harness::start("max memory", LIMIT);
    for (name, builder) in layouts() {
        let pool = builder.max_memory_per_child(100 * MIB as u64).build().unwrap();
        let mut places: Vec<_> = (0..8).map(|_| pool.apply(leak, (30 * MIB,)).unwrap()).collect();
        places.extend(pool.chunksize(8).map(leak, [30 * MIB; 8]).unwrap());
        // The fourth of a process takes it over the limit.
        check(&places, if name.contains("threads") { 6 } else { 4 });
        let stats = pool.stats();
        assert!(stats.retired > 0, "{name}: {stats:?}");
        assert_eq!((stats.respawns, stats.lost), (0, 0), "{name}: {stats:?}");
        close(&pool);
    }
    // One that has too much from the start on works all the same, if slowly.
    let pool = Pool::builder().processes(1).max_memory_per_child(1).build().unwrap();
    let places = pool.map(|_: u8| place(), 0..5).unwrap();
    assert_eq!(check(&places, 1), 5);
    close(&pool);
}

#[procession::test]
fn a_worker_that_is_killed_while_it_is_replaced_costs_what_it_ran() {
    let _harness = Harness::start("killed while retiring", LIMIT);
    let mut random = Random::new(11);
    let pool = Pool::builder().processes(2).threads(2).max_tasks_per_child(3).build().unwrap();
    let mut lost = 0;
    for _ in 0..30 {
        let tasks: Vec<_> = (0..6).map(|_| pool.apply_async(place, ())).collect();
        if let Some(pid) = pool.worker_pids().get(random.below(2) as usize) {
            send(*pid as i32, libc::SIGKILL);
        }
        for task in tasks {
            match task.get() {
                Ok((_, number)) => assert!(number <= 3),
                Err(error) => {
                    assert!(error.is_worker_lost(), "{error}");
                    lost += 1;
                }
            }
        }
    }
    assert_eq!(pool.stats().lost, lost);
    close(&pool);
}

#[procession::test]
fn threads_of_the_program_are_not_replaced() {
    let refused = [
        Pool::builder().threads(2).max_tasks_per_child(3).build(),
        Pool::builder().threads(2).max_memory_per_child(1 << 30).build(),
        Pool::builder().threads(2).restart_on_panic().build(),
        Pool::builder().processes(2).max_tasks_per_child(0).build(),
    ];
    for pool in refused {
        let error = pool.map(drop).unwrap_err();
        assert!(error.to_string().contains("replace"), "{error}");
    }
}
