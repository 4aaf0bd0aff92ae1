//! Running pools, when there is no descriptor left for what they need next.

use crate::narrow::{limit, open_descriptors};
use crate::report::say;
use crate::work::{LARGE, PATIENCE, abort, length, square, sum};
use procession::{Error, Pool, Process, SharedSlice, StartMethod};
use procession_testing::{Leaks, wait_for};
use std::fs::File;
use std::sync::Mutex;

/// Descriptors that this process may have beyond those that it has, until they are used up.
const ROOM: u64 = 24;

/// Takes every descriptor that there is left.
fn take_all() -> Vec<File> {
    limit(libc::RLIMIT_NOFILE, open_descriptors() + ROOM);
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

fn refused<T: std::fmt::Debug>(what: &str, told: &[&str], result: Result<T, Error>) {
    let error = result.expect_err(what).to_string();
    assert!(told.iter().any(|it| error.contains(it)), "{what}: {error}");
    say(&format!("refused: {what}: {error}"));
}

fn started(method: StartMethod) -> Result<u64, Error> {
    let mut process = Process::new(square, (11,)).start_method(method);
    process.start()?;
    process.join()
}

/// The program has none: what needs one is refused, and all else goes on; and then it has some again.
pub(crate) fn program_without_descriptors(method: StartMethod) {
    let build = || Pool::builder().processes(2).start_method(method).build();
    drop(build().expect("a pool"));
    let before = Leaks::count();
    let pool = build().expect("a pool");
    assert_eq!(pool.map(square, 0..1000).expect("they are small").len(), 1000);
    wait_for("two workers", PATIENCE, || pool.worker_pids().len() == 2);

    let all = take_all();
    let told = ["os error 24", "descriptor"];
    for _ in 0..2 {
        refused("a large argument", &told, pool.apply(length, (vec![7; LARGE],)));
        let items = [vec![7; LARGE], vec![7; 3]].map(|item| (item,));
        refused("a large item", &told, pool.starmap(length, items));
        refused("a slice", &told, SharedSlice::new(&[3_u64; 10_000]));
        refused("a process", &told, started(method));
        refused("a pool", &told, build());
        assert_eq!(pool.apply(square, (12,)).expect("it is small"), 144);
    }
    refused("a large result", &told, pool.apply(|| vec![7_u8; LARGE], ()));
    assert_eq!(pool.apply(square, (12,)).expect("it is small"), 144);
    let error = pool.apply(abort, ()).expect_err("the worker aborts");
    assert!(error.is_worker_lost(), "{error}");
    assert_eq!(pool.apply(square, (12,)).expect("it is small"), 144);

    drop(all);
    limit(libc::RLIMIT_NOFILE, u64::MAX);
    wait_for("two workers", PATIENCE, || pool.worker_pids().len() == 2);
    for _ in 0..4 {
        assert_eq!(pool.apply(length, (vec![7; LARGE],)).expect("there is room"), LARGE);
        assert_eq!(pool.apply(|| vec![7_u8; LARGE], ()).expect("there is room").len(), LARGE);
        let slice = SharedSlice::new(&[3_u64; 10_000]).expect("there is room");
        assert_eq!(pool.apply(sum, (slice,)).expect("there is room"), 30_000);
    }
    assert_eq!(started(method).expect("there is room"), 121);
    pool.close();
    pool.join().expect("every failure was looked at");
    drop(pool);
    before.assert_nothing_new();
}

static TAKEN: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// Uses up the descriptors of its process.
fn use_up() {
    *TAKEN.lock().expect("nobody panics") = take_all();
}

fn use_up_and_return() -> Vec<u8> {
    use_up();
    vec![7; LARGE]
}

/// A worker has none: what needs one is refused, or the worker replaced, and both say why.
pub(crate) fn worker_without_descriptors(method: StartMethod) {
    let build = || Pool::builder().processes(1).start_method(method).build().expect("a pool");
    drop(build());
    let before = Leaks::count();
    let pool = build();
    let told = ["os error 24", "descriptor"];
    // One that is larger than all before it needs a segment of its own.
    for bytes in [LARGE, 4 * LARGE] {
        refused("a large result", &told, pool.apply(use_up_and_return, ()));
        let slice = SharedSlice::new(&[3_u64; 10_000]).expect("the program has descriptors");
        refused("a slice", &told, pool.apply(sum, (slice,)));
        let error = pool.apply(length, (vec![7; bytes],)).expect_err("a large argument");
        assert!(error.is_worker_lost(), "{error}");
        refused("a large argument", &told, Err::<(), _>(error));
        assert_eq!(pool.apply(length, (vec![7; bytes],)).expect("it is another worker"), bytes);
    }
    pool.close();
    pool.join().expect("every failure was looked at");
    drop(pool);
    before.assert_nothing_new();
}
