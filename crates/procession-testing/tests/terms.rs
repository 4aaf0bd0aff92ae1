//! Time limits, cancelling and retries.

use procession::{Error, Pool, current_task};
use procession_testing::{Harness, Layout, again_by, layouts, send, wait_for};
use std::path::{Path, PathBuf};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
/// A task's time limit in these tests: long enough for those that should keep it on a busy machine.
const TASK_LIMIT: Duration = Duration::from_millis(300);
/// A limit that no task here exceeds.
const AMPLE: Duration = Duration::from_secs(60);

fn endless() -> u32 {
    loop {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs until it is told to stop.
fn until_told() -> u32 {
    let task = current_task().expect("a task runs");
    wait_for("being told to stop", LIMIT, || task.should_stop());
    std::process::id()
}

fn is_overdue(error: &Error) -> bool {
    error.is_timed_out() && error.pid().is_some() && error.to_string().contains("limit")
}

/// A file that tasks and test speak over.
struct Mark(PathBuf);

impl Mark {
    fn new(name: &str) -> Self {
        let file = format!("procession-terms-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(file))
    }

    fn path(&self) -> String {
        self.0.to_str().expect("a plain path").to_owned()
    }

    fn lines(&self) -> usize {
        std::fs::read_to_string(&self.0).map_or(0, |text| text.lines().count())
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // A test that failed may not have made it.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Adds a line to a mark; gives how many there are then.
fn mark(path: &str) -> usize {
    use std::io::Write as _;
    let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
    file.write_all(b"x\n").unwrap();
    std::fs::read_to_string(path).unwrap().lines().count()
}

fn begin(path: String) -> u32 {
    mark(&path);
    endless()
}

fn one(processes: usize) -> Pool {
    Pool::builder().processes(processes).task_grace(Duration::ZERO).build().unwrap()
}

#[procession::test]
fn a_task_that_takes_too_long_is_an_error_and_its_worker_is_replaced() {
    let _harness = Harness::start("an endless task", LIMIT);
    let pool = one(2);
    let before = pool.worker_pids();
    let slow = pool.task_timeout(TASK_LIMIT).apply_async(endless, ());
    let others = pool.task_timeout(AMPLE).map(|x: u64| x + 1, 0..1_000).unwrap();
    assert_eq!(others, (1..=1_000).collect::<Vec<_>>());
    let error = slow.get().unwrap_err();
    assert!(is_overdue(&error), "{error}");
    let killed = error.pid().unwrap();
    assert!(before.contains(&killed));
    wait_for("a replacement", LIMIT, || {
        let pids = pool.worker_pids();
        pids.len() == 2 && !pids.contains(&killed)
    });
    assert_eq!(pool.apply(|| 7, ()).unwrap(), 7);
    assert_eq!(pool.stats().timed_out, 1);
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn a_task_that_stops_when_it_is_told_to_keeps_its_worker() {
    let _harness = Harness::start("a soft stop", LIMIT);
    let pool = Pool::builder().processes(1).task_timeout(TASK_LIMIT).task_grace(AMPLE).build();
    let pool = pool.unwrap();
    let worker = pool.apply(std::process::id, ()).unwrap();
    let told = pool.apply_async(until_told, ());
    let next = pool.apply_async(|| current_task().unwrap().should_stop(), ());
    let error = told.get().unwrap_err();
    assert!(is_overdue(&error) && error.pid() == Some(worker), "{error}");
    assert!(!next.get().unwrap(), "the next task was told what was for the one before");
    assert_eq!(pool.apply(std::process::id, ()).unwrap(), worker);
    // In a map, too, and more than once in one chunk.
    let slow = |item: u32| {
        if item % 3 == 1 {
            until_told();
        }
        item
    };
    let results: Vec<_> = pool.chunksize(9).imap(slow, 0..9).collect();
    for (item, result) in (0..9).zip(results) {
        match result {
            Ok(value) => assert!(value == item && item % 3 != 1),
            Err(error) => assert!(is_overdue(&error) && item % 3 == 1, "{item}: {error}"),
        }
    }
    assert_eq!(pool.apply(std::process::id, ()).unwrap(), worker);
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn an_item_that_takes_too_long_costs_no_other_item() {
    let _harness = Harness::start("an endless item", LIMIT);
    let pool = one(2);
    let slow = |item: u32| if item == 4 { endless() } else { item };
    let limited = pool.chunksize(10).task_timeout(TASK_LIMIT);
    let results: Vec<_> = limited.imap(slow, 0..30).collect();
    assert_eq!(results.len(), 30);
    for (item, result) in (0..30).zip(&results) {
        match result {
            Ok(value) => assert!(*value == item && item != 4),
            Err(error) => assert!(is_overdue(error) && item == 4, "{item}: {error}"),
        }
    }
    let failed = limited.map(slow, 0..30).unwrap_err();
    assert!(is_overdue(&failed), "{failed}");
    let stats = pool.stats();
    assert_eq!((stats.submitted, stats.succeeded, stats.timed_out), (60, 58, 2), "{stats:?}");
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn a_worker_that_is_stopped_does_not_stop_a_task_with_a_limit() {
    let _harness = Harness::start("a stopped worker", LIMIT);
    let pool = one(1);
    let pid = pool.apply(std::process::id, ()).unwrap();
    // While it runs a task: the task's time is up.
    let stop = || {
        send(std::process::id() as i32, libc::SIGSTOP);
    };
    let error = pool.task_timeout(TASK_LIMIT).apply(stop, ()).unwrap_err();
    assert!(is_overdue(&error) && error.pid() == Some(pid), "{error}");
    // While it has nothing to do: the task runs on the one that takes its place.
    let second = pool.apply(std::process::id, ()).unwrap();
    assert!(send(second as i32, libc::SIGSTOP));
    let third = pool.task_timeout(TASK_LIMIT).apply(std::process::id, ()).unwrap();
    assert_ne!(third, second);
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn who_shares_a_process_with_an_endless_task_learns_why_it_died() {
    let _harness = Harness::start("an endless neighbour", LIMIT);
    let builder = Pool::builder().processes(1).threads(2).task_grace(Duration::ZERO);
    let pool = builder.build().unwrap();
    let neighbour = pool.apply_async(endless, ());
    let again = pool.retries(1).apply_async(
        |path: String| {
            if current_task().unwrap().attempt() == 1 {
                mark(&path);
                endless();
            }
        },
        (Mark::new("neighbour").path(),),
    );
    let mark = Mark::new("neighbour");
    // Both threads are busy, so this would wait: cancel what it waits for instead.
    wait_for("the neighbour's beginning", LIMIT, || mark.lines() == 1);
    assert!(neighbour.cancel_running());
    assert!(neighbour.get().unwrap_err().is_cancelled());
    again.get().unwrap();
    let overdue = pool.task_timeout(TASK_LIMIT).apply_async(endless, ());
    let neighbour = pool.apply_async(endless, ());
    assert!(is_overdue(&overdue.get().unwrap_err()));
    let error = neighbour.get().unwrap_err();
    assert!(error.is_worker_lost() && error.to_string().contains("another task"), "{error}");
    pool.close();
    pool.join().unwrap();
}

/// Cancelling, wherever the tasks run.
fn what_has_not_begun_can_be_cancelled(layout: Layout) {
    let _harness = Harness::start("cancelling", LIMIT);
    let pool = layout.pool(1);
    let gate = Mark::new("gate");
    let wait_at_gate = |path: String| {
        wait_for("the gate", LIMIT, || Path::new(&path).exists());
    };
    let ran = Mark::new("ran");
    let running = pool.apply_async(wait_at_gate, (gate.path(),));
    let waiting: Vec<_> =
        (0..500).map(|_| pool.apply_async(|path: String| mark(&path), (ran.path(),))).collect();
    let map = pool.chunksize(1).map_async(|path: String| mark(&path), vec![ran.path(); 20]);
    for (index, task) in waiting.iter().enumerate() {
        assert!(task.cancel(), "task {index}");
        assert!(!task.cancel(), "twice");
    }
    assert!(map.cancel());
    assert!(map.ready() && waiting.iter().all(procession::AsyncResult::ready));
    std::fs::write(gate.path(), "").unwrap();
    running.get().unwrap();
    assert!(map.get().unwrap_err().is_cancelled());
    for task in waiting {
        assert!(task.get().unwrap_err().is_cancelled());
    }
    assert_eq!(pool.apply(|| 7, ()).unwrap(), 7);
    // Nothing is cancelled that has its outcome, and `join` does not report what was.
    let done = pool.apply_async(|| 8, ());
    done.wait();
    assert!(!done.cancel() && !done.cancel_running());
    assert_eq!(done.get().unwrap(), 8);
    let stats = pool.stats();
    assert_eq!((stats.cancelled, stats.failed, stats.succeeded), (520, 520, 3), "{stats:?}");
    pool.close();
    pool.join().unwrap();
    assert_eq!(ran.lines(), 0, "a cancelled task has run");
}

/// A pool of one worker that has all the time that there is to end what was cancelled.
fn patient_pool(layout: Layout) -> Pool {
    match layout {
        Layout::Threads => layout.pool(1),
        Layout::Both => Pool::builder().processes(1).threads(1).task_grace(LIMIT).build().unwrap(),
        Layout::Processes => Pool::builder().processes(1).task_grace(LIMIT).build().unwrap(),
    }
}

/// Of a chunk that has begun: the item that runs goes on, those behind it never begin.
fn a_chunk_of_a_cancelled_map_ends_after_the_item_that_runs(layout: Layout) {
    let _harness = Harness::start("cancelling between items", LIMIT);
    let pool = patient_pool(layout);
    let (gate, begun) = (Mark::new("middle-gate"), Mark::new("middle-begun"));
    let wait_at_gate = |(gate, begun): (String, String)| {
        mark(&begun);
        wait_for("the gate", LIMIT, || Path::new(&gate).exists());
    };
    let map = pool.chunksize(50).map_async(wait_at_gate, vec![(gate.path(), begun.path()); 120]);
    wait_for("its beginning", LIMIT, || begun.lines() == 1);
    assert!(map.cancel());
    assert!(!map.ready(), "an item runs");
    std::fs::write(gate.path(), "").unwrap();
    assert!(map.get().unwrap_err().is_cancelled());
    assert_eq!(pool.apply(|| 7, ()).unwrap(), 7);
    assert_eq!(begun.lines(), 1);
    let stats = pool.stats();
    assert_eq!((stats.cancelled, stats.succeeded, stats.respawns), (119, 2, 0), "{stats:?}");
    pool.close();
    pool.join().unwrap();
}

/// Of a chunk that has begun: the item that runs is asked to stop, and its worker lives on if it does.
fn a_chunk_of_a_map_that_is_cancelled_as_it_runs_ends_in_the_item(layout: Layout) {
    let _harness = Harness::start("cancelling within an item", LIMIT);
    let pool = patient_pool(layout);
    let begun = Mark::new("asked-begun");
    let item = |path: String| {
        mark(&path);
        until_told()
    };
    let map = pool.chunksize(50).map_async(item, vec![begun.path(); 120]);
    wait_for("its beginning", LIMIT, || begun.lines() == 1);
    assert!(map.cancel_running());
    assert!(map.get().unwrap_err().is_cancelled());
    assert!(!pool.apply(|| current_task().unwrap().should_stop(), ()).unwrap(), "another task");
    assert_eq!(begun.lines(), 1);
    assert_eq!(pool.stats().respawns, 0);
    // The same worker takes what comes, maps among it.
    assert_eq!(pool.chunksize(50).map(|x: u64| x + 1, 0..120).unwrap().len(), 120);
    pool.close();
    pool.join().unwrap();
}

layouts!(
    what_has_not_begun_can_be_cancelled
    a_map_that_runs_to_its_end_was_not_cancelled
    a_chunk_of_a_cancelled_map_ends_after_the_item_that_runs
    a_chunk_of_a_map_that_is_cancelled_as_it_runs_ends_in_the_item
);

/// A neighbour on the same process is not harmed by an item that stops when it is asked to.
#[procession::test]
fn a_cancelled_map_costs_no_neighbour_if_its_items_stop() {
    let _harness = Harness::start("cancelling beside a neighbour", LIMIT);
    let builder = Pool::builder().processes(1).threads(2).task_grace(LIMIT);
    let pool = builder.build().unwrap();
    let (gate, begun) = (Mark::new("neighbour-gate"), Mark::new("neighbour-begun"));
    let wait_at_gate = |(gate, begun): (String, String)| {
        mark(&begun);
        wait_for("the gate", LIMIT, || Path::new(&gate).exists());
        7
    };
    let neighbour = pool.apply_async(wait_at_gate, ((gate.path(), begun.path()),));
    let item = |path: String| {
        mark(&path);
        until_told()
    };
    let map = pool.chunksize(4).map_async(item, vec![begun.path(); 4]);
    wait_for("two beginnings", LIMIT, || begun.lines() == 2);
    assert!(map.cancel_running());
    assert!(map.get().unwrap_err().is_cancelled());
    std::fs::write(gate.path(), "").unwrap();
    assert_eq!(neighbour.get().unwrap(), 7);
    assert_eq!((begun.lines(), pool.stats().respawns), (2, 0));
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn what_runs_is_only_cancelled_with_its_worker() {
    let _harness = Harness::start("cancelling what runs", LIMIT);
    let pool = Pool::new(2).unwrap();
    let begun = Mark::new("begun");
    let task = pool.apply_async(begin, (begun.path(),));
    wait_for("its beginning", LIMIT, || begun.lines() == 1);
    assert!(!task.cancel());
    assert!(task.cancel_running());
    let error = task.get().unwrap_err();
    assert!(error.is_cancelled() && error.pid().is_some(), "{error}");
    // A map: both workers run an item, one item is finished, the others have not begun.
    let item = |(path, index): (String, u32)| if index == 0 { index } else { begin(path) };
    let items = (0..40).map(|index| (begun.path(), index));
    let map = pool.chunksize(2).map_async(item, items);
    wait_for("two beginnings", LIMIT, || begun.lines() == 3);
    assert!(map.cancel_running());
    assert!(map.get().unwrap_err().is_cancelled());
    assert_eq!(pool.map(|x: u64| x + 1, 0..100).unwrap().len(), 100);
    assert_eq!(begun.lines(), 3);
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn a_task_whose_worker_dies_runs_again_as_often_as_it_may() {
    let _harness = Harness::start("retries", LIMIT);
    let pool = Pool::new(2).unwrap();
    let fragile = |item: u32, lives: u32| {
        let attempt = current_task().unwrap().attempt();
        if item % 10 == 3 && attempt <= lives {
            std::process::abort();
        }
        (item, attempt)
    };
    assert_eq!(pool.retries(2).apply(fragile, (3, 2)).unwrap(), (3, 3));
    let error = pool.retries(2).apply(fragile, (3, 3)).unwrap_err();
    assert!(error.is_worker_lost() && error.signal_name() == Some("SIGABRT"), "{error}");
    let error = pool.apply(fragile, (3, 1)).unwrap_err();
    assert!(error.is_worker_lost(), "{error}");
    // Of a chunk, the item alone.
    let items = (0..60).map(|item| (item, 1));
    let results = pool.chunksize(20).retries(1).starmap(fragile, items).unwrap();
    let expected: Vec<_> = (0..60).map(|item| (item, 1 + u32::from(item % 10 == 3))).collect();
    assert_eq!(results, expected);
    let stats = pool.stats();
    assert_eq!((stats.retried, stats.lost), (2 + 2 + 6, 2), "{stats:?}");
    // A panic is an outcome.
    let error = pool.retries(5).apply(|| -> () { panic!("once") }, ()).unwrap_err();
    assert!(error.is_panicked());
    pool.close();
    pool.join().unwrap();
}

again_by!(Spawn in spawned:
    a_task_that_takes_too_long_is_an_error_and_its_worker_is_replaced,
    an_item_that_takes_too_long_costs_no_other_item,
    a_task_whose_worker_dies_runs_again_as_often_as_it_may,
    what_runs_is_only_cancelled_with_its_worker,
);

#[procession::test]
fn threads_have_no_time_limits() {
    let _harness = Harness::start("threads without limits", LIMIT);
    let pool: Pool = Pool::threads(1).unwrap().into();
    let error = pool.task_timeout(AMPLE).apply(|| 1, ()).unwrap_err();
    assert!(error.to_string().contains("processes"), "{error}");
    assert!(pool.task_timeout(AMPLE).map(|x: u32| x, 0..3).is_err());
    assert!(pool.task_timeout(AMPLE).map_async(|x: u32| x, 0..3).get().is_err());
    assert!(pool.task_timeout(AMPLE).imap(|x: u32| x, 0..3).next().unwrap().is_err());
    assert!(Pool::builder().threads(1).task_timeout(AMPLE).build().is_err());
    assert_eq!(pool.retries(3).apply(|| current_task().unwrap().attempt(), ()).unwrap(), 1);
    assert!(current_task().is_none(), "the test is no task");
}

/// Cancelling a map of which nothing is left to cancel.
fn a_map_that_runs_to_its_end_was_not_cancelled(layout: Layout) {
    let _harness = Harness::start("cancelling in vain", LIMIT);
    let pool = layout.pool(1);
    let (gate, begun) = (Mark::new("late-gate"), Mark::new("late-begun"));
    let wait_at_gate = |(gate, begun): (String, String)| {
        mark(&begun);
        wait_for("the gate", LIMIT, || Path::new(&gate).exists());
        7
    };
    let map = pool.chunksize(1).map_async(wait_at_gate, [(gate.path(), begun.path())]);
    wait_for("its beginning", LIMIT, || begun.lines() == 1);
    assert!(!map.cancel(), "the only item runs");
    std::fs::write(gate.path(), "").unwrap();
    map.wait();
    assert!(!map.cancel() && !map.cancel_running(), "it has its outcome");
    assert_eq!(map.successful(), Some(true));
    assert_eq!(map.get().unwrap(), [7]);
    assert_eq!(pool.stats().cancelled, 0);
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn times_that_no_clock_can_tell_are_as_good_as_none() {
    let _harness = Harness::start("endless times", LIMIT);
    let builder = Pool::builder().processes(1).start_timeout(Duration::MAX);
    let pool = builder.task_timeout(Duration::MAX).task_grace(Duration::MAX).build().unwrap();
    assert_eq!(pool.map(|x: u64| x + 1, 0..1_000).unwrap().len(), 1_000);
    let error = pool.task_timeout(TASK_LIMIT).apply(until_told, ()).unwrap_err();
    assert!(is_overdue(&error), "{error}");
    // No time at all is a limit, too.
    let error = pool.task_timeout(Duration::ZERO).apply(until_told, ()).unwrap_err();
    assert!(is_overdue(&error), "{error}");
    assert_eq!(pool.apply(|| 7, ()).unwrap(), 7);
    assert_eq!(pool.stats().respawns, 0);
    pool.close();
    pool.join().unwrap();
}
