//! What children may rely on, by whichever method they were started, and what becomes of templates.

use procession::{Error, Pool, Process, StartMethod};
use procession_testing::{Harness, children, send, wait_for};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const METHODS: [StartMethod; 2] = [StartMethod::Spawn, StartMethod::ForkServer];

fn parent_of(pid: u32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    line.and_then(|pid| pid.trim().parse().ok()).unwrap_or(0)
}

/// The templates of this process: children that are no workers.
fn templates(workers: &[u32]) -> Vec<u32> {
    children().into_iter().filter(|pid| !workers.contains(pid)).collect()
}

fn try_forked(processes: usize) -> procession::Result<Pool> {
    Pool::builder().processes(processes).start_method(StartMethod::ForkServer).build()
}

fn forked(processes: usize) -> Pool {
    try_forked(processes).unwrap()
}

#[procession::test]
fn children_of_a_template_are_the_programs_own() {
    let _harness = Harness::start("whose children", LIMIT);
    let pool = forked(3);
    assert_eq!(pool.map(|x: u64| x, 0..100).unwrap().len(), 100);
    let pids = pool.worker_pids();
    assert_eq!(pids.len(), 3);
    for pid in &pids {
        assert_eq!(parent_of(*pid), std::process::id());
    }
    // By the C library's reckoning, too: it signals a thread by the id that it keeps.
    let signalled = pool.apply(
        || {
            let id = || fs::read_link("/proc/thread-self").unwrap();
            let own = id();
            let other = std::thread::spawn(id).join().unwrap();
            own != other && own.starts_with(std::process::id().to_string())
        },
        (),
    );
    assert!(signalled.unwrap());
    let mut process = Process::new(|| std::process::abort(), ());
    process.start().unwrap();
    let aborted: Result<(), Error> = process.join();
    assert_eq!(aborted.unwrap_err().signal(), Some(libc::SIGABRT));
    assert_eq!(templates(&pids).len(), 1, "one template for all");
}

#[procession::test]
fn a_template_that_is_killed_costs_no_worker_and_is_replaced() {
    let _harness = Harness::start("killed templates", LIMIT);
    let pool = forked(2);
    for _ in 0..5 {
        let before = pool.worker_pids();
        let template = templates(&before);
        assert_eq!(template.len(), 1);
        assert!(send(template[0] as i32, libc::SIGKILL));
        wait_for("the template is gone", LIMIT, || !send(template[0] as i32, 0));
        assert_eq!(pool.map(|x: u64| x, 0..10).unwrap().len(), 10);
        assert_eq!(pool.worker_pids(), before);
        assert!(send(before[0] as i32, libc::SIGKILL));
        wait_for("another worker", LIMIT, || {
            let now = pool.worker_pids();
            now.len() == 2 && now[0] != before[0]
        });
    }
    assert_eq!(pool.map(|x: u64| x, 0..10).unwrap().len(), 10);
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn a_template_that_is_killed_while_it_launches_leaves_nothing_and_holds_up_nothing() {
    let _harness = Harness::start("templates killed at work", LIMIT);
    for delay in 0..40 {
        std::thread::scope(|scope| {
            let starter = scope.spawn(|| try_forked(2)?.map(|x: u64| x, 0..10));
            let killer = scope.spawn(move || {
                std::thread::sleep(Duration::from_micros(delay * 50));
                // Any child that is there: templates and workers look alike from outside.
                for pid in templates(&[]) {
                    send(pid as i32, libc::SIGKILL);
                }
            });
            killer.join().unwrap();
            // What was running may be lost; nothing hangs, and nothing stays.
            match starter.join().unwrap() {
                Ok(results) => assert_eq!(results.len(), 10),
                Err(error) => assert!(error.is_worker_lost() || error.is_broken(), "{error}"),
            }
        });
    }
    assert_eq!(forked(2).map(|x: u64| x, 0..10).unwrap().len(), 10);
}

#[procession::test]
fn a_template_that_stands_still_is_given_up() {
    let _harness = Harness::start("a stopped template", LIMIT);
    let template = templates(&[]);
    assert_eq!(template.len(), 1);
    assert!(send(template[0] as i32, libc::SIGSTOP));
    let error = Pool::builder()
        .processes(1)
        .start_method(StartMethod::ForkServer)
        .start_timeout(Duration::from_millis(200))
        .build();
    // It was ended, and another made the worker.
    assert_eq!(error.unwrap().apply(|| 7, ()).unwrap(), 7);
    assert_ne!(templates(&[]), template);
}

/// What a child finds around it.
fn surroundings() -> (Option<String>, PathBuf, Vec<String>, String) {
    let stream = fs::read_link("/proc/self/fd/0").unwrap().display().to_string();
    let folder = std::env::current_dir().unwrap();
    (std::env::var("PROCESSION_TEST_SETTING").ok(), folder, std::env::args().collect(), stream)
}

#[procession::test]
fn children_have_what_the_program_has_when_they_are_started() {
    let _harness = Harness::start("surroundings", LIMIT);
    for method in METHODS {
        let mut process = Process::new(surroundings, ()).start_method(method);
        process.start().unwrap();
        assert_eq!(process.join().unwrap(), surroundings(), "{method}");
    }
    // What a program changes it changes for all of itself, so a program of its own does.
    let output = Command::new(env!("CARGO_BIN_EXE_surroundings")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[procession::test]
fn what_is_preloaded_is_there_and_what_cannot_be_is_an_error() {
    let _harness = Harness::start("preload", LIMIT);
    for case in ["memory", "threads", "panic", "late", "failing by default", "output"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_preload"));
        let output = command.arg(case).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{case}: {text}");
        if case == "output" {
            let printed = String::from_utf8_lossy(&output.stdout);
            assert_eq!(printed.matches("preloading").count(), 1, "{printed}");
        }
    }
}

#[procession::test]
fn a_template_comes_from_the_executable_that_is_set() {
    let _harness = Harness::start("a template's executable", LIMIT);
    let attempt = |path: &str| {
        procession::set_executable(Some(path.into()));
        let result = Pool::builder()
            .processes(1)
            .start_method(StartMethod::ForkServer)
            .start_timeout(Duration::from_millis(500))
            .build();
        procession::set_executable(None);
        result.unwrap_err().to_string()
    };
    let other = attempt(env!("CARGO_BIN_EXE_other_build"));
    assert!(other.contains("another build"), "{other}");
    let truth = attempt("/bin/true");
    assert!(truth.contains("exit code 0") && truth.contains("template"), "{truth}");
    let mute = attempt(env!("CARGO_BIN_EXE_mute"));
    assert!(mute.contains("killed when it takes longer"), "{mute}");
    let nothing = attempt("/no/such/program");
    assert!(nothing.contains("/no/such/program"), "{nothing}");
    let copy = Path::new(env!("CARGO_BIN_EXE_mute"));
    assert!(copy.exists());
    assert_eq!(forked(1).apply(|| 1, ()).unwrap(), 1);
}

#[procession::test]
fn a_pool_outlives_the_thread_that_made_it() {
    let _harness = Harness::start("the end of a thread", LIMIT);
    for method in METHODS {
        let make = move || Pool::builder().processes(2).start_method(method).build().unwrap();
        let pool = std::thread::spawn(make).join().unwrap();
        let pids = pool.worker_pids();
        assert_eq!(pool.map(|x: u64| x, 0..100).unwrap().len(), 100);
        assert_eq!(pool.worker_pids(), pids, "{method}");
    }
}

#[procession::test]
fn processes_and_pools_are_made_as_they_are_told() {
    let _harness = Harness::start("methods", LIMIT);
    assert_eq!(procession::get_start_method(), StartMethod::ForkServer);
    for method in METHODS {
        let mut process = Process::new(|| 5_u8, ()).start_method(method);
        process.start().unwrap();
        assert_eq!(process.join().unwrap(), 5);
        assert_eq!(process.exit_code(), Some(0));
    }
}

#[procession::test]
fn the_program_is_forked_with_all_that_it_has() {
    let _harness = Harness::start("fork", LIMIT);
    let cases =
        ["closures", "pictures", "pools", "ends", "threads", "many", "shared data", "names"];
    for case in cases {
        let output = Command::new(env!("CARGO_BIN_EXE_fork")).arg(case).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{case}: {text}");
        if case == "closures" {
            // What was in a buffer, what is dropped and what is done at the end: once each.
            let printed = String::from_utf8_lossy(&output.stdout);
            assert_eq!(printed, "once;dropped by MainProcess\nat exit\n");
        }
    }
}

#[procession::test]
fn a_test_binary_has_threads_and_is_not_forked() {
    let _harness = Harness::start("fork refused", LIMIT);
    let number = std::process::id();
    let mut process = Process::fork(move || number);
    let error = process.start().unwrap_err().to_string();
    assert!(error.contains("other thread") && error.contains("spawn"), "{error}");
    let mut process = Process::fork(move || number).start_method(StartMethod::Spawn);
    assert!(process.start().unwrap_err().to_string().contains("fork alone"));
}

#[procession::test]
fn programs_that_a_task_runs_mind_a_ctrl_c() {
    let _harness = Harness::start("interrupts", LIMIT);
    let signals = || {
        let output = Command::new("cat").arg("/proc/self/status").output().expect("it runs");
        let text = String::from_utf8(output.stdout).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a set");
        u64::from_str_radix(line.trim(), 16).expect("a number")
    };
    let pool = procession::Pool::new(1).unwrap();
    let ignored = pool.apply(signals, ()).unwrap();
    assert_eq!(ignored & (1 << (libc::SIGINT - 1)), 0, "{ignored:x}");
}

#[procession::test]
fn a_template_that_is_ended_while_it_forks_leaves_nobody_behind() {
    let _harness = Harness::start("ended templates", LIMIT);
    let before = procession_testing::Leaks::count();
    for round in 0..300 {
        // It has not answered in time, wherever it is by then.
        let patience = Duration::from_micros(round * 37 % 3000);
        let builder = Pool::builder().processes(2).start_method(StartMethod::ForkServer);
        if let Ok(pool) = builder.start_timeout(patience).build() {
            drop(pool.apply(|| (), ()));
        }
        before.assert_nothing_new();
    }
}
