//! Templates with something to preload, by case.

use procession::{Pool, Result, StartMethod, set_forkserver_preload};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static LOADED_BY: OnceLock<u32> = OnceLock::new();
static CHANGED: AtomicU32 = AtomicU32::new(0);

fn load() {
    // A thread that has ended is no hindrance.
    let id = std::thread::spawn(std::process::id).join().expect("it ends");
    LOADED_BY.get_or_init(|| id);
}

fn linger() {
    std::thread::spawn(|| std::thread::sleep(Duration::from_secs(600)));
}

fn fail() {
    panic!("nothing to load");
}

#[expect(clippy::print_stdout, reason = "the test reads it")]
fn say() {
    print!("preloading");
}

fn pool() -> Result<Pool> {
    Pool::builder().processes(2).start_method(StartMethod::ForkServer).build()
}

/// Two workers have what the template loaded, and each its own copy.
fn memory(pool: &Pool) -> Result<()> {
    let look = |_: u8| {
        CHANGED.fetch_add(1, Ordering::Relaxed);
        let name = procession::current_process().name().to_owned();
        (LOADED_BY.get().copied(), std::process::id(), name)
    };
    let seen = pool.chunksize(1).map(look, 0..40)?;
    let loader = seen[0].0.expect("it is loaded");
    for (loaded, pid, name) in seen {
        assert_eq!(loaded, Some(loader));
        assert!(pid != loader && name.starts_with("PoolWorker-"), "{pid}, {name}");
    }
    assert!(LOADED_BY.get().is_none() && loader != std::process::id());
    assert_eq!(CHANGED.load(Ordering::Relaxed), 0);
    Ok(())
}

#[procession::main]
fn main() -> Result<()> {
    let case = std::env::args().nth(1).expect("a case");
    match &*case {
        "memory" => {
            set_forkserver_preload(load)?;
            memory(&pool()?)?;
            // Also where nobody chose a method.
            memory(&Pool::new(2)?)
        }
        "threads" => {
            set_forkserver_preload(linger)?;
            let error = pool().expect_err("its threads would be missing").to_string();
            assert!(error.contains("1 thread") && error.contains("preload"), "{error}");
            Ok(())
        }
        "panic" => {
            set_forkserver_preload(fail)?;
            let error = pool().expect_err("it panicked");
            assert!(error.is_broken() && error.to_string().contains("nothing to load"), "{error}");
            Ok(())
        }
        "late" => {
            pool()?;
            let error = set_forkserver_preload(load).expect_err("it is too late");
            assert!(error.to_string().contains("before"), "{error}");
            Ok(())
        }
        "failing by default" => {
            set_forkserver_preload(fail)?;
            // Not only of the first pool, and not only of large ones.
            for processes in [2, 2, 1] {
                let error = Pool::new(processes).expect_err("what was to be loaded was not");
                let text = error.to_string();
                assert!(error.is_broken() && text.contains("nothing to load"), "{text}");
            }
            Ok(())
        }
        "output" => {
            set_forkserver_preload(say)?;
            pool()?.map(|x: u8| x, 0..9).map(drop)
        }
        other => panic!("there is no case {other}"),
    }
}
