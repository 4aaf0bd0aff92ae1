//! Results that are large, taken late, taken in another order, or never.

use crate::world::World;
use std::fs;
use std::io::Write;

/// More than any pipe holds.
const LARGE: usize = 1 << 20;

fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

fn make(fill: u8, length: usize) -> Vec<u8> {
    vec![fill; length]
}

fn add(x: u64) -> u64 {
    x + 1
}

fn note(path: String) {
    let file = fs::OpenOptions::new().append(true).open(path);
    file.expect("the note can be opened").write_all(b".").expect("the note can be written");
}

/// Neither side may wait for the other to read what it has to say.
pub(crate) fn three_large_tasks_for_two_workers(world: World) {
    world.leaves_nothing(|| {
        let pool = world.pool(2);
        let tasks = [1, 2, 3].map(|fill| pool.apply_async(echo, (vec![fill; LARGE],)));
        for (fill, task) in (1..).zip(tasks) {
            assert!(task.get().expect("a result") == vec![fill; LARGE], "result {fill}");
        }
        pool.close();
        pool.join().expect("nothing has failed");
    });
}

/// The first must not be in the second's way, be they small or large.
pub(crate) fn the_second_result_first(world: World) {
    world.leaves_nothing(|| {
        let pool = world.pool(1);
        for length in [1, LARGE, 16 * LARGE] {
            let first = pool.apply_async(make, (1, length));
            let second = pool.apply_async(make, (2, length));
            assert!(second.get().expect("a result") == vec![2; length], "second of {length}");
            assert!(first.get().expect("a result") == vec![1; length], "first of {length}");
        }
    });
}

/// `join` waits for the tasks and not for their readers, who find the results afterwards.
pub(crate) fn join_with_results_unread(world: World) {
    world.leaves_nothing(|| {
        let pool = world.pool(2);
        let tasks: Vec<_> = (0..40).map(|fill| pool.apply_async(make, (fill, LARGE))).collect();
        let map = pool.map_async(add, 0..10_000);
        pool.close();
        pool.join().expect("nothing has failed");
        for (fill, task) in (0..).zip(tasks) {
            assert!(task.get().expect("a result") == vec![fill; LARGE], "result {fill}");
        }
        assert!(map.get().expect("results").into_iter().eq(1..=10_000));
    });
}

/// Fire and forget runs all.
pub(crate) fn every_handle_dropped(world: World) {
    let path = std::env::temp_dir().join(format!("procession-plain-{}", std::process::id()));
    fs::write(&path, "").expect("a note");
    let name = path.display().to_string();
    world.leaves_nothing(|| {
        let pool = world.pool(2);
        for _ in 0..1000 {
            drop(pool.apply_async(note, (name.clone(),)));
        }
        drop(pool.map_async(note, vec![name.clone(); 1000]));
        pool.close();
        pool.join().expect("nothing has failed");
    });
    let ran = fs::metadata(&path).expect("it is there").len();
    fs::remove_file(&path).expect("it is ours");
    assert_eq!(ran, 2000, "tasks that ran");
}

/// Tasks cost no descriptors, however many wait.
pub(crate) fn few_descriptors(world: World) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call fills in the limit.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    limit.rlim_cur = 256;
    // SAFETY: the call reads the limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    world.leaves_nothing(|| {
        let pool = world.pool(2);
        let descriptors = || fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        let before = descriptors();
        let tasks: Vec<_> = (0..100_000).map(|x| pool.apply_async(add, (x,))).collect();
        // Fewer are fine: starting the workers needs some for a while.
        assert!(descriptors() <= before);
        for (x, task) in (0..).zip(tasks) {
            assert_eq!(task.get().expect("a result"), x + 1);
        }
        pool.close();
        pool.join().expect("nothing has failed");
    });
}
