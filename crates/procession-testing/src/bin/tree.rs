//! A program with busy, sleeping and nested workers, made by the start method in its second argument,
//! which is then killed or interrupted. Prints the pids of its workers, then runs until it is ended.
//! With `handle` in place of a path it handles SIGINT, keeps its pool, and exits by itself.

#![allow(unsafe_code)]

use procession::{Pool, Process, StartMethod};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(600);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_signal: i32) {
    INTERRUPTED.store(true, Ordering::SeqCst);
}

fn pid() -> u32 {
    std::process::id()
}

fn nap() {
    std::thread::sleep(LONG);
}

fn spin() {
    loop {
        std::hint::black_box(0);
    }
}

/// A worker with a pool of its own.
fn nest(path: String) {
    let pool = Pool::new(2).expect("a worker may own a pool");
    let inner: Vec<u32> = pool.map(|_: u32| pid(), 0..8).expect("the inner pool works");
    let busy = pool.apply_async(nap, ());
    // Whole or not there at all: the test reads it as soon as it is there.
    let unfinished = format!("{path}.new");
    std::fs::write(&unfinished, format!("{inner:?}")).expect("the test's folder can be written");
    std::fs::rename(unfinished, path).expect("the test's folder can be written");
    busy.get().expect("killed before");
}

#[expect(clippy::print_stdout, reason = "the test reads it")]
fn keep_the_pool() -> procession::Result<()> {
    // SAFETY: the handler only stores to an atomic.
    unsafe { libc::signal(libc::SIGINT, note as *const () as libc::sighandler_t) };
    let pool = Pool::new(2)?;
    let before = pool.map(|x: u32| x, 0..10)?;
    println!("ready");
    while !INTERRUPTED.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(pool.map(|x: u32| x, 0..10)?, before);
    assert_eq!(pool.stats().respawns, 0);
    println!("kept");
    pool.close();
    pool.join()
}

#[procession::main]
#[expect(clippy::print_stdout, reason = "the test reads it")]
fn main() -> procession::Result<()> {
    let argument = std::env::args().nth(1).expect("a path, or `handle`");
    let method = std::env::args().nth(2).expect("a start method");
    procession::set_start_method(method.parse::<StartMethod>()?);
    if argument == "handle" {
        return keep_the_pool();
    }
    let pool = Pool::new(4)?;
    let nested = pool.apply_async(nest, (argument.clone(),));
    let _busy = (pool.apply_async(spin, ()), pool.apply_async(nap, ()));
    let mut process = Process::new(nap, ());
    process.start()?;
    while !std::path::Path::new(&argument).exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut pids = pool.worker_pids();
    pids.extend(process.pid());
    println!("{pids:?}");
    nested.get()
}
