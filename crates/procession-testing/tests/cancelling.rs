//! Cancelling while workers go on: it costs the task that is meant, and nobody else.

use procession::Pool;
use procession_testing::{Harness, Random, again_by};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);
const ROUNDS: u64 = 200;
const SEED: u64 = 20261125;

/// Keeps a processor for so many microseconds.
fn spin(micros: u64) -> u64 {
    let start = Instant::now();
    while start.elapsed() < Duration::from_micros(micros) {
        std::hint::spin_loop();
    }
    micros
}

#[procession::test]
fn a_task_that_is_cancelled_while_it_runs_takes_none_with_it_that_came_next() {
    let _harness = Harness::start("cancelling in a row", LIMIT);
    let mut random = Random::new(SEED);
    let mut cancelled = 0;
    let pool = Pool::new(1).unwrap();
    for round in 0..ROUNDS {
        pool.map(spin, std::iter::repeat_n(1, 20)).unwrap();
        let micros = 1 + random.below(30);
        let tasks: Vec<_> = (0..60).map(|_| pool.apply_async(spin, (micros,))).collect();
        let meant = random.below(40) as usize;
        // Whichever runs by then.
        spin(random.below(20 * micros));
        let was_cancelled = tasks[meant].cancel_running();
        for (index, task) in tasks.into_iter().enumerate() {
            match task.get() {
                Ok(value) => assert_eq!(value, micros),
                Err(error) => {
                    let is_meant = index == meant && was_cancelled && error.is_cancelled();
                    cancelled += u64::from(is_meant);
                    assert!(is_meant, "seed {SEED}, round {round}, task {index}: {error}");
                }
            }
        }
    }
    assert!(cancelled > 0, "none was in time");
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn a_map_that_is_cancelled_while_it_runs_takes_no_task_with_it() {
    let _harness = Harness::start("cancelling maps in a row", LIMIT);
    let mut random = Random::new(SEED);
    let pool = Pool::new(1).unwrap();
    for round in 0..ROUNDS {
        let micros = 1 + random.below(30);
        let calls = pool.chunksize(4);
        let maps: Vec<_> = (0..10)
            .map(|_| {
                let map = calls.map_async(spin, std::iter::repeat_n(micros, 12));
                (map, pool.apply_async(spin, (micros,)))
            })
            .collect();
        let meant = random.below(8) as usize;
        spin(random.below(60 * micros));
        let was_cancelled = maps[meant].0.cancel_running();
        for (index, (map, task)) in maps.into_iter().enumerate() {
            let value =
                task.get().unwrap_or_else(|error| panic!("round {round}, {index}: {error}"));
            assert_eq!(value, micros);
            match map.get() {
                Ok(values) => assert!(values.len() == 12 && !(was_cancelled && index == meant)),
                Err(error) => {
                    let is_meant = index == meant && was_cancelled && error.is_cancelled();
                    assert!(is_meant, "seed {SEED}, round {round}, map {index}: {error}");
                }
            }
        }
    }
    pool.close();
    pool.join().unwrap();
}

again_by!(Spawn in spawned:
    a_task_that_is_cancelled_while_it_runs_takes_none_with_it_that_came_next,
    a_map_that_is_cancelled_while_it_runs_takes_no_task_with_it,
);
