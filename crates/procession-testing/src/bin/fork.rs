//! What can be forked, by case, in a program that has one thread.

#![allow(unsafe_code)]

use procession::{Pool, Process, Result, Shared, SharedMemory, SharedSlice, StartMethod};
use std::io::ErrorKind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static CHANGED: AtomicU32 = AtomicU32::new(0);
static HELD: Mutex<()> = Mutex::new(());
static POOL: Mutex<Option<Pool>> = Mutex::new(None);

/// Says that it was dropped, which happens in the program alone.
struct Noisy;

impl Drop for Noisy {
    #[expect(clippy::print_stdout, reason = "the test reads it")]
    fn drop(&mut self) {
        println!("dropped by {}", procession::current_process().name());
    }
}

extern "C" fn at_exit() {
    // SAFETY: the message is as long as it says.
    unsafe { libc::write(1, c"at exit\n".as_ptr().cast(), 8) };
}

fn number() -> u32 {
    CHANGED.fetch_add(1, Ordering::Relaxed)
}

fn abort() {
    std::process::abort();
}

fn run<R: procession::Returned>(mut process: Process<R>) -> Result<R> {
    process.start()?;
    process.join()
}

/// A closure takes what it captured along, and leaves the program as it was.
#[expect(clippy::print_stdout, reason = "the test reads it")]
fn closures() -> Result<()> {
    // SAFETY: the handler makes one system call.
    unsafe { libc::atexit(at_exit) };
    print!("once;");
    let noisy = Noisy;
    let mut words = vec!["a".to_owned(), "b".to_owned()];
    let own = std::process::id();
    for turn in 0..3 {
        let captured = words.clone();
        let process = Process::fork(move || {
            CHANGED.fetch_add(10, Ordering::Relaxed);
            let name = procession::current_process().name().to_owned();
            (captured.concat(), std::process::id(), CHANGED.load(Ordering::Relaxed), name)
        });
        let (text, pid, changed, name) = run(process.name("copy"))?;
        assert_eq!(text, words.concat());
        assert!(pid != own && changed == 10 && name == "copy", "{pid}, {changed}, {name}");
        words.push(turn.to_string());
    }
    assert_eq!(CHANGED.load(Ordering::Relaxed), 0);
    let panics = run(Process::<()>::fork(move || panic!("{}", words.len())));
    assert_eq!(panics.expect_err("it panicked").panic_message(), Some("5"));
    let aborts = run(Process::<()>::fork(|| std::process::abort()));
    assert_eq!(aborts.expect_err("it aborted").signal(), Some(libc::SIGABRT));
    let large = run(Process::fork(|| vec![7_u8; 3 << 20]))?;
    assert!(large.len() == 3 << 20 && large.iter().all(|byte| *byte == 7));
    drop(noisy);
    Ok(())
}

/// A child has a picture of the program's pools, and can do them no harm.
fn pictures() -> Result<()> {
    *POOL.lock().expect("nobody has panicked with it") = Some(Pool::new(2)?);
    let ask = || {
        let pool = POOL.lock().expect("nobody has panicked with it");
        pool.as_ref().expect("it is there").apply(std::process::id, ())
    };
    let before = ask()?;
    let asks = run(Process::fork(move || ask().map_err(|error| error.to_string())))?;
    assert!(asks.expect_err("refused").contains("forked child"));
    let maps = || {
        let pool = POOL.lock().expect("nobody has panicked with it");
        pool.as_ref().expect("it is there").map(|x: u8| x, 0..9)
    };
    let maps = run(Process::fork(move || maps().is_ok())).expect_err("it would wait for ever");
    assert!(maps.panic_message().is_some_and(|text| text.contains("forked child")), "{maps}");
    run(Process::fork(|| drop(POOL.lock().expect("nobody has panicked with it").take())))?;
    let pool = POOL.lock().expect("nobody has panicked with it").take().expect("it is there");
    assert!(pool.worker_pids().contains(&before));
    assert_eq!(pool.stats().respawns, 0);
    assert_eq!(pool.map(|x: u8| x, 0..9)?.len(), 9);
    pool.close();
    pool.join()
}

/// Workers are copies of the program as it was when the pool was made, replacements too.
fn pools() -> Result<()> {
    CHANGED.store(100, Ordering::Relaxed);
    let pool = Pool::builder().processes(2).start_method(StartMethod::Fork).build()?;
    CHANGED.store(200, Ordering::Relaxed);
    let numbers = pool.chunksize(1).map(|_: u8| number(), 0..20)?;
    assert!(numbers.iter().all(|number| (100..120).contains(number)), "{numbers:?}");
    for _ in 0..3 {
        let lost = pool.apply(abort, ()).expect_err("it aborts");
        assert_eq!(lost.signal(), Some(libc::SIGABRT));
    }
    assert_eq!(pool.map(|x: u32| x * 2, 0..1000)?, (0..1000).map(|x| x * 2).collect::<Vec<_>>());
    assert_eq!(pool.apply(|bytes: Vec<u8>| bytes.len(), (vec![1; 1 << 20],))?, 1 << 20);
    assert!((100..120).contains(&pool.apply(number, ())?));
    // A second one is of now; and a copy makes children of its own.
    procession::set_start_method(StartMethod::Fork);
    let second = Pool::new(1)?;
    assert_eq!(second.apply(number, ())?, 200);
    let nested = || {
        let inner = Pool::builder().processes(2).start_method(StartMethod::ForkServer).build()?;
        let fresh = inner.apply(number, ())?;
        let forked = run(Process::fork(number))?;
        Ok::<_, procession::RemoteError>((fresh, forked))
    };
    let (fresh, forked) = second.apply(nested, ())?.expect("a copy may own a pool");
    assert_eq!((fresh, forked), (0, 201));
    pool.close();
    pool.join()
}

/// A copy has the shared data that the program had, and may give it back; the program's workers lose
/// nothing when a copy drops it.
fn shared_data() -> Result<()> {
    let slice = SharedSlice::new(&[1_u64, 2, 3])?;
    let context = Shared::new(vec!["a".to_owned()])?;
    let pool = Pool::builder().processes(1).start_method(StartMethod::Spawn).build()?;
    let sum = |slice: SharedSlice<u64>, context: Shared<Vec<String>>| {
        slice.iter().sum::<u64>() + context.len() as u64
    };
    assert_eq!(pool.apply(sum, (slice.clone(), context.clone()))?, 7);
    let (own_slice, own_context) = (slice.clone(), context.clone());
    let takes = run(Process::fork(move || (own_slice[1], own_context[0].clone(), own_slice)))?;
    assert_eq!((takes.0, &*takes.1, takes.2.as_ptr()), (2, "a", slice.as_ptr()));
    // Its captures go with it, and it sends what it has to a child of its own.
    let (own_slice, own_context) = (slice.clone(), context.clone());
    let passes = move || {
        let fresh = SharedSlice::new(&[4_u64]).map_err(|error| error.to_string())?;
        let call = |a: SharedSlice<u64>, b: SharedSlice<u64>, c: Shared<Vec<String>>| {
            a[0] + b[0] + c.len() as u64
        };
        let mut child = Process::new(call, (own_slice, fresh, own_context));
        child = child.start_method(StartMethod::Spawn);
        run(child).map_err(|error| error.to_string())
    };
    assert_eq!(run(Process::fork(passes))?, Ok(6));
    let forked = Pool::builder().processes(1).start_method(StartMethod::Fork).build()?;
    assert_eq!(forked.apply(sum, (slice.clone(), context.clone()))?, 7);
    let later = SharedSlice::new(&[5_u64])?;
    assert_eq!(forked.apply(sum, (later, context.clone()))?, 6);
    let same = forked.apply(|slice: SharedSlice<u64>| slice, (slice.clone(),))?;
    assert_eq!(same.as_ptr(), slice.as_ptr());
    // What was made by a copy is not of the program.
    let made = run(Process::fork(|| SharedSlice::new(&[1_u8]).expect("there is memory")));
    assert!(made.expect_err("refused").to_string().contains("made in a worker"));
    assert_eq!(pool.apply(sum, (slice, context))?, 7);
    assert_eq!(pool.stats().shared, 2);
    Ok(())
}

/// A copy has the memory that the program had, and not its names.
fn names() -> Result<()> {
    let name = format!("test-{}-fork", std::process::id());
    let find = |name: &str| SharedMemory::attach(name)?.get::<u64>(0);
    let is_free = |name: &str| {
        let error = SharedMemory::attach(name).expect_err("nobody has the name");
        assert_eq!(error.io_kind(), Some(ErrorKind::NotFound), "{error}");
    };
    let memory = SharedMemory::create(&name, 8)?;
    memory.set(0, 1_u64)?;
    let (captured, original, own) = (memory.clone(), name.clone(), format!("{name}-own"));
    let own_again = own.clone();
    let uses = move || {
        captured.set(0, captured.get::<u64>(0)? + 1)?;
        let mine = SharedMemory::create(&own, 8)?;
        mine.set(0, 5_u64)?;
        // The program has its name although the copy has none of its handles left.
        drop(captured);
        Ok::<_, procession::Error>((find(&original)?, find(&own)?))
    };
    assert_eq!(run(Process::fork(uses))??, (2, 5));
    assert_eq!(find(&name)?, 2);
    is_free(&own_again);
    // It can take the name away, as any other process can.
    let captured = memory.clone();
    run(Process::fork(move || captured.unlink()))??;
    is_free(&name);
    // One that lives on keeps no name.
    let memory = SharedMemory::create(&name, 8)?;
    let captured = memory.clone();
    let mut sleeper = Process::fork(move || {
        std::thread::sleep(Duration::from_secs(600));
        captured.size()
    });
    sleeper.start()?;
    drop(memory);
    is_free(&name);
    drop(SharedMemory::create(&name, 8)?);
    sleeper.kill()?;
    assert_eq!(sleeper.join().expect_err("killed").signal(), Some(libc::SIGKILL));
    Ok(())
}

/// The children of other methods end with the program although copies of it have lived on.
fn ends() -> Result<()> {
    let pool = Pool::builder().processes(1).start_method(StartMethod::Spawn).build()?;
    let worker = pool.apply(std::process::id, ())?;
    let sleeper = || std::thread::sleep(Duration::from_secs(600));
    let mut process = Process::fork(sleeper);
    process.start()?;
    // The copy lets go of the worker's channel, and has its own.
    let folder = format!("/proc/{}/fd", process.pid().expect("it runs"));
    let is_socket = |end: &std::fs::DirEntry| {
        let link = std::fs::read_link(end.path()).unwrap_or_default();
        link.to_string_lossy().starts_with("socket:")
    };
    procession_testing::wait_for("one socket", Duration::from_secs(20), || {
        let ends = std::fs::read_dir(&folder).expect("it runs").flatten();
        ends.filter(is_socket).count() == 1
    });
    drop(pool);
    assert!(!std::path::Path::new(&format!("/proc/{worker}")).exists());
    process.kill()?;
    assert_eq!(process.join().expect_err("killed").signal(), Some(libc::SIGKILL));
    Ok(())
}

/// Refused with a thread, until somebody vouches for it.
fn threads() -> Result<()> {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let _held = HELD.lock();
        let _ = stopped.recv();
    });
    // Its own do not count.
    let pool = Pool::new(2)?;
    let refused = run(Process::fork(|| 1)).expect_err("there is a thread").to_string();
    assert!(refused.contains("1 other thread,") && refused.contains("forkserver"), "{refused}");
    let refused = Pool::builder().processes(1).start_method(StartMethod::Fork).build();
    assert!(refused.expect_err("there is a thread").to_string().contains("1 other thread,"));
    // SAFETY: what the thread holds nothing else uses.
    unsafe { procession::allow_fork_with_threads() };
    assert_eq!(run(Process::fork(|| 1))?, 1);
    let forked = Pool::builder().processes(1).start_method(StartMethod::Fork).build()?;
    assert_eq!(forked.apply(|| 2, ())?, 2);
    // The thread that made a pool may end before its workers do, and before they are replaced.
    let make = || Pool::builder().processes(1).start_method(StartMethod::Fork).build();
    let orphaned = std::thread::spawn(make).join().expect("it makes a pool")?;
    for _ in 0..3 {
        assert_eq!(orphaned.apply(|| 3, ())?, 3);
        assert!(orphaned.apply(abort, ()).is_err());
    }
    drop(stop);
    thread.join().expect("it has done nothing");
    pool.close();
    pool.join()
}

/// Many, between each other's threads at work.
fn many() -> Result<()> {
    let pool = Pool::new(2)?;
    for turn in 0..100_u32 {
        let tasks: Vec<_> = (0..50_u32).map(|x| pool.apply_async(|x: u32| x + 1, (x,))).collect();
        assert_eq!(run(Process::fork(move || turn))?, turn);
        for (x, task) in (0..).zip(tasks) {
            assert_eq!(task.get()?, x + 1);
        }
    }
    pool.close();
    pool.join()
}

#[procession::main]
fn main() -> Result<()> {
    let case = std::env::args().nth(1).expect("a case");
    match &*case {
        "closures" => closures(),
        "pictures" => pictures(),
        "pools" => pools(),
        "ends" => ends(),
        "threads" => threads(),
        "many" => many(),
        "shared data" => shared_data(),
        "names" => names(),
        other => panic!("there is no case {other}"),
    }
}
