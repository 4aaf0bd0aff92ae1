//! Plots by chance, and those that were the end of a pool once.

use super::ledger::Answer;
use super::plot::{Act, Ending, Plot, plot};
use super::world::World;
use crate::message::Retirement;
use crate::task::Terms;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Plots that are played unless `PROCESSION_CASES` says otherwise.
const CASES: u32 = 800;

/// Longest time, on a real clock, that a play may take: far less than that is a play that does not end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Plays a plot.
fn play(plot: &Plot) {
    let (end, ended) = mpsc::channel::<()>();
    let shown = plot.clone();
    let watchdog = std::thread::spawn(move || {
        if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            // Not by `eprintln`, which the test's harness keeps until the end.
            let _ = writeln!(std::io::stderr(), "a play does not end: {shown:?}");
            std::process::abort();
        }
    });
    let mut world = World::new(plot);
    for act in &plot.acts {
        world.perform(act);
    }
    world.end_as(plot.ending);
    drop(end);
    watchdog.join().expect("it only listens");
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn every_task_comes_to_one_end_whatever_happens() {
    let seed = number("PROCESSION_SEED").unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_nanos() as u64
    });
    // Shown when the test fails.
    eprintln!("PROCESSION_SEED={seed}");
    let cases = number("PROCESSION_CASES").map_or(CASES, |cases| cases as u32);
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 3000, ..Config::default() };
    let seed: Vec<u8> = (0..4).flat_map(|word| (seed ^ word << 60).to_le_bytes()).collect();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let outcome = TestRunner::new_with_rng(config, rng).run(&plot(), |plot| {
        play(&plot);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// A plot of so many workers with one thread each, whose tasks take a tenth of a microsecond.
fn plot_of(workers: usize, acts: Vec<Act>, ending: Ending) -> Plot {
    Plot {
        workers,
        threads: 1,
        retirement: Retirement::default(),
        ns: 100,
        seed: 0,
        unrest: 0,
        acts,
        ending,
    }
}

const PLAIN: Terms = Terms { timeout: None, retries: 0 };

/// Its request to start was given its outcome with all others, and it was killed for having started.
#[test]
fn a_worker_that_is_ready_when_the_pool_was_terminated_is_not_accused() {
    let ending = Ending::Terminate { stubborn: true };
    play(&Plot { threads: 2, ..plot_of(1, vec![Act::Submit(PLAIN)], ending) });
}

#[test]
fn items_that_were_handed_in_before_the_pool_was_closed_run() {
    let map = Act::Map { count: 2, chunk: 0, terms: PLAIN, whole: false };
    let more = Act::Feed { which: 0, count: 1 };
    play(&plot_of(1, vec![map, Act::Close, more], Ending::Join));
}

/// That it was refused more items was all that was known of it.
#[test]
fn what_is_left_of_a_map_that_was_cancelled_after_it_was_refused_more_does_not_run() {
    let terms = Terms { retries: 1, ..PLAIN };
    let acts = vec![
        Act::Map { count: 2, chunk: 2, terms, whole: false },
        Act::Work,
        Act::Step(0),
        Act::Step(0),
        Act::Close,
        Act::Feed { which: 0, count: 1 },
        Act::Die(0),
        Act::Map { count: 1, chunk: 0, terms: PLAIN, whole: true },
        Act::Cancel { which: 0, running: true },
    ];
    play(&plot_of(1, acts, Ending::Join));
}

/// It was killed for not having stopped in time, again and again, which left no time for anything else.
#[test]
fn nobody_waits_for_a_worker_to_stop_that_is_gone() {
    let acts = vec![
        Act::Work,
        Act::Submit(PLAIN),
        Act::Step(0),
        Act::Work,
        Act::Die(0),
        Act::Close,
        Act::Collect,
        Act::PassTime(2000),
    ];
    let retirement = Retirement { tasks_max: Some(1), ..Retirement::default() };
    play(&Plot { retirement, ..plot_of(3, acts, Ending::Join) });
}

/// It would soon be through with what it has, and yet never run more than that.
#[test]
fn no_task_waits_for_a_worker_that_was_sent_all_it_may_run() {
    let submit = || Act::Submit(PLAIN);
    let map = Act::Map { count: 3, chunk: 0, terms: PLAIN, whole: false };
    let acts = vec![
        submit(),
        submit(),
        submit(),
        map,
        submit(),
        submit(),
        submit(),
        Act::Step(1),
        Act::Work,
        Act::Step(1),
        Act::Finish(1, Answer::Value),
        Act::PassTime(1),
        Act::Work,
        Act::Work,
        Act::PassTime(40),
    ];
    let retirement = Retirement { tasks_max: Some(3), ..Retirement::default() };
    play(&Plot { retirement, ..plot_of(3, acts, Ending::Join) });
}

/// A pool of two workers of which the first runs a task that does not end, and has one behind it, while
/// more tasks come than the second can do.
#[test]
fn a_task_is_not_passed_for_ever() {
    let ending = Ending::Terminate { stubborn: false };
    let plot = Plot { ns: 1_000_000, ..plot_of(2, Vec::new(), ending) };
    let mut world = World::new(&plot);
    let ready =
        [Act::GoOn, Act::Work, Act::Work, Act::GoOn, Act::Submit(PLAIN), Act::Submit(PLAIN)];
    ready.iter().for_each(|act| world.perform(act));
    // Both workers are known to be ready, and how long a task takes.
    [Act::Work, Act::Work, Act::GoOn, Act::Collect].iter().for_each(|act| world.perform(act));
    let first = world.tasks_handed_in();
    for _ in 0..6 {
        world.perform(&Act::Submit(PLAIN));
    }
    world.perform(&Act::Step(0));
    for _ in 0..200 {
        let acts = [
            Act::Submit(PLAIN),
            Act::Submit(PLAIN),
            Act::Step(1),
            Act::Finish(1, Answer::Value),
            Act::PassTime(1),
            Act::GoOn,
        ];
        acts.iter().for_each(|act| world.perform(act));
    }
    let waiting: Vec<_> = (first..first + 6).filter(|number| world.is_untouched(*number)).collect();
    assert!(waiting.is_empty(), "{waiting:?} wait, and 200 that came later do not");
    world.end_as(plot.ending);
}

/// The thread that collected for all that wait was not told.
#[test]
fn who_waits_for_a_map_hears_that_nobody_wants_the_rest_of_it() {
    let map = Act::Map { count: 1, chunk: 0, terms: PLAIN, whole: true };
    let wait = Act::Wait { which: 1, ms: None, whole: false };
    let acts = vec![Act::Submit(PLAIN), map, wait, Act::GoOn, Act::Abandon(0), Act::GoOn];
    play(&plot_of(1, acts, Ending::Join));
}

/// It had not answered for a while when what it was to run was cancelled, and then nobody sent it more.
#[test]
fn a_worker_whose_task_was_cancelled_gets_others() {
    let submit = || Act::Submit(PLAIN);
    let acts = vec![
        Act::Map { count: 6, chunk: 1, terms: PLAIN, whole: false },
        submit(),
        Act::Step(12),
        submit(),
        Act::Step(6),
        Act::Cancel { which: 3, running: false },
        Act::Step(2),
        Act::Work,
        Act::Step(10),
        submit(),
        Act::PassTime(46),
        Act::Cancel { which: 37, running: false },
        Act::Work,
        Act::PassTime(40),
    ];
    play(&Plot { threads: 2, ..plot_of(2, acts, Ending::Join) });
}

/// The last worker's end was told while wakers were woken, and waited for afterwards.
#[test]
fn who_terminates_hears_of_the_last_end_while_it_wakes_others() {
    for seed in 0..100 {
        let acts = vec![
            Act::GoOn,
            Act::Submit(PLAIN),
            Act::Poll(0),
            Act::Die(0),
            Act::Terminate,
            Act::Collect,
            Act::Collect,
        ];
        let ending = Ending::Terminate { stubborn: false };
        play(&Plot { seed, unrest: 255, ..plot_of(1, acts, ending) });
    }
}
