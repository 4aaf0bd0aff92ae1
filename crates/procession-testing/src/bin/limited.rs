//! Pools and processes under limits, by the start method in the argument, looked at from inside.

use procession::{Pool, PoolBuilder, Process, StartMethod, current_process};
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

const LIMIT: u64 = 160 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// What a worker finds: its name, its limit of private memory, the niceness and the processors of each
/// of its threads.
fn look() -> (String, String, Vec<(i64, String)>) {
    let limits = fs::read_to_string("/proc/self/limits").expect("limits");
    let data = limits.lines().find_map(|line| line.strip_prefix("Max data size")).expect("a limit");
    let data = data.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let tasks = fs::read_dir("/proc/self/task").expect("threads").flatten();
    let threads = tasks.map(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).expect("a stat");
        let (_, after_name) = stat.rsplit_once(')').expect("a name");
        let niceness = after_name.split_whitespace().nth(16).expect("a niceness");
        let status = fs::read_to_string(task.path().join("status")).expect("a status");
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        (niceness.parse().expect("a number"), list.expect("a list").trim().to_owned())
    });
    (current_process().name().to_owned(), data, threads.collect())
}

fn fill(bytes: usize) -> usize {
    // An allocation that nobody looks at need not be made.
    std::hint::black_box(vec![1_u8; bytes]).len()
}

/// The processors that this program may run on.
fn processors() -> Vec<usize> {
    let (_, _, threads) = look();
    let ranges = threads[0].1.split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        first.parse().expect("a number")..=last.parse().expect("a number")
    });
    ranges.flatten().collect()
}

/// What each worker of a pool finds, by its name.
fn look_of_each(pool: &Pool, count: usize) -> BTreeMap<String, (String, Vec<(i64, String)>)> {
    let mut found = BTreeMap::new();
    let deadline = Instant::now() + PATIENCE;
    while found.len() < count {
        assert!(Instant::now() < deadline, "only {found:?}");
        let looks: Vec<_> = (0..8 * count).map(|_| pool.apply_async(look, ())).collect();
        for look in looks {
            let (name, data, threads) = look.get().expect("a worker can look");
            found.insert(name, (data, threads));
        }
    }
    found
}

fn a_pool_has_its_limits(builder: PoolBuilder) {
    let processors = processors();
    let last = *processors.last().expect("it runs");
    let builder = builder.processes(2).memory_limit(LIMIT).niceness(5).cpu_affinity([last]);
    let pool = builder.build().expect("a pool");
    let check = |pool: &Pool| {
        for (name, (data, threads)) in look_of_each(pool, 2) {
            assert_eq!(data, format!("{LIMIT} {LIMIT}"), "{name}");
            assert!(threads.iter().all(|it| *it == (5, last.to_string())), "{name}: {threads:?}");
        }
    };
    check(&pool);
    // Who goes beyond it is lost, alone, and the next one has the same limits.
    let tasks = [1 << 20, 1 << 30, 2 << 20].map(|bytes| pool.apply_async(fill, (bytes,)));
    let [a, b, c] = tasks.map(|task| task.get());
    assert_eq!((a.expect("room"), c.expect("room")), (1 << 20, 2 << 20));
    let error = b.expect_err("it is beyond the limit");
    assert!(error.is_worker_lost(), "{error}");
    assert!(error.to_string().ends_with("it probably hit its memory limit of 160 MiB"), "{error}");
    check(&pool);
}

fn workers_are_pinned(builder: PoolBuilder) {
    let processors = processors();
    let pool = builder.processes(2).pin_workers().build().expect("a pool");
    for (index, (name, (_, threads))) in look_of_each(&pool, 2).into_iter().enumerate() {
        let own = processors[index % processors.len()].to_string();
        assert!(threads.iter().all(|(_, list)| *list == own), "{name}: {threads:?}, not {own}");
    }
}

fn a_worker_without_room_says_so(builder: PoolBuilder) {
    let pool = builder.processes(1).memory_limit(4096).build().expect("it is not known yet");
    let error = pool.apply(fill, (1,)).expect_err("there is no room");
    assert!(error.is_broken() && error.pid().is_some(), "{error}");
    for told in ["memory limit of 4096 bytes", "PoolWorker-1", "raise the limit"] {
        assert!(error.to_string().contains(told), "{told}: {error}");
    }
}

fn a_process_has_its_limits(method: StartMethod) {
    let last = *processors().last().expect("it runs");
    let mut process = Process::new(look, ()).start_method(method);
    process = process.memory_limit(LIMIT).niceness(6).cpu_affinity([last]);
    process.start().expect("it starts");
    let (_, data, threads) = process.join().expect("it can look");
    assert_eq!(data, format!("{LIMIT} {LIMIT}"));
    assert!(threads.iter().all(|it| *it == (6, last.to_string())), "{threads:?}");

    let process = Process::new(fill, (1 << 30,)).start_method(method);
    let mut process = process.memory_limit(LIMIT);
    process.start().expect("it starts");
    let error = process.join().expect_err("it is beyond the limit");
    assert!(error.to_string().contains("memory limit of 160 MiB"), "{error}");
}

#[procession::main]
fn main() {
    let method = std::env::args().nth(1).expect("a start method");
    let methods = [StartMethod::Spawn, StartMethod::ForkServer, StartMethod::Fork];
    let method = methods.into_iter().find(|it| it.to_string() == method).expect("a start method");
    let builder = || Pool::builder().start_method(method);
    a_pool_has_its_limits(builder());
    workers_are_pinned(builder());
    a_worker_without_room_says_so(builder());
    a_process_has_its_limits(method);
}
