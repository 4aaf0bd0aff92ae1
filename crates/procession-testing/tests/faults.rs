//! What goes wrong, and what the caller gets for it.

use procession::{Error, Pool, Process};
use procession_testing::{Harness, send, wait_for};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);

/// A way to end a task without a value.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Fault {
    Panic,
    PanicWithoutText,
    PanicWhoseDropPanics,
    Abort,
    Exit,
    Segfault,
    Kill,
    StackOverflow,
}

struct DropPanics;

impl Drop for DropPanics {
    fn drop(&mut self) {
        panic!("again");
    }
}

fn overflow(depth: u64) -> u64 {
    let frame = [depth; 64];
    if depth == u64::MAX { 0 } else { overflow(depth + 1) + std::hint::black_box(frame)[7] }
}

/// Fails when `item` is 3, else gives it back.
fn fail_at_three(item: u64, fault: Fault) -> u64 {
    if item != 3 {
        return item;
    }
    match fault {
        Fault::Panic => panic!("item {item}"),
        Fault::PanicWithoutText => std::panic::panic_any(item),
        Fault::PanicWhoseDropPanics => std::panic::panic_any(DropPanics),
        Fault::Abort => std::process::abort(),
        Fault::Exit => std::process::exit(3),
        // SAFETY: not sound at all: the null page is not mapped, and the fault is the point.
        Fault::Segfault => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
        Fault::Kill => {
            send(std::process::id() as i32, libc::SIGKILL);
        }
        Fault::StackOverflow => return overflow(0),
    }
    unreachable!("the fault ends the task");
}

/// Each fault, what its error must satisfy, and whether the worker survives.
type Row = (Fault, fn(&Error) -> bool, bool);

const FAULTS: [Row; 8] = [
    (
        Fault::Panic,
        |e| {
            e.is_panicked()
                && e.panic_message() == Some("item 3")
                && e.panic_location().is_some_and(|place| place.contains("faults.rs:"))
        },
        true,
    ),
    (
        Fault::PanicWithoutText,
        |e| e.is_panicked() && e.panic_message().unwrap().contains("not a string"),
        true,
    ),
    (Fault::PanicWhoseDropPanics, Error::is_panicked, true),
    (Fault::Abort, |e| e.is_worker_lost() && e.signal() == Some(libc::SIGABRT), false),
    (Fault::Exit, |e| e.is_worker_lost() && e.exit_code() == Some(3), false),
    (Fault::Segfault, |e| e.is_worker_lost() && e.signal_name() == Some("SIGSEGV"), false),
    (Fault::Kill, |e| e.is_worker_lost() && e.signal() == Some(libc::SIGKILL), false),
    // Where the language's guard is in place it is an abort, else a segfault.
    (Fault::StackOverflow, |e| e.is_worker_lost() && e.signal().is_some(), false),
];

#[procession::test]
fn a_fault_costs_the_item_that_ran_and_nothing_else() {
    let _harness = Harness::start("the fault table", LIMIT);
    let pool = Pool::new(2).unwrap();
    for (fault, expected, survives) in FAULTS {
        for chunk in [1, 6, 20] {
            let before = pool.worker_pids();
            let items = (0..20).map(|item| (item, fault));
            let results: Vec<_> = pool
                .chunksize(chunk)
                .imap(|(item, fault): (u64, Fault)| fail_at_three(item, fault), items)
                .collect();
            assert_eq!(results.len(), 20);
            for (item, result) in (0..).zip(results) {
                match result {
                    Ok(value) => assert!(value == item && item != 3),
                    Err(error) => {
                        assert!(item == 3 && expected(&error), "{fault:?} item {item}: {error}");
                        assert!(before.contains(&error.pid().unwrap()), "{error}");
                    }
                }
            }
            assert_eq!(pool.worker_pids() == before, survives, "{fault:?}");
        }
        let single = pool.apply(fail_at_three, (3, fault)).unwrap_err();
        assert!(expected(&single), "{fault:?}: {single}");
        assert_eq!(pool.apply(fail_at_three, (4, fault)).unwrap(), 4);
        let mut process = Process::new(fail_at_three, (3, fault));
        process.start().unwrap();
        let alone = process.join().unwrap_err();
        assert!(expected(&alone), "{fault:?} in a process: {alone}");
    }
    pool.close();
    pool.join().unwrap();
}

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
fn a_failing_initializer_breaks_the_pool_after_a_few_tries() {
    let _harness = Harness::start("initializer", LIMIT);
    fn refuse(why: String) {
        panic!("no {why}");
    }
    fn leave() {
        std::process::exit(9);
    }
    let pool =
        Pool::builder().processes(3).initializer(refuse, ("licence".into(),)).build().unwrap();
    let error = pool.apply(|| 1, ()).unwrap_err();
    assert!(error.is_broken() && error.is_panicked(), "{error}");
    assert_eq!(error.panic_message(), Some("no licence"));
    assert!(pool.stats().respawns < 12, "{:?}", pool.stats());
    assert!(pool.map(|x: u8| x, 0..9).unwrap_err().is_broken());
    pool.close();
    assert!(pool.join().unwrap_err().is_broken());
    let pool = Pool::builder().processes(2).initializer(leave, ()).build().unwrap();
    let error = pool.apply(|| 1, ()).unwrap_err();
    assert!(error.is_broken() && error.exit_code() == Some(9), "{error}");
}

#[procession::test]
fn an_initializer_that_does_not_return_is_given_up() {
    let _harness = Harness::start("endless initializer", LIMIT);
    let endless = || std::thread::sleep(Duration::from_secs(600));
    let timeout = Duration::from_millis(200);
    let builder = Pool::builder().processes(2).initializer(endless, ());
    let pool = builder.start_timeout(timeout).build().unwrap();
    let error = pool.apply(|| 1, ()).unwrap_err();
    assert!(error.is_broken() && error.to_string().contains("initializer"), "{error}");
    pool.close();
    assert!(pool.join().unwrap_err().is_broken());
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
    a_fault_costs_the_item_that_ran_and_nothing_else,
    a_map_runs_everything_and_reports_the_first_failure,
    a_failing_initializer_breaks_the_pool_after_a_few_tries,
    an_initializer_that_does_not_return_is_given_up,
    a_worker_that_dies_idle_is_replaced_and_nothing_is_lost,
    children_that_cannot_be_workers_break_the_pool_with_the_reason,
    what_cannot_be_encoded_or_decoded_is_named,
    join_reports_a_failure_that_nobody_looked_at,
    a_dropped_or_terminated_pool_fails_its_tasks_and_leaves_no_worker,
    a_waiting_thread_is_woken_when_the_pool_is_terminated,
);
