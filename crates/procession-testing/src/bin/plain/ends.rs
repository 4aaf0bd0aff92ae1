//! Programs whose main thread waits for nothing: the program ends all the same, at once, and its
//! workers with it.

use crate::say;
use crate::world::{Layout, World};
use procession::Pool;

fn endless(_: u64) {
    loop {
        std::thread::park();
    }
}

fn brief(x: u64) -> u64 {
    x + 1
}

/// A pool with work that never ends: running, on its way, and waiting.
fn busy_pool(world: World) -> Pool {
    let pool = world.pool(2);
    for x in 0..2000 {
        drop(pool.apply_async(endless, (x,)));
    }
    drop(pool.map_async(endless, 0..2000));
    pool
}

/// `main` returns, and its pool is dropped.
pub(crate) fn never_waits_and_drops(world: World) {
    if world.layout != Layout::Threads {
        return world.leaves_nothing(|| drop(busy_pool(world)));
    }
    // Nothing can end a thread of the program, so what runs there must end by itself.
    world.leaves_nothing(|| {
        let pool = world.pool(2);
        for x in 0..2000 {
            drop(pool.apply_async(brief, (x,)));
        }
        drop(pool.map_async(brief, 0..2000));
    });
}

/// `main` returns, and nobody drops its pool, as if it were in a `static`.
pub(crate) fn never_waits_and_forgets(world: World) {
    std::mem::forget(busy_pool(world));
    say("ok");
}

/// The program exits in the middle.
pub(crate) fn exits(world: World) {
    let _pool = busy_pool(world);
    say("ok");
    std::process::exit(0);
}
