//! Work that piles up: behind long tasks, in full rings, in used-up shared memory. It must get on as
//! soon as a worker can take it, and always in the end.

use procession::Pool;
use procession_testing::{Harness, Random, block_on, wait_for};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(240);

/// As much as travels inside of a ring, nearly: three of them fill it.
const INLINE: usize = 16_000;

fn same(number: u64) -> u64 {
    number
}

fn length(bytes: Vec<u8>) -> usize {
    bytes.len()
}

fn make(length: usize) -> Vec<u8> {
    vec![7; length]
}

fn nap(millis: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(millis));
    millis
}

fn spin(micros: u64) -> u64 {
    let start = Instant::now();
    while start.elapsed() < Duration::from_micros(micros) {}
    micros
}

fn panic_at_fives(number: u64) -> u64 {
    assert!(!number.is_multiple_of(5), "a five");
    number
}

/// Two workers that have run many tiny tasks, so that any task is taken for one.
fn warm_pool() -> Pool {
    let pool = Pool::new(2).unwrap();
    for number in 0..3_000 {
        assert_eq!(pool.apply(same, (number,)).unwrap(), number);
    }
    pool
}

#[procession::test]
fn a_full_ring_behind_a_long_task_sends_the_rest_to_the_idle_worker() {
    let _harness = Harness::start("a full ring", LIMIT);
    let pool = warm_pool();
    let long = pool.apply_async(nap, (3_000,));
    let short: Vec<_> = (0..8).map(|_| pool.apply_async(length, (make(INLINE),))).collect();
    for result in short {
        assert_eq!(result.get().unwrap(), INLINE);
    }
    assert!(!long.ready(), "the short ones waited for the long one");
    assert_eq!(long.get().unwrap(), 3_000);
}

#[procession::test]
fn calls_beside_a_long_task_go_to_the_idle_worker() {
    let _harness = Harness::start("beside a long task", LIMIT);
    let pool = warm_pool();
    let long = pool.apply_async(nap, (4_000,));
    // It has begun, and whoever comes now is not sent along with it.
    assert_eq!(pool.apply(spin, (20,)).unwrap(), 20);
    for number in 0..2_000 {
        // Two milliseconds each, if each of them waited until the long one is seen to be one.
        assert_eq!(pool.apply(same, (number,)).unwrap(), number);
    }
    assert!(!long.ready(), "the short ones waited behind the long one, each for a while");
    assert_eq!(long.get().unwrap(), 4_000);
}

/// Everybody who encodes, and the one in between.
static TOGETHER: Barrier = Barrier::new(9);

/// Encoders that have got so far.
static HOLDING: AtomicUsize = AtomicUsize::new(0);

/// A value whose encoder waits for all others, and holds meanwhile what was encoded before it.
struct Meets;

impl serde::Serialize for Meets {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        HOLDING.fetch_add(1, Ordering::SeqCst);
        TOGETHER.wait();
        serializer.serialize_unit()
    }
}

impl<'de> serde::Deserialize<'de> for Meets {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self)
    }
}

#[procession::test]
fn a_large_task_gets_on_while_others_hold_all_shared_memory() {
    let _harness = Harness::start("used-up segments", LIMIT);
    let pool = Pool::new(1).unwrap();
    assert_eq!(pool.apply(same, (1,)).unwrap(), 1);
    let first = |bytes: Vec<u8>, _: Meets| bytes.len();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| pool.apply(first, (make(100_000), Meets)).unwrap());
        }
        // Eight encoders hold a segment each, which is all there are; this one needs another.
        wait_for("eight encoders", LIMIT, || HOLDING.load(Ordering::SeqCst) == 8);
        let between = pool.apply_async(length, (make(20_000),));
        TOGETHER.wait();
        assert_eq!(between.get().unwrap(), 20_000);
    });
    pool.close();
    pool.join().unwrap();
}

/// One of many things that a thread may have a pool do.
fn do_something(pool: &Pool, random: &mut Random) {
    match random.below(10) {
        0 => {
            for number in 0..random.below(200) {
                assert_eq!(pool.apply(same, (number,)).unwrap(), number);
            }
        }
        1 => {
            let count = random.below(2_000);
            let results: Vec<_> = (0..count).map(|n| pool.apply_async(same, (n,))).collect();
            for (number, result) in (0..).zip(results) {
                assert_eq!(result.get().unwrap(), number);
            }
        }
        2 => {
            let count = random.below(20_000);
            assert!(pool.map(same, 0..count).unwrap().into_iter().eq(0..count));
        }
        3 => {
            let spins = (0..3_000).map(|number| number % 7);
            let count = random.below(500) as usize;
            let taken = pool.imap(spin, spins.clone()).take(count).map(Result::unwrap);
            assert!(taken.eq(spins.take(count)));
        }
        4 => {
            drop(pool.apply_async(nap, (random.below(30),)));
            let spins = (0..random.below(40)).map(|n| pool.apply_async(spin, (n % 9,)));
            let results: Vec<_> = spins.collect();
            for (number, result) in (0..).zip(results) {
                assert_eq!(result.get().unwrap(), number % 9);
            }
        }
        5 => {
            let mut late = pool.apply_async(nap, (random.below(20),));
            // It may be there or not.
            let _ = late.get_timeout(Duration::from_millis(random.below(10)));
            let count = random.below(200);
            let results: Vec<_> = (0..count).map(|n| pool.apply_async(same, (n,))).collect();
            for (number, result) in (0..).zip(results) {
                assert_eq!(result.get().unwrap(), number);
            }
        }
        6 => {
            let bytes = INLINE + random.below(900) as usize;
            let tasks = (0..random.below(20)).map(|_| pool.apply_async(length, (make(bytes),)));
            let results: Vec<_> = tasks.collect();
            for result in results {
                assert_eq!(result.get().unwrap(), bytes);
            }
        }
        7 => {
            let bytes = random.below(200_000) as usize;
            let tasks = (0..random.below(30)).map(|_| pool.apply_async(make, (bytes,)));
            let results: Vec<_> = tasks.collect();
            for result in results.into_iter().take(random.below(40) as usize) {
                assert_eq!(result.get().unwrap().len(), bytes);
            }
        }
        8 => {
            let tasks = (0..random.below(100)).map(|n| pool.apply_async(spin, (n % 30,)));
            let results: Vec<_> = tasks.collect();
            for (number, result) in (0..).zip(results) {
                if number % 3 != 0 {
                    assert_eq!(block_on(result).unwrap(), number % 30);
                }
            }
        }
        _ => {
            let results = pool.imap_unordered(panic_at_fives, 0..random.below(300));
            for result in results {
                assert!(result.is_err() || !result.unwrap().is_multiple_of(5));
            }
        }
    }
}

#[procession::test]
fn whatever_piles_up_gets_done() {
    let _harness = Harness::start("piles", LIMIT);
    for (seed, threads) in (1..=6).zip([1, 1, 1, 1, 2, 3]) {
        println!("seed {seed}, two processes of {threads} threads");
        let pool = Pool::builder().processes(2).threads(threads).build().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let pool = &pool;
                scope.spawn(move || {
                    let mut random = Random::new(seed * 10 + thread);
                    for _ in 0..60 {
                        do_something(pool, &mut random);
                    }
                });
            }
        });
        pool.close();
        // What panicked in a dropped map may not have been looked at.
        drop(pool.join());
    }
}
