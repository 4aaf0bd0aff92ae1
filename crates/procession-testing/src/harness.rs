//! What surrounds a test that starts processes.

use crate::leaks::Leaks;
use crate::watchdog::Watchdog;
use parking_lot::{Mutex, MutexGuard};
use procession::{Process, StartMethod};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Tests that count what the whole process holds run one at a time.
static ALONE: Mutex<()> = Mutex::new(());

thread_local! {
    /// How the children of this thread's test are made.
    static METHOD: Cell<Option<StartMethod>> = const { Cell::new(None) };
}

/// Runs a test whose children are made by this method.
pub fn by(method: StartMethod, test: impl FnOnce()) {
    METHOD.set(Some(method));
    test();
    METHOD.set(None);
}

/// Writes a module of the given name in which each of the given tests is one more test, whose children
/// are made by the given method.
#[macro_export]
macro_rules! again_by {
    ($method:ident in $module:ident: $($test:ident),+ $(,)?) => {
        mod $module {
            $(
                #[procession::test]
                fn $test() {
                    $crate::by(procession::StartMethod::$method, super::$test);
                }
            )+
        }
    };
}

/// Surrounds a test: it runs alone, under a watchdog, and leaves nothing behind.
#[derive(Debug)]
pub struct Harness {
    before: Leaks,
    _watchdog: Watchdog,
    _alone: MutexGuard<'static, ()>,
}

impl Harness {
    /// Starts a test that takes no longer than this, by far. Children are made as
    /// [`by`] says, or else as they are where nobody chooses.
    pub fn start(what: &'static str, limit: Duration) -> Self {
        let alone = ALONE.lock();
        procession::set_start_method(METHOD.get());
        // The launcher's thread, the template and their descriptors are made once and stay.
        let mut first = Process::new(|| (), ()).start_method(StartMethod::ForkServer);
        first.start().expect("a process starts");
        first.join().expect("a process ends");
        drop(first);
        Self { before: Leaks::count(), _watchdog: Watchdog::start(what, limit), _alone: alone }
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.before.assert_nothing_new();
        }
    }
}

/// Waits until a condition holds.
///
/// # Panics
/// When it does not within `limit`.
pub fn wait_for(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
