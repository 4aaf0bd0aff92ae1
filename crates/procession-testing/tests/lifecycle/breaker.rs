//! Workers that die again and again without having done anything.

use super::{LIMIT, RUN, close, place};
use procession::Pool;
use procession_testing::{Harness, send, wait_for};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Has this process exit once it is ready and has nothing to do, unless it has run a task by then.
fn leave_when_idle() {
    // The worker's first thread sleeps when it waits for its first request after it was ready.
    let sleeps = || {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        stat.rsplit(") ").next().unwrap().starts_with('S')
    };
    std::thread::spawn(move || {
        let mut asleep = 0;
        while asleep < 5 {
            asleep = if sleeps() { asleep + 1 } else { 0 };
            std::thread::sleep(Duration::from_millis(1));
        }
        if RUN.load(Ordering::SeqCst) == 0 {
            std::process::exit(7);
        }
    });
}

fn restless(processes: usize) -> Pool {
    Pool::builder().processes(processes).initializer(leave_when_idle, ()).build().unwrap()
}

/// Waits until the next worker of a restless pool is put off.
fn wait_for_delay(pool: &Pool) {
    wait_for("the next worker has to wait", LIMIT, || {
        pool.stats().respawns >= 5 && pool.worker_pids().is_empty()
    });
}

#[procession::test]
fn workers_that_die_idle_break_the_pool_in_the_end() {
    let _harness = Harness::start("idle deaths", LIMIT);
    let pool = restless(1);
    wait_for("the twelfth has died", LIMIT, || {
        pool.stats().respawns == 11 && pool.worker_pids().is_empty()
    });
    let error = pool.apply(place, ()).unwrap_err();
    assert!(error.is_broken(), "{error}");
    assert_eq!((error.exit_code(), error.worker()), (Some(7), Some((0, 12))), "{error}");
    assert!(error.to_string().contains("12 in a row"), "{error}");
    pool.close();
    assert!(pool.join().unwrap_err().is_broken());
}

#[procession::test]
fn tasks_that_come_while_the_next_worker_waits_are_run() {
    let _harness = Harness::start("submitted while delayed", LIMIT);
    let pool = restless(1);
    wait_for_delay(&pool);
    let tasks: Vec<_> = (0..3).map(|_| pool.apply_async(place, ())).collect();
    tasks.into_iter().for_each(|task| assert!(task.get().is_ok()));
    // Who has run a task stays, and what went before is forgotten.
    assert_eq!(pool.map(|_: u8| place().0, 0..9).unwrap(), [pool.worker_pids()[0]; 9]);
    close(&pool);
}

#[procession::test]
fn a_pool_ends_while_the_next_worker_waits() {
    let _harness = Harness::start("ended while delayed", LIMIT);
    for has_task in [false, true] {
        let pool = restless(1);
        wait_for_delay(&pool);
        let task = has_task.then(|| pool.apply_async(place, ()));
        close(&pool);
        task.into_iter().for_each(|task| assert!(task.get().is_ok()));
    }
    for has_task in [false, true] {
        let pool = restless(1);
        wait_for_delay(&pool);
        let task = has_task.then(|| pool.apply_async(place, ()));
        pool.terminate();
        if let Some(Err(error)) = task.map(|task| task.get()) {
            assert!(error.is_terminated(), "{error}");
        }
    }
    let pool = restless(1);
    wait_for_delay(&pool);
    drop(pool);
}

#[procession::test]
fn deaths_of_workers_that_did_something_are_never_too_many() {
    let _harness = Harness::start("deaths after tasks", LIMIT);
    let pool = Pool::new(1).unwrap();
    for round in 0..60 {
        let (pid, number) = pool.apply(place, ()).unwrap();
        assert_eq!(number, 1, "round {round}");
        assert!(send(pid as i32, libc::SIGKILL));
        wait_for("another is there", LIMIT, || pool.worker_pids().first() != Some(&pid));
    }
    wait_for("the last is replaced", LIMIT, || pool.stats().respawns == 60);
    close(&pool);
}
