//! The pool of threads: who sleeps, and who is woken.

#[path = "../../procession-core/src/threads/sleep.rs"]
mod sleep;

use primitive::{AtomicBool, AtomicU32, Ordering, fence};
use sleep::Sleep;
use std::sync::Arc;

/// What the file finds in its own crate.
mod engine {
    #[derive(Debug)]
    pub(super) struct Padded<T>(pub(super) T);
}

/// Loom's for the file's own.
mod primitive {
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
    pub(super) use loom::thread::{Thread, current as current_thread, park};

    #[derive(Debug)]
    pub(super) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(super) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(super) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("nothing panics in a model that holds")
        }
    }

    #[derive(Debug)]
    pub(super) struct OnceLock<T>(loom::sync::Mutex<Option<T>>);

    impl<T> Default for OnceLock<T> {
        fn default() -> Self {
            Self(loom::sync::Mutex::new(None))
        }
    }

    impl<T: Clone> OnceLock<T> {
        pub(super) fn get_or_init(&self, make: impl FnOnce() -> T) {
            self.0.lock().expect("nothing panics in a model that holds").get_or_insert_with(make);
        }

        pub(super) fn get(&self) -> Option<T> {
            self.0.lock().expect("nothing panics in a model that holds").clone()
        }
    }
}

/// An engine whose queue is a number. Its accesses are as weak as can be: only the protocol's fences
/// stand between a lost wake-up and the threads, and loom calls that a deadlock.
struct Engine {
    sleep: Sleep,
    queued: AtomicU32,
    begun: AtomicU32,
    ended: AtomicU32,
    stop: AtomicBool,
}

impl Engine {
    fn push(&self) {
        self.queued.fetch_add(1, Ordering::Relaxed);
        self.sleep.notify();
    }

    fn has_queued(&self) -> bool {
        self.queued.load(Ordering::Relaxed) > 0
    }

    fn pop(&self) -> bool {
        let less = |queued: u32| queued.checked_sub(1);
        self.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.sleep.wake_all();
    }

    /// As `Engine::next` of the crate, without spinning.
    fn next(&self, place: usize) -> bool {
        let mut is_searching = false;
        loop {
            if self.is_stopping() {
                if is_searching {
                    self.sleep.end_search(|| false);
                }
                return false;
            }
            if self.pop() {
                if is_searching {
                    self.sleep.end_search(|| self.has_queued());
                }
                return true;
            }
            if !is_searching {
                is_searching = self.sleep.begin_search();
            }
            let has_work = || self.has_queued() || self.is_stopping();
            self.sleep.sleep(place, is_searching, has_work);
            is_searching = true;
        }
    }

    /// Runs tasks, each of which waits until `together` have begun; the thread that runs the last of
    /// all ends the pool.
    fn run(&self, place: usize, tasks: u32, together: u32) {
        self.sleep.move_in(place);
        while self.next(place) {
            self.begun.fetch_add(1, Ordering::Relaxed);
            while self.begun.load(Ordering::Relaxed) < together {
                loom::thread::yield_now();
            }
            if self.ended.fetch_add(1, Ordering::Relaxed) + 1 == tasks {
                self.stop();
            }
        }
    }
}

/// So many threads run so many tasks that one other submits, and end. The first `together` tasks meet.
fn all_tasks_run(threads: usize, tasks: u32, together: u32) {
    loom::model(move || {
        let engine = Arc::new(Engine {
            sleep: Sleep::new(threads),
            queued: AtomicU32::new(0),
            begun: AtomicU32::new(0),
            ended: AtomicU32::new(0),
            stop: AtomicBool::new(false),
        });
        let threads: Vec<_> = (0..threads)
            .map(|place| {
                let engine = engine.clone();
                loom::thread::spawn(move || engine.run(place, tasks, together))
            })
            .collect();
        for _ in 0..tasks {
            engine.push();
        }
        for thread in threads {
            thread.join().expect("no thread panics");
        }
        assert!(!engine.sleep.has_idle(), "who searches or sleeps is counted to the end");
    });
}

#[test]
fn one_thread_wakes_for_every_task() {
    all_tasks_run(1, 1, 1);
    all_tasks_run(1, 2, 1);
    all_tasks_run(1, 3, 1);
}

#[test]
fn two_threads_share_a_task() {
    all_tasks_run(2, 1, 1);
}

#[test]
fn two_threads_share_two_tasks() {
    all_tasks_run(2, 2, 1);
}

#[test]
fn a_task_that_blocks_does_not_keep_the_next_from_another_thread() {
    all_tasks_run(2, 2, 2);
}
