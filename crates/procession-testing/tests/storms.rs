//! Everything at once, by chance: many kinds of tasks from many threads, while workers are killed,
//! until the pool ends in one way or another. Each storm has a seed.

use procession::{AsyncResult, Error, Pool};
use procession_testing::{Harness, Random, block_on, send};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(240);

/// Whether the workers of the present storm share processes.
static SHARED: AtomicBool = AtomicBool::new(false);

/// What a task does, and so what may become of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Deed {
    Square(u64),
    Echo(Vec<u8>),
    Nap(u64),
    Panic,
    Exit,
    Die,
}

impl Deed {
    fn choose(random: &mut Random) -> Self {
        match random.below(100) {
            0..60 => Self::Square(random.below(1 << 20)),
            60..75 => Self::Echo(vec![random.number() as u8; random.below(60_000) as usize]),
            75 => Self::Echo(vec![random.number() as u8; random.below(3 << 20) as usize]),
            76..86 => Self::Nap(random.below(3_000)),
            86..96 => Self::Panic,
            96..98 => Self::Exit,
            _ => Self::Die,
        }
    }

    /// Runs in a worker.
    fn run(self) -> Self {
        match self {
            Self::Square(x) => Self::Square(x * x),
            Self::Nap(micros) => {
                std::thread::sleep(Duration::from_micros(micros));
                Self::Nap(micros)
            }
            Self::Panic => panic!("a storm"),
            Self::Exit => std::process::exit(17),
            Self::Die => {
                send(std::process::id() as i32, libc::SIGKILL);
                unreachable!("killed")
            }
            echo @ Self::Echo(_) => echo,
        }
    }

    /// Whether this can have become of it. Anything may be lost with a worker that was killed.
    fn check(&self, outcome: &Result<Self, Error>, ended: bool) {
        let is_right = match (self, outcome) {
            (_, Err(error)) if error.is_worker_lost() => {
                // The exit may be that of another thread of the process, if it has several.
                error.exit_code() == Some(17)
                    && (*self == Self::Exit || SHARED.load(Ordering::SeqCst))
                    || error.signal() == Some(libc::SIGKILL)
            }
            (_, Err(error)) if error.is_terminated() => ended,
            (Self::Panic, Err(error)) => error.panic_message() == Some("a storm"),
            (Self::Square(x), Ok(Self::Square(y))) => x * x == *y,
            (Self::Nap(_) | Self::Echo(_), Ok(same)) => self == same,
            _ => false,
        };
        assert!(is_right, "{} became {outcome:?}", self.name());
    }

    fn name(&self) -> String {
        match self {
            Self::Echo(bytes) => format!("an echo of {} bytes", bytes.len()),
            other => format!("{other:?}"),
        }
    }
}

/// Waits for a result in one of the ways there are.
fn take(mut result: AsyncResult<Deed>, random: &mut Random) -> Result<Deed, Error> {
    match random.below(4) {
        0 => loop {
            match result.get_timeout(Duration::from_micros(random.below(2_000))) {
                Err(error) if error.is_timed_out() => {}
                outcome => return outcome,
            }
        },
        1 => {
            while !result.ready() {
                std::thread::yield_now();
            }
            assert!(result.successful().is_some());
            result.get()
        }
        2 => block_on(result),
        _ => result.get(),
    }
}

/// One thread's part of a storm: single tasks, taken in any order, some not at all, and maps.
fn blow(pool: &Pool, mut random: Random, ended: &AtomicBool) {
    let mut open: Vec<(Deed, AsyncResult<Deed>)> = Vec::new();
    for _ in 0..300 {
        match random.below(20) {
            0 => map(pool, &mut random, ended),
            1 => drop(open.pop()),
            2..8 if !open.is_empty() => {
                let (deed, result) = open.swap_remove(random.below(open.len() as u64) as usize);
                let outcome = take(result, &mut random);
                deed.check(&outcome, ended.load(Ordering::SeqCst));
            }
            _ => {
                let deed = Deed::choose(&mut random);
                open.push((deed.clone(), pool.apply_async(Deed::run, (deed,))));
            }
        }
    }
    for (deed, result) in open {
        let outcome = take(result, &mut random);
        deed.check(&outcome, ended.load(Ordering::SeqCst));
    }
}

fn map(pool: &Pool, random: &mut Random, ended: &AtomicBool) {
    let deeds: Vec<_> = (0..random.below(60)).map(|_| Deed::choose(random)).collect();
    let outcomes: Vec<_> = match random.below(3) {
        0 => pool.imap(Deed::run, deeds.clone()).collect(),
        1 => {
            let chunk = 1 + random.below(20) as usize;
            pool.chunksize(chunk).imap(Deed::run, deeds.clone()).collect()
        }
        _ => {
            // Dropped half-way: what was sent runs, what was not never does.
            let half = deeds.len() / 2;
            pool.imap(Deed::run, deeds.clone()).take(half).collect()
        }
    };
    for (deed, outcome) in deeds.iter().zip(&outcomes) {
        deed.check(outcome, ended.load(Ordering::SeqCst));
    }
}

/// Kills random workers until the storm is over.
fn kill(pool: &Pool, mut random: Random, over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(10 + random.below(30)));
        let pids = pool.worker_pids();
        if !pids.is_empty() {
            send(pids[random.below(pids.len() as u64) as usize] as i32, libc::SIGKILL);
        }
    }
}

/// Whether the threads have finished before the pool ends, and how it ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Joined,
    Terminated,
    Dropped,
}

#[expect(clippy::print_stdout, reason = "a storm that fails is known by its seed")]
fn storm(seed: u64, end: End, threads: usize) {
    println!("seed {seed}, {end:?}, processes of {threads} threads");
    SHARED.store(threads > 1, Ordering::SeqCst);
    let mut random = Random::new(seed);
    let processes = 1 + random.below(4) as usize;
    let pool = Pool::builder().processes(processes).threads(threads).build().unwrap();
    let (over, ended) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (pool, over, ended) = (&pool, &over, &ended);
        let killer = Random::new(random.number());
        scope.spawn(move || kill(pool, killer, over));
        let threads: Vec<_> = (0..1 + random.below(4))
            .map(|_| {
                let random = Random::new(random.number());
                scope.spawn(move || blow(pool, random, ended))
            })
            .collect();
        if end == End::Terminated {
            std::thread::sleep(Duration::from_millis(random.below(100)));
            ended.store(true, Ordering::SeqCst);
            pool.terminate();
        }
        let outcomes: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        over.store(true, Ordering::SeqCst);
        assert!(outcomes.iter().all(Result::is_ok), "seed {seed}");
    });
    if end == End::Joined {
        pool.close();
        match pool.join() {
            Ok(()) => {}
            Err(error) => assert!(error.is_panicked() || error.is_worker_lost(), "{error}"),
        }
        let stats = pool.stats();
        // What a dropped map had not sent yet has no outcome, and nobody who wants one.
        assert!(stats.succeeded + stats.failed <= stats.submitted, "seed {seed}: {stats:?}");
    }
    println!("{:?}", pool.stats());
}

#[procession::test]
fn in_a_storm_that_blows_over_every_task_has_its_outcome() {
    let _harness = Harness::start("storms", LIMIT);
    for seed in 1..=8 {
        storm(seed, End::Joined, 1);
    }
}

#[procession::test]
fn a_pool_is_dropped_after_a_storm() {
    let _harness = Harness::start("dropped storms", LIMIT);
    for seed in 101..=106 {
        storm(seed, End::Dropped, 1);
    }
}

#[procession::test]
fn a_pool_is_terminated_in_the_middle_of_a_storm() {
    let _harness = Harness::start("terminated storms", LIMIT);
    for seed in 201..=208 {
        storm(seed, End::Terminated, 1);
    }
}

#[procession::test]
fn a_storm_blows_over_processes_of_threads_too() {
    let _harness = Harness::start("storms over threads", LIMIT);
    for (seed, end) in (301..).zip([End::Joined, End::Dropped, End::Terminated]) {
        storm(seed, end, 2);
        storm(seed + 10, end, 3);
    }
}
