//! The pool's and the process's calls, with real processes.

use procession::{AsyncResult, Described, Pool, Process, RemoteError, Stats};
use procession_testing::{Harness, Layout, block_on, layouts, wait_for};
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);

layouts! {
    a_pool_applies_functions_and_closures_of_all_arities
    results_are_taken_in_any_order_or_not_at_all
    the_map_family_keeps_order_and_results
    lazy_maps_take_endless_iterators_and_run_only_a_window_ahead
    payloads_of_every_size_cross_both_ways
    unread_large_results_stop_nobody
    many_threads_share_a_pool
    the_counts_add_up_however_a_map_ends
    a_result_is_a_future
    a_result_can_be_asked_and_waited_for_a_while
    tasks_return_results_of_their_own
    five_tasks_of_equal_length_on_four_workers_take_two_turns
    no_task_waits_behind_a_long_one_while_a_worker_is_idle
    tasks_move_on_even_if_nobody_waits_for_them
    queued_tasks_cost_no_descriptors
    a_worker_may_own_a_pool
}

fn square(x: u64) -> u64 {
    x * x
}

fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

fn make(length: usize) -> Vec<u8> {
    vec![length as u8; length]
}

fn a_pool_applies_functions_and_closures_of_all_arities(layout: Layout) {
    let _harness = Harness::start("arities", LIMIT);
    let pool = layout.pool(2);
    assert_eq!(pool.apply(square, (12,)).unwrap(), 144);
    assert_eq!(pool.apply(|| 7, ()).unwrap(), 7);
    assert_eq!(pool.apply(|a: u8, b: String| format!("{a}{b}"), (1, "x".into())).unwrap(), "1x");
    macro_rules! count {
        ($($name:ident)*) => {
            let items = |$($name: u8),*| vec![$($name),*].len();
            let expected = [$(stringify!($name)),*].len();
            assert_eq!(pool.apply(items, ($(stringify!($name).len() as u8,)*)).unwrap(), expected);
        };
    }
    count!(a b c);
    count!(a b c d);
    count!(a b c d e);
    count!(a b c d e f);
    count!(a b c d e f g);
    count!(a b c d e f g h);
    count!(a b c d e f g h i);
    count!(a b c d e f g h i j);
    count!(a b c d e f g h i j k);
    type Byte = u8;
    let twelve = |a: Byte,
                  b: Byte,
                  c: Byte,
                  d: Byte,
                  e: Byte,
                  f: Byte,
                  g: Byte,
                  h: Byte,
                  i: Byte,
                  j: Byte,
                  k: Byte,
                  l: Byte| { [a, b, c, d, e, f, g, h, i, j, k, l] };
    let result = pool.apply(twelve, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)).unwrap();
    assert_eq!(result, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    pool.close();
    pool.join().unwrap();
}

fn results_are_taken_in_any_order_or_not_at_all(layout: Layout) {
    let _harness = Harness::start("order", LIMIT);
    let pool = layout.pool(2);
    let results: Vec<_> = (0..5000).map(|i| pool.apply_async(square, (i,))).collect();
    for (i, result) in results.into_iter().enumerate().rev() {
        if i % 3 != 0 {
            assert_eq!(result.get().unwrap(), (i * i) as u64);
        }
    }
    let late = pool.apply_async(square, (9,));
    pool.close();
    pool.join().unwrap();
    assert_eq!(late.get().unwrap(), 81);
}

fn the_map_family_keeps_order_and_results(layout: Layout) {
    let _harness = Harness::start("maps", LIMIT);
    let pool = layout.pool(3);
    let expected: Vec<u64> = (0..20_000).map(square).collect();
    assert_eq!(pool.map(square, 0..20_000).unwrap(), expected);
    assert_eq!(pool.map_async(square, 0..20_000).get().unwrap(), expected);
    assert_eq!(
        pool.starmap(|a: u64, b: u64| a * b, (0..20_000).map(|x| (x, x))).unwrap(),
        expected
    );
    assert_eq!(pool.imap(square, 0..20_000).map(Result::unwrap).collect::<Vec<_>>(), expected);
    let mut unordered: Vec<u64> =
        pool.imap_unordered(square, 0..20_000).map(Result::unwrap).collect();
    unordered.sort_unstable();
    assert_eq!(unordered, expected);
    for chunk in [1, 7, 1000, 100_000] {
        assert_eq!(pool.chunksize(chunk).map(square, 0..3000).unwrap(), expected[..3000]);
        let lazy: Vec<_> =
            pool.chunksize(chunk).imap(square, 0..3000).map(Result::unwrap).collect();
        assert_eq!(lazy, expected[..3000]);
    }
    let later = pool.starmap_async(|a: u64, b: u64| a * b, (0..3000).map(|x| (x, x)));
    let chunked = pool.chunksize(50).map_async(square, 0..3000);
    let mut any = pool.chunksize(50).imap_unordered(square, 0..3000).map(Result::unwrap);
    let mut unordered: Vec<u64> = any.by_ref().collect();
    unordered.sort_unstable();
    assert_eq!(unordered, expected[..3000]);
    assert_eq!(chunked.get().unwrap(), expected[..3000]);
    assert_eq!(later.get().unwrap(), expected[..3000]);
    assert!(pool.map(square, std::iter::empty()).unwrap().is_empty());
    assert!(pool.map_async(square, std::iter::empty()).get().unwrap().is_empty());
    assert_eq!(pool.imap(square, std::iter::empty()).count(), 0);
}

/// The pool that results of the next test ask about.
static ASKED: Mutex<Option<Arc<Pool>>> = Mutex::new(None);

/// A result whose first value is taken in only once everything that was submitted has succeeded.
#[derive(Debug, PartialEq, serde::Serialize)]
struct Leisurely(u64);

impl<'de> serde::Deserialize<'de> for Leisurely {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        if number == 0 {
            wait_for("everything succeeds", LIMIT, || {
                // Who waits for a result collects all that there are.
                let pool = ASKED.lock().unwrap().clone().expect("set before the map");
                pool.apply(square, (1,)).unwrap();
                let stats = pool.stats();
                stats.succeeded == stats.submitted
            });
        }
        Ok(Self(number))
    }
}

#[procession::test]
fn a_map_goes_on_when_workers_finish_all_while_results_are_taken_in() {
    let _harness = Harness::start("leisurely", LIMIT);
    let pool = Arc::new(Pool::new(1).unwrap());
    *ASKED.lock().unwrap() = Some(pool.clone());
    let slow_first = |number: u64| {
        if number == 0 {
            // Time to encode as much ahead as a map ever does.
            std::thread::sleep(Duration::from_millis(300));
        }
        Leisurely(number)
    };
    let numbers = pool.map(slow_first, 0..200_000).unwrap();
    assert!(numbers.into_iter().eq((0..200_000).map(Leisurely)));
    *ASKED.lock().unwrap() = None;
    pool.close();
    pool.join().unwrap();
}

fn lazy_maps_take_endless_iterators_and_run_only_a_window_ahead(layout: Layout) {
    let _harness = Harness::start("lazy maps", LIMIT);
    let pool = layout.pool(2);
    let mut pulled = 0;
    let items = (0..).inspect(|_| pulled += 1);
    let firsts: Vec<u64> = pool.imap(square, items).take(10).map(Result::unwrap).collect();
    assert_eq!(firsts, (0..10).map(square).collect::<Vec<_>>());
    assert!(pulled < 100_000, "{pulled} items for ten results");
    let some: Vec<u64> = pool.imap_unordered(square, 0..).take(1000).map(Result::unwrap).collect();
    assert_eq!(some.len(), 1000);
    assert_eq!(pool.apply(square, (3,)).unwrap(), 9);
}

fn payloads_of_every_size_cross_both_ways(layout: Layout) {
    let _harness = Harness::start("payload sizes", LIMIT);
    let pool = layout.pool(2);
    let sizes = [
        0,
        1,
        23,
        24,
        25,
        55,
        56,
        57,
        16_000,
        16_344,
        16_352,
        16_353,
        16_400,
        65_536,
        300_000,
        20 << 20,
    ];
    for size in sizes {
        let bytes: Vec<u8> = (0..size).map(|i| i as u8).collect();
        assert_eq!(pool.apply(echo, (bytes.clone(),)).unwrap(), bytes, "{size} bytes");
    }
    let floats: Vec<f64> = (0..300_000).map(f64::from).collect();
    assert_eq!(pool.apply(|v: Vec<f64>| v, (floats.clone(),)).unwrap(), floats);
    let words: Vec<String> = (0..50_000).map(|i| format!("word {i}")).collect();
    let mixed = |n: u8, v: Vec<f64>, w: Vec<String>, e: Vec<u8>| (e, w, v, n);
    let all = pool.apply(mixed, (9, floats.clone(), words.clone(), vec![1; 70_000])).unwrap();
    assert_eq!(all, (vec![1; 70_000], words, floats, 9));
    let lengths = pool.map(make, (0..200).map(|i| i * 331)).unwrap();
    assert!(lengths.iter().enumerate().all(|(i, bytes)| bytes.len() == i * 331));
    let items: Vec<Vec<u8>> = (0..50).map(|i| vec![i; usize::from(i) * 1009]).collect();
    assert_eq!(pool.map(echo, items.clone()).unwrap(), items);
}

fn unread_large_results_stop_nobody(layout: Layout) {
    let _harness = Harness::start("unread results", LIMIT);
    let pool = layout.pool(2);
    let unread: Vec<_> = (0..300).map(|i| pool.apply_async(make, (40_000 + i,))).collect();
    assert_eq!(pool.apply(square, (5,)).unwrap(), 25);
    pool.close();
    pool.join().unwrap();
    for (i, result) in unread.into_iter().enumerate() {
        assert_eq!(result.get().unwrap().len(), 40_000 + i);
    }
}

fn many_threads_share_a_pool(layout: Layout) {
    let _harness = Harness::start("threads", LIMIT);
    let pool = layout.pool(3);
    std::thread::scope(|scope| {
        for thread in 0..6_u64 {
            let pool = &pool;
            scope.spawn(move || {
                for i in 0..3000 {
                    assert_eq!(pool.apply(square, (thread + i,)).unwrap(), square(thread + i));
                }
                assert_eq!(pool.map(square, 0..500).unwrap().len(), 500);
            });
        }
    });
    let Stats { submitted, succeeded, failed, .. } = pool.stats();
    assert_eq!((submitted, succeeded, failed), (6 * 3500, 6 * 3500, 0));
}

fn the_counts_add_up_however_a_map_ends(layout: Layout) {
    let _harness = Harness::start("counts", LIMIT);
    let adds_up = |pool: &Pool| {
        let Stats { submitted, succeeded, failed, dropped, .. } = pool.stats();
        assert_eq!(submitted, succeeded + failed + dropped, "{:?}", pool.stats());
    };
    let nap = |x: u64| {
        std::thread::sleep(Duration::from_micros(100));
        x
    };
    let pool = layout.pool(2);
    drop(pool.imap(nap, 0..).take(10).collect::<Vec<_>>());
    drop(pool.chunksize(1).imap_unordered(nap, 0..).take(100).collect::<Vec<_>>());
    pool.close();
    pool.join().unwrap();
    assert!(pool.stats().succeeded >= 110);
    adds_up(&pool);
    let pool = layout.pool(2);
    let mut some = pool.imap(nap, 0..);
    some.next().unwrap().unwrap();
    let all = pool.map_async(nap, 0..20_000);
    pool.terminate();
    assert!(all.get().is_err_and(|error| error.is_terminated()));
    drop(some);
    assert!(pool.stats().failed > 0);
    adds_up(&pool);
}

fn a_result_is_a_future(layout: Layout) {
    let _harness = Harness::start("futures", LIMIT);
    let pool = layout.pool(2);
    for i in 0..2000 {
        assert_eq!(block_on(pool.apply_async(square, (i,))).unwrap(), i * i);
    }
    assert_eq!(block_on(pool.map_async(square, 0..1000)).unwrap().len(), 1000);
    let sum = block_on(async {
        let (a, b) = (pool.apply_async(square, (3,)), pool.apply_async(square, (4,)));
        a.await.unwrap() + b.await.unwrap()
    });
    assert_eq!(sum, 25);
    // One that is polled and dropped.
    let mut pending = pool.apply_async(|| std::thread::sleep(Duration::from_millis(50)), ());
    let _ = Pin::new(&mut pending).poll(&mut Context::from_waker(Waker::noop()));
    drop(pending);
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn results_that_are_polled_together_are_each_woken() {
    let _harness = Harness::start("joined futures", LIMIT);
    let pool = Pool::new(2).unwrap();
    let nap = |i: u64| {
        std::thread::sleep(Duration::from_micros(i % 7 * 300));
        i
    };
    let mut waiting: Vec<_> = (0..100).map(|i| (i, pool.apply_async(nap, (i,)))).collect();
    block_on(std::future::poll_fn(|context| {
        waiting.retain_mut(|(i, result)| match Pin::new(result).poll(context) {
            Poll::Ready(value) => {
                assert_eq!(value.unwrap(), *i);
                false
            }
            Poll::Pending => true,
        });
        if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }));
    // A failure wakes, too, and so do a death and the end of the pool.
    let error = block_on(pool.apply_async(|| panic!("awaited"), ())).map(|()| 0).unwrap_err();
    assert_eq!(error.panic_message(), Some("awaited"));
    let error = block_on(pool.apply_async(|| std::process::abort(), ())).map(|()| 0).unwrap_err();
    assert!(error.is_worker_lost(), "{error}");
    let stuck = pool.apply_async(|| std::thread::sleep(Duration::from_secs(600)), ());
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| block_on(stuck).unwrap_err().is_terminated());
        pool.terminate();
        assert!(waiter.join().unwrap());
    });
}

fn a_result_can_be_asked_and_waited_for_a_while(layout: Layout) {
    let _harness = Harness::start("asking", LIMIT);
    let pool = layout.pool(1);
    let gate = std::env::temp_dir().join(format!("procession-gate-{}", std::process::id()));
    let wait = |path: String| {
        while !std::path::Path::new(&path).exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        5
    };
    let mut result: AsyncResult<i32> = pool.apply_async(wait, (gate.display().to_string(),));
    assert!(!result.ready());
    assert_eq!(result.successful(), None);
    assert!(!result.wait_timeout(Duration::from_millis(20)));
    assert!(result.get_timeout(Duration::from_millis(1)).unwrap_err().is_timed_out());
    std::fs::write(&gate, "").unwrap();
    wait_for("a result that is only asked", LIMIT, || result.ready());
    std::fs::remove_file(&gate).unwrap();
    assert_eq!(result.successful(), Some(true));
    assert_eq!(result.get_timeout(LIMIT).unwrap(), 5);
    assert!(result.get_timeout(LIMIT).is_err(), "a result is taken once");
}

fn tasks_return_results_of_their_own(layout: Layout) {
    let _harness = Harness::start("results", LIMIT);
    fn parse(text: String) -> Result<i32, RemoteError> {
        Ok(text.parse::<i32>()?)
    }
    let pool = layout.pool(1);
    assert_eq!(pool.apply(parse, ("42".into(),)).unwrap().unwrap(), 42);
    let error = pool.apply(parse, ("x".into(),)).unwrap().unwrap_err();
    assert_eq!(error.message(), "invalid digit found in string");
    let value = serde_json::json!({"k": [1, null, "v"]});
    let back = pool.apply(|v: Described<serde_json::Value>| v, (Described(value.clone()),));
    assert_eq!(back.unwrap().0, value);
    pool.close();
    pool.join().unwrap();
}

fn five_tasks_of_equal_length_on_four_workers_take_two_turns(layout: Layout) {
    let _harness = Harness::start("scheduling", LIMIT);
    let pool = layout.pool(4);
    let nap = |i: u32| {
        std::thread::sleep(Duration::from_millis(200));
        (i, format!("{} {:?}", std::process::id(), std::thread::current().id()))
    };
    let start = Instant::now();
    let results: Vec<_> = (0..5).map(|i| pool.apply_async(nap, (i,))).collect();
    let workers: BTreeSet<String> =
        results.into_iter().map(|result| result.get().unwrap().1).collect();
    assert_eq!(workers.len(), 4, "each worker had one, and one worker a second");
    assert!(start.elapsed() >= Duration::from_millis(400));
}

fn no_task_waits_behind_a_long_one_while_a_worker_is_idle(layout: Layout) {
    let _harness = Harness::start("take-back", LIMIT);
    let pool = layout.pool(2);
    // Learn that tasks are tiny, so that windows are deep.
    for i in 0..2000 {
        pool.apply(square, (i,)).unwrap();
    }
    let gate = std::env::temp_dir().join(format!("procession-long-{}", std::process::id()));
    let long = |path: String| {
        while !std::path::Path::new(&path).exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let blocked = pool.apply_async(long, (gate.display().to_string(),));
    let short: Vec<_> = (0..300).map(|i| pool.apply_async(square, (i,))).collect();
    for (i, result) in short.into_iter().enumerate() {
        assert_eq!(result.get().unwrap(), (i * i) as u64);
    }
    assert!(!blocked.ready());
    std::fs::write(&gate, "").unwrap();
    blocked.get().unwrap();
    std::fs::remove_file(&gate).unwrap();
}

fn tasks_move_on_even_if_nobody_waits_for_them(layout: Layout) {
    let _harness = Harness::start("nobody waits", LIMIT);
    let pool = layout.pool(2);
    for i in 0..2000 {
        pool.apply(square, (i,)).unwrap();
    }
    let folder = std::env::temp_dir().join(format!("procession-nobody-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let gate = folder.join("gate").display().to_string();
    let long = |gate: String| {
        while !std::path::Path::new(&gate).exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let leave = |path: String| std::fs::write(path, "").is_ok();
    let blocked = pool.apply_async(long, (gate.clone(),));
    let short: Vec<_> = (0..300)
        .map(|i| pool.apply_async(leave, (folder.join(i.to_string()).display().to_string(),)))
        .collect();
    wait_for("every short task has run", LIMIT, || {
        (0..300).all(|i| folder.join(i.to_string()).exists())
    });
    assert!(short.into_iter().all(|result| result.get().unwrap()));
    assert!(!blocked.ready());
    std::fs::write(gate, "").unwrap();
    blocked.get().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[procession::test]
fn the_initializer_runs_once_in_each_worker() {
    use std::sync::atomic::{AtomicU64, Ordering};
    static PREPARED: AtomicU64 = AtomicU64::new(0);
    let _harness = Harness::start("initializer", LIMIT);
    fn prepare(bytes: Vec<u8>) {
        PREPARED.fetch_add(bytes.len() as u64, Ordering::SeqCst);
    }
    let pool =
        Pool::builder().processes(2).initializer(prepare, (vec![0; 100_000],)).build().unwrap();
    let seen = pool.map(|_: u32| PREPARED.load(Ordering::SeqCst), 0..100).unwrap();
    assert!(seen.iter().all(|count| *count == 100_000), "{seen:?}");
    assert_eq!(PREPARED.load(Ordering::SeqCst), 0, "not in the parent");
}

#[procession::test]
fn processes_know_who_they_are() {
    let _harness = Harness::start("names", LIMIT);
    let who = || {
        let process = procession::current_process();
        (process.name().to_owned(), process.pid(), process.parent_pid())
    };
    let me = std::process::id();
    let main = procession::current_process();
    assert_eq!((main.name(), main.pid(), main.parent_pid()), ("MainProcess", me, None));
    let pool = Pool::builder().processes(1).name("Decoder").build().unwrap();
    let (name, pid, parent) = pool.apply(who, ()).unwrap();
    assert_eq!((name.as_str(), parent), ("Decoder-1", Some(me)));
    assert_eq!(pool.worker_pids(), [pid]);
    let mut process = Process::new(who, ()).name("solo");
    process.start().unwrap();
    let (name, pid, _) = process.join().unwrap();
    assert_eq!((name.as_str(), Some(pid)), ("solo", process.pid()));
    assert!(procession::cpu_count() >= 1);
}

#[procession::test]
fn a_process_gives_back_what_its_target_returned() {
    let _harness = Harness::start("process", LIMIT);
    let mut process = Process::new(echo, (vec![5; 1 << 20],));
    assert_eq!((process.pid(), process.exit_code(), process.is_alive()), (None, None, false));
    assert!(process.join().is_err(), "it was not started");
    process.start().unwrap();
    assert!(process.start().is_err(), "it was started before");
    assert_eq!(process.join().unwrap(), vec![5; 1 << 20]);
    assert_eq!((process.exit_code(), process.is_alive()), (Some(0), false));
    assert!(process.join().is_err(), "it was joined before");
}

#[procession::test]
fn a_process_is_killed_terminated_or_waited_for_a_while() {
    let _harness = Harness::start("process ends", LIMIT);
    let nap = || std::thread::sleep(Duration::from_secs(600));
    for (end, code) in [("kill", -9), ("terminate", -15)] {
        let mut process = Process::new(nap, ());
        assert!(process.kill().is_err(), "it was not started");
        process.start().unwrap();
        assert!(process.is_alive());
        assert_eq!(process.join_timeout(Duration::from_millis(10)).unwrap(), None);
        if end == "kill" {
            process.kill().unwrap()
        } else {
            process.terminate().unwrap()
        }
        assert!(process.join().is_err());
        assert_eq!(process.exit_code(), Some(code), "{end}");
        process.kill().unwrap();
    }
    let mut process = Process::new(|| std::process::exit(7), ());
    process.start().unwrap();
    let result: procession::Result<()> = process.join();
    assert_eq!(result.unwrap_err().exit_code(), Some(7));
    assert_eq!(process.exit_code(), Some(7));
    let mut process = Process::new(|x: u8| assert_eq!(x, 1, "not one"), (2,));
    process.start().unwrap();
    let error = process.join().unwrap_err();
    assert!(error.is_panicked() && error.panic_message().unwrap().contains("not one"), "{error}");
    assert_eq!(process.exit_code(), Some(1));
}

fn a_worker_may_own_a_pool(layout: Layout) {
    let _harness = Harness::start("nested pools", LIMIT);
    let nested = |n: u64| {
        let pool = Pool::new(2).unwrap();
        pool.map(square, 0..n).unwrap().iter().sum::<u64>()
    };
    let pool = layout.pool(2);
    assert_eq!(pool.map(nested, [3, 4]).unwrap(), [5, 14]);
}

fn queued_tasks_cost_no_descriptors(layout: Layout) {
    let _harness = Harness::start("queued tasks", LIMIT);
    let pool = layout.pool(2);
    let descriptors = || std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let before = descriptors();
    let results: Vec<_> = (0..200_000).map(|i| pool.apply_async(square, (i,))).collect();
    // Fewer are fine: starting the workers needs some for a while.
    assert!(descriptors() <= before);
    for (i, result) in results.into_iter().enumerate() {
        assert_eq!(result.get().unwrap(), (i * i) as u64);
    }
}

procession_testing::again_by!(Spawn in spawned:
    results_that_are_polled_together_are_each_woken,
    the_initializer_runs_once_in_each_worker,
    processes_know_who_they_are,
    a_process_gives_back_what_its_target_returned,
    a_process_is_killed_terminated_or_waited_for_a_while,
);
