//! What a pool tells of its workers, and errors of what was called.

use procession::{Pool, WorkerInfo, WorkerState};
use procession_testing::{Harness, Layout, layouts, wait_for};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// Holds its worker up until the file is gone.
fn hold(path: String) -> u32 {
    wait_for("leave to go on", LIMIT, || !std::path::Path::new(&path).exists());
    std::process::id()
}

fn hold_at_three(path: String, item: u32) -> u32 {
    if item == 3 { hold(path) } else { item }
}

fn fail(item: u32) -> u32 {
    assert_ne!(item, 5, "a five");
    item
}

/// A file that holds workers up as long as it is there.
struct Hold(std::path::PathBuf);

impl Hold {
    fn new(name: &str) -> Self {
        let file = format!("procession-report-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(file);
        std::fs::write(&path, "").expect("a file");
        Self(path)
    }

    fn path(&self) -> String {
        self.0.to_str().expect("a plain path").to_owned()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Whoever waits for it gives up in the end.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn find(pool: &Pool, what: &'static str, is_it: impl Fn(&WorkerInfo) -> bool) -> WorkerInfo {
    let mut found = None;
    wait_for(what, LIMIT, || {
        found = pool.workers().into_iter().find(|worker| is_it(worker));
        found.is_some()
    });
    found.expect("was just found")
}

fn a_worker_tells_what_it_runs(layout: Layout) {
    let _harness = Harness::start("asking a worker", LIMIT);
    let held = Hold::new("task");
    let pool = layout.pool(2);
    let task = pool.apply_async(hold, (held.path(),));
    let worker = find(&pool, "a worker that runs", |worker| worker.task.is_some());
    assert_eq!((worker.state, worker.generation), (WorkerState::Running, 1));
    let running = worker.task.expect("was looked for");
    assert!(running.function.ends_with("hold"), "{running:?}");
    assert_eq!((running.item, running.attempt), (None, 1));
    assert_eq!(worker.memory_bytes.is_some(), layout != Layout::Threads);
    let other = find(&pool, "a worker without a task", |worker| worker.state == WorkerState::Idle);
    assert_eq!((other.task, other.done), (None, 0));
    let report = pool.report();
    assert!(report.contains("hold") && report.lines().count() == 3, "{report}");
    assert!(procession::report().contains(&report[..20]), "one of the program's pools");
    drop(held);
    assert_eq!(Some(task.get().unwrap()), worker.pid);
    find(&pool, "an end that counts", |worker| worker.done == 1);
    pool.close();
    pool.join().unwrap();
    assert!(pool.workers().iter().all(|worker| worker.state == WorkerState::Gone));
}

fn an_item_that_is_stuck_is_named(layout: Layout) {
    let _harness = Harness::start("asking for an item", LIMIT);
    let held = Hold::new("item");
    let pool = layout.pool(2);
    let map = pool.starmap_async(hold_at_three, (0..8).map(|item| (held.path(), item)));
    let is_stuck = |worker: &WorkerInfo| {
        worker
            .task
            .as_ref()
            .is_some_and(|task| task.item == Some(3) && task.function.ends_with("hold_at_three"))
    };
    find(&pool, "the item that holds", is_stuck);
    drop(held);
    assert_eq!(map.get().unwrap().len(), 8);
    pool.close();
    pool.join().unwrap();
}

fn a_panic_names_what_was_called(layout: Layout) {
    let _harness = Harness::start("panics with names", LIMIT);
    let pool = layout.pool(2);
    let error = pool.apply(fail, (5,)).unwrap_err();
    assert!(error.function().is_some_and(|name| name.ends_with("::fail")), "{error}");
    assert_eq!(error.item(), None);
    let error = pool.map(fail, 0..9).unwrap_err();
    assert_eq!(error.item(), Some(5), "{error}");
    assert!(error.to_string().contains("fail` of item 5 panicked"), "{error}");
    pool.close();
    pool.join().unwrap();
}

layouts! {
    a_worker_tells_what_it_runs
    an_item_that_is_stuck_is_named
    a_panic_names_what_was_called
}

#[procession::test]
fn a_death_and_a_time_out_name_what_was_called() {
    let _harness = Harness::start("deaths with names", LIMIT);
    let die = |item: u32| {
        if item == 2 {
            std::process::abort();
        }
    };
    let pool = Pool::new(2).unwrap();
    let error = pool.map(die, 0..4).unwrap_err();
    assert!(error.is_worker_lost());
    assert_eq!(error.item(), Some(2), "{error}");
    assert!(error.to_string().contains("while it ran `report::"), "{error}");
    let held = Hold::new("limit");
    let error = pool.task_timeout(Duration::from_millis(50)).apply(hold, (held.path(),));
    let error = error.unwrap_err();
    assert!(error.to_string().starts_with("`report::hold` took longer"), "{error}");
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn a_program_reports_when_it_gets_a_signal() {
    let _harness = Harness::start("a signal that asks", LIMIT);
    let mut program = Command::new(env!("CARGO_BIN_EXE_asked"));
    let mut program = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    let mut output = BufReader::new(program.stdout.take().unwrap());
    output.read_line(&mut told).unwrap();
    assert_eq!(told, "begun\n");
    assert!(procession_testing::send(program.id().cast_signed(), libc::SIGUSR1));
    let mut lines = BufReader::new(program.stderr.take().unwrap()).lines();
    let worker = lines.find_map(|line| line.ok().filter(|line| line.contains("asked::stuck")));
    assert!(worker.is_some_and(|line| line.contains("running")));
    program.kill().unwrap();
    program.wait().unwrap();
}

#[procession::test]
fn a_signal_that_cannot_be_waited_for_is_refused() {
    for number in [libc::SIGKILL, libc::SIGSEGV, 0, 4711] {
        let error = procession::report_on_signal(number).unwrap_err();
        assert!(error.to_string().contains("cannot report on"), "{error}");
    }
}
