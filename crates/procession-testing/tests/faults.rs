//! What goes wrong, and what the caller gets for it, as far as the fault table (`table`) does not say it.

use procession::{Error, Pool};
use procession_testing::{Harness, send, wait_for};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);

#[procession::test]
fn a_map_runs_everything_and_reports_the_first_failure() {
    let _harness = Harness::start("failing map", LIMIT);
    let pool = Pool::new(2).unwrap();
    let odd = |x: u64| assert!(x.is_multiple_of(2), "odd {x}");
    let error = pool.map(odd, 0..100).unwrap_err();
    assert_eq!(error.panic_message(), Some("odd 1"));
    assert_eq!(pool.stats().submitted, 100);
    assert_eq!(pool.stats().succeeded + pool.stats().failed, 100);
    let later = pool.map_async(odd, 0..100);
    wait_for("a failing map", LIMIT, || later.ready());
    assert_eq!(later.successful(), Some(false));
    assert_eq!(later.get().unwrap_err().panic_message(), Some("odd 1"));
}

#[procession::test]
fn a_worker_that_dies_idle_is_replaced_and_nothing_is_lost() {
    let _harness = Harness::start("idle deaths", LIMIT);
    let pool = Pool::builder().processes(2).name("Idler").build().unwrap();
    for _ in 0..5 {
        assert_eq!(pool.map(|x: u8| x, 0..20).unwrap().len(), 20);
        let before = pool.worker_pids();
        assert!(before.iter().all(|pid| send(*pid as i32, libc::SIGKILL)));
        // At once: whatever has gone to the dead runs on their successors.
        let results: Vec<_> = (0..50).map(|i: u64| pool.apply_async(|x: u64| x, (i,))).collect();
        let outcomes: Vec<_> = results.into_iter().map(procession::AsyncResult::get).collect();
        for (i, outcome) in (0..).zip(&outcomes) {
            // Only what had begun when the signal came.
            assert!(
                outcome.as_ref().is_ok_and(|x| *x == i)
                    || outcome.as_ref().is_err_and(Error::is_worker_lost)
            );
        }
        assert!(outcomes.iter().filter(|outcome| outcome.is_err()).count() <= 2);
        wait_for("two others", LIMIT, || {
            let now = pool.worker_pids();
            now.len() == 2 && now.iter().all(|pid| !before.contains(pid))
        });
    }
    assert_eq!(pool.stats().respawns, 10);
    pool.close();
    // What was lost has been looked at.
    pool.join().unwrap();
}

#[procession::test]
fn children_that_cannot_be_workers_break_the_pool_with_the_reason() {
    let _harness = Harness::start("wrong executables", LIMIT);
    let attempt = |path: &str| {
        procession::set_executable(Some(path.into()));
        let timeout = Duration::from_millis(300);
        let result = Pool::builder()
            .processes(2)
            .start_timeout(timeout)
            .build()
            .and_then(|pool| pool.apply(|| 1, ()));
        procession::set_executable(None);
        result.unwrap_err().to_string()
    };
    let other = attempt(env!("CARGO_BIN_EXE_other_build"));
    assert!(other.contains("another build") && other.contains("the parent is"), "{other}");
    let truth = attempt("/bin/true");
    assert!(truth.contains("before it said hello") && truth.contains("exit code 0"), "{truth}");
    assert!(truth.contains("procession::main"), "{truth}");
    let mute = attempt(env!("CARGO_BIN_EXE_mute"));
    assert!(mute.contains("did not say hello"), "{mute}");
    let nothing = attempt("/no/such/program");
    assert!(nothing.contains("/no/such/program"), "{nothing}");
    assert_eq!(Pool::new(1).unwrap().apply(|| 1, ()).unwrap(), 1);
}

#[procession::test]
fn a_main_without_the_attribute_is_refused_and_is_no_fork_bomb() {
    let _harness = Harness::start("missing init", LIMIT);
    for arguments in [&[][..], &["parent"]] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_no_init"))
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("#[procession::main]"), "{text}");
        let mains = text.matches("main runs").count();
        assert!(mains <= 1 + 14, "{mains} processes ran main");
    }
}

/// Fails to encode itself.
#[derive(Debug, Deserialize)]
struct Stubborn;

impl Serialize for Stubborn {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("stubborn"))
    }
}

#[procession::test]
fn what_cannot_be_encoded_or_decoded_is_named() {
    let _harness = Harness::start("codec errors", LIMIT);
    let pool = Pool::new(1).unwrap();
    let submitted = pool.stats().submitted;
    let error = pool.apply(|_: Stubborn| (), (Stubborn,)).unwrap_err();
    assert!(error.is_codec() && error.to_string().contains("Stubborn"), "{error}");
    assert_eq!(pool.stats().submitted, submitted, "nothing was sent");
    assert!(pool.map(|_: Stubborn| (), [Stubborn]).unwrap_err().is_codec());
    let results: Vec<_> = pool.imap(|_: Stubborn| (), [Stubborn, Stubborn]).collect();
    assert_eq!(results.len(), 2);
    let error = pool.apply(|| Stubborn, ()).unwrap_err();
    assert!(error.is_codec() && error.to_string().contains("Stubborn"), "{error}");
    let value = serde_json::json!([1]);
    for error in [
        pool.apply(|_: serde_json::Value| (), (value,)).unwrap_err(),
        pool.apply(|| serde_json::json!({"a": 1}), ()).unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(text.contains("procession::Described") && text.contains("Value"), "{text}");
    }
    assert_eq!(pool.stats().respawns, 0, "the worker lives on");
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn join_reports_a_failure_that_nobody_looked_at() {
    let _harness = Harness::start("unseen failures", LIMIT);
    let fail = |x: u8| panic!("unseen {x}");
    let pool = Pool::new(1).unwrap();
    assert!(pool.join().is_err(), "not closed");
    let seen: Result<(), _> = pool.apply_async(fail, (1,)).get();
    assert!(seen.is_err());
    drop(pool.apply_async(fail, (2,)));
    pool.close();
    assert!(pool.apply(|| (), ()).unwrap_err().is_closed());
    assert_eq!(pool.join().unwrap_err().panic_message(), Some("unseen 2"));
    let pool = Pool::new(1).unwrap();
    drop(pool.map_async(|x: u8| assert_ne!(x, 4), 0..8));
    pool.close();
    assert!(pool.join().unwrap_err().is_panicked());
    let pool = Pool::new(1).unwrap();
    drop(pool.apply_async(|_: Stubborn| (), (Stubborn,)));
    pool.close();
    assert!(pool.join().unwrap_err().is_codec());
}

#[procession::test]
fn a_dropped_or_terminated_pool_fails_its_tasks_and_leaves_no_worker() {
    let _harness = Harness::start("dropped pools", LIMIT);
    let nap = |_: u8| std::thread::sleep(Duration::from_secs(600));
    for terminate in [false, true] {
        let pool = Pool::new(2).unwrap();
        let tasks: Vec<_> = (0..20).map(|i| pool.apply_async(nap, (i,))).collect();
        let map = pool.map_async(nap, 0..20);
        let pids = pool.worker_pids();
        let start = Instant::now();
        if terminate {
            pool.terminate();
            pool.join().unwrap();
            assert!(pool.apply(nap, (1,)).unwrap_err().is_terminated());
        }
        drop(pool);
        assert!(start.elapsed() < Duration::from_secs(60));
        assert!(pids.iter().all(|pid| !send(*pid as i32, 0)), "{pids:?} are gone");
        for task in tasks {
            assert!(task.get().unwrap_err().is_terminated());
        }
        assert!(map.get().unwrap_err().is_terminated());
    }
}

#[procession::test]
fn a_waiting_thread_is_woken_when_the_pool_is_terminated() {
    let _harness = Harness::start("terminate under waiters", LIMIT);
    let pool = Pool::new(1).unwrap();
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let task = pool.apply_async(|| std::thread::sleep(Duration::from_secs(600)), ());
                scope.spawn(move || task.get().unwrap_err().is_terminated())
            })
            .collect();
        pool.terminate();
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
    });
}

procession_testing::again_by!(Spawn in spawned:
    a_map_runs_everything_and_reports_the_first_failure,
    a_worker_that_dies_idle_is_replaced_and_nothing_is_lost,
    children_that_cannot_be_workers_break_the_pool_with_the_reason,
    what_cannot_be_encoded_or_decoded_is_named,
    join_reports_a_failure_that_nobody_looked_at,
    a_dropped_or_terminated_pool_fails_its_tasks_and_leaves_no_worker,
    a_waiting_thread_is_woken_when_the_pool_is_terminated,
);
