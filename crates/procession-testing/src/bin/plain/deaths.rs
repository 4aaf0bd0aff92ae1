//! Workers that die, or never come.

use crate::say;
use crate::world::World;
use procession::{Event, Pool, StartMethod};
use procession_testing::{Random, is_alive, send, wait_for};
use std::time::Duration;

const LARGE: usize = 64 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

fn sleep_for_ever(begun: Event) {
    begun.set();
    loop {
        std::thread::park();
    }
}

/// The length and a few of the bytes: what it costs to look at all is not the point.
fn look(bytes: Vec<u8>) -> (usize, u64) {
    (bytes.len(), bytes.iter().step_by(4093).map(|byte| u64::from(*byte)).sum())
}

fn block() -> Vec<u8> {
    (0..=u8::MAX).collect::<Vec<_>>().repeat(LARGE / 256)
}

fn kill(pid: u32) {
    send(pid as i32, libc::SIGKILL);
}

/// What a worker that dies had not begun runs elsewhere, with the same argument.
pub(crate) fn death_with_an_argument_in_flight(world: World) {
    world.leaves_nothing(|| {
        let pool = world.pool(1);
        let wanted = look(block());
        for turn in 0..3 {
            let begun = Event::new().expect("an event");
            let running = pool.apply_async(sleep_for_ever, (begun.clone(),));
            begun.wait();
            let waiting = pool.apply_async(look, (block(),));
            let pid = pool.worker_pids()[0];
            kill(pid);
            let error = running.get().expect_err("it sleeps for ever");
            assert!(error.is_worker_lost() && error.pid() == Some(pid), "{error}");
            assert_eq!(waiting.get().expect("it had not begun"), wanted, "turn {turn}");
        }
    });
}

/// A worker is killed while an argument of 64 MiB is encoded, is on its way, decoded, or has been.
pub(crate) fn death_at_any_time_of_a_large_call(world: World) {
    let seed = u64::from(std::process::id());
    say(&format!("seed {seed}"));
    let mut random = Random::new(seed);
    world.leaves_nothing(|| {
        let pool = world.builder(2).retries(50).build().expect("a pool starts");
        let wanted = look(block());
        for turn in 0..8 {
            let pids = pool.worker_pids();
            let delay = Duration::from_micros(random.below(60_000));
            let results = std::thread::scope(|scope| {
                scope.spawn(move || {
                    std::thread::sleep(delay);
                    pids.into_iter().for_each(kill);
                });
                let tasks = [(); 2].map(|()| pool.apply_async(look, (block(),)));
                tasks.map(|task| task.get())
            });
            for result in results {
                assert_eq!(result.expect("it runs again"), wanted, "turn {turn}, {delay:?}");
            }
            wait_for("workers", PATIENCE, || {
                pool.worker_pids().len() == pool.processes()
                    && pool.worker_pids().into_iter().all(is_alive)
            });
        }
    });
}

/// A child whose `main` returns before it comes to `init` is no worker, and the program says so, once
/// and soon.
pub(crate) fn early_return(world: World) {
    if world.method == StartMethod::Fork {
        // A copy of the program goes on where it is, and does not run `main`.
        return world.leaves_nothing(|| {
            assert_eq!(world.pool(2).apply(|| 7, ()).expect("a worker"), 7);
        });
    }
    let error = world.builder(2).build().and_then(|pool: Pool| pool.apply(|| 7, ()));
    let error = error.expect_err("there are no workers");
    assert!(error.is_broken(), "{error}");
    let text = error.to_string();
    assert!(text.contains("exit code 0"), "{text}");
    assert!(text.contains("procession::main") || text.contains("template"), "{text}");
    say("ok");
}
