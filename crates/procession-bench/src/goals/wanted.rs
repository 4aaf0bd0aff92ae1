//! The goals: those of the design first, then those of more workers than cores, of skewed tasks and of
//! full queues. Scenarios and contenders are named as they are in `scenarios`; a test holds them to that.

use super::At;
use super::Bound::{Shown, Times, Value};
use super::Goal;

pub(super) const ONE: &str = "procession apply, 1 worker";
const TWO: &str = "procession apply, 2 workers";
const TASKS_1: &str = "procession apply_async, 1 worker";
const TASKS_2: &str = "procession apply_async, 2 workers";
const TASKS_8: &str = "procession apply_async, 8 workers";
const FUTEX: &str = "futex on a shared page";
const SOCKET: &str = "socket pair";
const WARM_COPY: &str = "memcpy into warm shared memory";
const LARGE: &str = "procession apply";
const RAYON_KERNEL: &str = "rayon par_iter";
const MAP: &str = "procession map";
const SKEWED: &str = "procession, over the optimum";
/// What noise makes of figures that should be the same.
const SAME: f64 = 1.1;

/// The goals of the design: what one call, many calls, large payloads and lives may cost.
pub(super) const ENGINE: &[Goal] = &[
    Goal("round trip, warm", "1 us", At("round-trip-warm", ONE), Value(1000.0)),
    Goal(
        "round trip, warm",
        "below the futex: spinning wins on quiet cores",
        At("round-trip-warm", ONE),
        Times(1.0, At("round-trip-warm", FUTEX)),
    ),
    Goal(
        "round trip, both sides asleep",
        "1.3 x the futex",
        At("round-trip-asleep", ONE),
        Times(1.3, At("round-trip-asleep", FUTEX)),
    ),
    Goal(
        "the same, two workers",
        "1.3 x the futex",
        At("round-trip-asleep", TWO),
        Times(1.3, At("round-trip-asleep", FUTEX)),
    ),
    Goal(
        "round trip beside two busy loops",
        "1.5 x the futex",
        At("round-trip-busy", ONE),
        Times(1.5, At("round-trip-busy", FUTEX)),
    ),
    Goal(
        "round trip beside two busy loops",
        "never above a socket pair",
        At("round-trip-busy", ONE),
        Times(1.0, At("round-trip-busy", SOCKET)),
    ),
    Goal("tiny tasks, one worker", "3 M/s", At("throughput", TASKS_1), Value(1000.0 / 3.0)),
    Goal("tiny tasks, two workers", "3 M/s each", At("throughput", TASKS_2), Value(1000.0 / 6.0)),
    Goal(
        "tiny tasks, one worker",
        "rayon spawn, one thread",
        At("throughput", TASKS_1),
        Times(1.0, At("throughput", "rayon spawn, 1 thread")),
    ),
    Goal(
        "tiny tasks, two workers",
        "rayon spawn, two threads",
        At("throughput", TASKS_2),
        Times(1.0, At("throughput", "rayon spawn, 2 threads")),
    ),
    Goal(
        "tiny tasks beside two busy loops",
        "never above a socket pair",
        At("throughput-busy", TASKS_1),
        Times(1.0, At("throughput-busy", "socket pair, pipelined")),
    ),
    Goal("map over integers", "20 M/s", At("map", "procession map, 2 workers"), Value(50.0)),
    Goal(
        "start to join, spawn",
        "1.5 x exec of self",
        At("start-join", "procession Process, spawn"),
        Times(1.5, At("start-join", "exec of self that exits at once")),
    ),
    Goal(
        "start to join, forkserver",
        "1.5 x fork",
        At("start-join", "procession Process, forkserver"),
        Times(1.5, At("start-join", "fork and exit")),
    ),
    Goal(
        "start to join, fork",
        "1.5 x fork",
        At("start-join", "procession Process, fork"),
        Times(1.5, At("start-join", "fork and exit")),
    ),
    Goal(
        "64 MiB as argument",
        "3 x warm memcpy",
        At("large-argument", LARGE),
        Times(3.0, At("large-argument", WARM_COPY)),
    ),
    Goal(
        "64 MiB as argument and back",
        "3 x warm memcpy each way",
        At("large-both-ways", LARGE),
        Times(3.0, At("large-both-ways", WARM_COPY)),
    ),
    Goal(
        "64 MiB of floats and back",
        "3 x warm memcpy each way",
        At("large-floats", LARGE),
        Times(3.0, At("large-floats", WARM_COPY)),
    ),
    Goal(
        "idle worker, forkserver",
        "0.3 MiB (USS)",
        At("idle-memory", "procession worker, forkserver"),
        Value(314_572.8),
    ),
    Goal(
        "idle worker, spawn",
        "0.3 MiB (USS)",
        At("idle-memory", "procession worker, spawn"),
        Value(314_572.8),
    ),
    Goal(
        "idle pool of eight",
        "no wake-up but the clock's one",
        At("idle-switches", "procession, 8 workers"),
        Value(1.0),
    ),
    Goal(
        "five 1 s tasks on four workers",
        "2.010 s: 1.005 x two sleeps",
        At("five-sleeps", "procession, 4 workers"),
        Times(1.005, At("five-sleeps", "two sleeps, one after the other")),
    ),
    Goal(
        "kernel: Mandelbrot",
        "1.02 x rayon",
        At("kernel-mandelbrot", MAP),
        Times(1.02, At("kernel-mandelbrot", RAYON_KERNEL)),
    ),
    Goal(
        "kernel: n-body",
        "1.02 x rayon",
        At("kernel-n-body", MAP),
        Times(1.02, At("kernel-n-body", RAYON_KERNEL)),
    ),
];

/// What threads, more workers than cores, skewed tasks and full queues may cost.
pub(super) const LOADS: &[Goal] = &[
    Goal(
        "threads: tiny tasks, one",
        "rayon spawn, one thread",
        At("throughput", "procession apply_async, 1 thread"),
        Times(1.0, At("throughput", "rayon spawn, 1 thread")),
    ),
    Goal(
        "threads: tiny tasks, two",
        "rayon spawn, two threads",
        At("throughput", "procession apply_async, 2 threads"),
        Times(1.0, At("throughput", "rayon spawn, 2 threads")),
    ),
    Goal(
        "threads: round trip, warm",
        "rayon install",
        At("round-trip-warm", "procession apply, 1 thread"),
        Times(1.0, At("round-trip-warm", "rayon install")),
    ),
    Goal(
        "threads: kernel, n-body",
        "1.02 x rayon",
        At("kernel-n-body", "procession map, threads"),
        Times(1.02, At("kernel-n-body", RAYON_KERNEL)),
    ),
    Goal(
        "eight workers, round trip",
        "2 x two workers",
        At("round-trip-warm", "procession apply, 8 workers"),
        Times(2.0, At("round-trip-warm", TWO)),
    ),
    Goal(
        "eight workers, tiny tasks",
        "2 x two workers",
        At("throughput", TASKS_8),
        Times(2.0, At("throughput", TASKS_2)),
    ),
    Goal(
        "eight workers, tiny tasks from four threads",
        "2 x two workers",
        At("throughput-4-threads", TASKS_8),
        Times(2.0, At("throughput-4-threads", TASKS_2)),
    ),
    Goal(
        "eight workers, map",
        "2 x two workers",
        At("map", "procession map, 8 workers"),
        Times(2.0, At("map", "procession map, 2 workers")),
    ),
    Goal(
        "eight workers, map in chunks of one",
        "2 x two workers",
        At("map-chunks-of-1", "procession map, 8 workers, chunksize 1"),
        Times(2.0, At("map-chunks-of-1", "procession map, 2 workers, chunksize 1")),
    ),
    Goal(
        "eight workers, imap_unordered",
        "2 x two workers",
        At("imap-unordered", "procession imap_unordered, 8 workers"),
        Times(2.0, At("imap-unordered", "procession imap_unordered, 2 workers")),
    ),
    Goal("skewed, long ones last", "1.03 x the best", At("skewed-long-last", SKEWED), Value(1.03)),
    Goal(
        "skewed, long ones first",
        "1.03 x the best",
        At("skewed-long-first", SKEWED),
        Value(1.03),
    ),
    Goal(
        "skewed, at random",
        "1.03 x the best in that order",
        At("skewed-random", "procession, 4 workers"),
        Value(1.03),
    ),
    Goal(
        "a million waiting: submitting",
        "as with none",
        At("queued-submit", "procession apply_async, a million wait"),
        Times(SAME, At("queued-submit", "procession apply_async, none waits")),
    ),
    Goal(
        "a million waiting: throughput",
        "as with a thousand",
        At("queued-throughput", "procession, one in and one out, a million outstanding"),
        Times(SAME, At("queued-throughput", "procession, one in and one out, 1000 outstanding")),
    ),
    Goal(
        "after a million: throughput",
        "as before",
        At("queued-throughput", "procession, bursts of 100,000, after a million at once"),
        Times(SAME, At("queued-throughput", "procession, bursts of 100,000, before")),
    ),
    Goal(
        "a million waiting: round trip of another pool",
        "as before",
        At("queued-round-trip", "procession apply, a million wait in another pool"),
        Times(SAME, At("queued-round-trip", "procession apply, before")),
    ),
    Goal(
        "a million done, not taken: round trip",
        "as before",
        At("queued-round-trip", "procession apply, a million are done and not taken"),
        Times(SAME, At("queued-round-trip", "procession apply, before")),
    ),
    Goal(
        "after a million: round trip",
        "as before",
        At("queued-round-trip", "procession apply, after a million"),
        Times(SAME, At("queued-round-trip", "procession apply, before")),
    ),
    Goal(
        "memory of a waiting task",
        "bounded; the figure",
        At("queued-memory", "procession apply_async, with its handle"),
        Shown,
    ),
];
