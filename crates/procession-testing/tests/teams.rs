//! Processes of several threads: what the threads of one share, and what its death costs.

use procession::{Pool, current_process};
use procession_testing::{Harness, send, wait_for};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, LazyLock};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// How often this process was initialized.
static INITIALIZED: AtomicU64 = AtomicU64::new(0);

/// Where three tasks of one process meet.
static MEETING: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(3));

/// How many tasks of this process have come to the meeting.
static ARRIVED: AtomicU64 = AtomicU64::new(0);

fn pool(processes: usize, threads: usize) -> Pool {
    Pool::builder().processes(processes).threads(threads).build().unwrap()
}

#[procession::test]
fn the_threads_of_a_process_work_side_by_side_and_are_initialized_once() {
    let _harness = Harness::start("side by side", LIMIT);
    let initialize = || {
        INITIALIZED.fetch_add(1, Ordering::SeqCst);
    };
    let pool = Pool::builder().processes(1).threads(3).initializer(initialize, ()).build().unwrap();
    let meet = |_: u64| {
        MEETING.wait();
        let name = std::thread::current().name().map(str::to_owned);
        (INITIALIZED.load(Ordering::SeqCst), current_process().name().to_owned(), name)
    };
    let met = pool.chunksize(1).map(meet, 0..3).unwrap();
    let threads: BTreeSet<_> = met.iter().map(|(_, _, thread)| thread.clone()).collect();
    assert_eq!(threads.len(), 3, "{threads:?}");
    assert!(threads.contains(&Some("PoolWorker-1.2".to_owned())), "{threads:?}");
    assert!(met.iter().all(|(count, name, _)| *count == 1 && name == "PoolWorker-1"), "{met:?}");
    assert_eq!((pool.processes(), pool.worker_pids().len(), pool.stats().workers), (1, 1, 3));
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn a_death_costs_what_the_threads_of_the_process_were_running_and_nothing_else() {
    let _harness = Harness::start("a shared death", LIMIT);
    let pool = pool(2, 3);
    // Six tasks fill all threads; those of the first process to be full die together.
    let meet = |item: u64| {
        ARRIVED.fetch_add(1, Ordering::SeqCst);
        if MEETING.wait().is_leader() && ARRIVED.load(Ordering::SeqCst) == 3 {
            let path = std::env::temp_dir().join(format!(
                "procession-shared-death-{}",
                procession::current_process().parent_pid().unwrap()
            ));
            if std::fs::create_dir(path).is_ok() {
                send(std::process::id() as i32, libc::SIGKILL);
            }
        }
        // Long enough for what waits behind it to be taken elsewhere.
        std::thread::sleep(Duration::from_millis(200));
        (item, std::process::id())
    };
    // Both are there: otherwise one might get more than it has threads for, and the other too few to meet.
    wait_for("both processes", LIMIT, || {
        let who = |_: u64| {
            std::thread::sleep(Duration::from_millis(5));
            std::process::id()
        };
        let asked: Vec<_> = (0..12).map(|item| pool.apply_async(who, (item,))).collect();
        asked.into_iter().map(|pid| pid.get().unwrap()).collect::<BTreeSet<_>>().len() == 2
    });
    let meeting: Vec<_> = (0..6).map(|item| pool.apply_async(meet, (item,))).collect();
    let rest: Vec<_> = (0..100_u64).map(|item| pool.apply_async(|x: u64| x, (item,))).collect();
    let mut survivors = BTreeMap::new();
    let mut lost = Vec::new();
    for result in meeting {
        match result.get() {
            Ok((item, pid)) => {
                survivors.insert(item, pid);
            }
            Err(error) => {
                assert!(error.is_worker_lost() && error.signal() == Some(libc::SIGKILL), "{error}");
                lost.push(error.pid());
            }
        }
    }
    let path = std::env::temp_dir().join(format!("procession-shared-death-{}", std::process::id()));
    std::fs::remove_dir(path).unwrap();
    assert_eq!(lost.len(), 3, "{lost:?}");
    assert!(lost.iter().all(|pid| *pid == lost[0]));
    assert_eq!(survivors.values().collect::<BTreeSet<_>>().len(), 1, "{survivors:?}");
    for (item, result) in (0..).zip(rest) {
        assert_eq!(result.get().unwrap(), item);
    }
    wait_for("a new process", LIMIT, || pool.worker_pids().len() == 2);
    assert_eq!(pool.stats().lost, 3);
    pool.close();
    // Every failure was looked at.
    pool.join().unwrap();
}

#[procession::test]
fn large_payloads_of_several_threads_do_not_mix() {
    let _harness = Harness::start("threads with large payloads", LIMIT);
    let pool = pool(2, 3);
    let fill = |byte: u8, length: u64| vec![byte; length as usize];
    let sizes = (0..60_u64).map(|n| (n as u8, 20_000 + n * 7_919));
    let results = pool.chunksize(1).starmap(fill, sizes.clone()).unwrap();
    for ((byte, length), result) in sizes.zip(results) {
        assert_eq!(result.len() as u64, length);
        assert!(result.iter().all(|each| *each == byte));
    }
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn threads_of_an_initializer_that_fails_break_the_pool() {
    let _harness = Harness::start("a failing initializer over threads", LIMIT);
    let refuse = || assert_eq!(1, 2, "not today");
    let pool = Pool::builder().processes(1).threads(2).initializer(refuse, ()).build().unwrap();
    let error = pool.apply(|| 1, ()).unwrap_err();
    assert!(error.is_broken() && error.to_string().contains("not today"), "{error}");
    assert!(pool.join().is_err());
}

#[procession::test]
fn a_pool_of_processes_without_threads_is_refused() {
    let _harness = Harness::start("no threads", LIMIT);
    assert!(Pool::builder().processes(1).threads(0).build().is_err());
}
