//! What users hand in to be called or dropped by a pool: wakers that come straight back, and wakers that
//! panic.

use procession::{AsyncResult, Event, Pool};
use procession_testing::{Harness, Layout, block_on, layouts};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

layouts! {
    a_waker_that_is_dropped_may_use_its_pool
    a_waker_that_panics_keeps_nobody_else_from_being_woken
    a_pool_that_is_terminated_wakes_everybody
    a_pool_may_end_in_a_waker
}

/// A waker that owns what a runtime's does: the results that its task waits for. It asks the pool
/// something whenever it is woken or dropped.
struct Owner {
    pool: Arc<Pool>,
    held: Mutex<Option<AsyncResult<()>>>,
    asked: Arc<AtomicUsize>,
}

impl Owner {
    fn ask(&self) {
        let ours = self.pool.apply_async(|| 7, ());
        assert!(self.pool.stats().submitted > 0);
        drop(ours);
        self.asked.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wake for Owner {
    fn wake(self: Arc<Self>) {
        self.ask();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.ask();
        drop(self.held.lock().unwrap().take());
    }
}

/// Polls once; the result must not be there yet.
fn poll_once<R>(result: &mut AsyncResult<R>, waker: &Waker) {
    let poll = Pin::new(result).poll(&mut Context::from_waker(waker));
    assert!(poll.is_pending());
}

fn a_waker_that_is_dropped_may_use_its_pool(layout: Layout) {
    let _harness = Harness::start("wakers that own results", LIMIT);
    let pool = Arc::new(layout.pool(1));
    let gate = Event::new().unwrap();
    let wait = |gate: Event| gate.wait();
    let asked = Arc::new(AtomicUsize::new(0));
    let owner = |held| -> Waker {
        let held = Mutex::new(held);
        Arc::new(Owner { pool: pool.clone(), held, asked: asked.clone() }).into()
    };
    let mut first = pool.apply_async(wait, (gate.clone(),));
    let mut second = pool.apply_async(wait, (gate.clone(),));
    let mut third = pool.apply_async(wait, (gate.clone(),));
    poll_once(&mut second, &owner(None));
    // Replaced by another, and dropped with the result that it owns.
    poll_once(&mut first, &owner(Some(second)));
    poll_once(&mut first, &owner(None));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // Dropped with the result that was polled.
    drop(first);
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    // Woken, and dropped then.
    poll_once(&mut third, &owner(None));
    gate.set();
    third.wait();
    block_on(pool.apply_async(|| (), ())).unwrap();
    while asked.load(Ordering::SeqCst) < 5 {
        std::thread::yield_now();
    }
    pool.close();
    pool.join().unwrap();
}

/// Panics when it is woken.
struct Grumpy;

impl Wake for Grumpy {
    fn wake(self: Arc<Self>) {
        panic!("do not disturb");
    }
}

fn a_waker_that_panics_keeps_nobody_else_from_being_woken(layout: Layout) {
    let _harness = Harness::start("wakers that panic", LIMIT);
    let pool = layout.pool(2);
    let gate = Event::new().unwrap();
    let wait = |gate: Event| gate.wait();
    let results: Vec<_> = (0..8)
        .map(|_| {
            let mut grumpy = pool.apply_async(wait, (gate.clone(),));
            poll_once(&mut grumpy, &Arc::new(Grumpy).into());
            (grumpy, pool.apply_async(wait, (gate.clone(),)))
        })
        .collect();
    gate.set();
    // Nobody waits but by being woken.
    for (grumpy, quiet) in results {
        block_on(quiet).unwrap();
        block_on(grumpy).unwrap();
    }
    pool.close();
    let error = pool.join().unwrap_err();
    assert_eq!(error.panic_message(), Some("do not disturb"));
}

fn a_pool_that_is_terminated_wakes_everybody(layout: Layout) {
    let _harness = Harness::start("wakers of a terminated pool", LIMIT);
    let pool = layout.pool(1);
    let gate = Event::new().unwrap();
    let wait = |gate: Event| gate.wait();
    let running = pool.apply_async(wait, (gate.clone(),));
    let mut results: Vec<_> = (0..20).map(|_| pool.apply_async(wait, (gate.clone(),))).collect();
    for result in &mut results {
        poll_once(result, &Arc::new(Grumpy).into());
    }
    std::thread::scope(|scope| {
        // A thread cannot be ended; what it runs ends when the gate opens.
        let terminate = scope.spawn(|| pool.terminate());
        results.last().unwrap().wait();
        gate.set();
        terminate.join().unwrap();
    });
    running.wait();
    assert!(results.into_iter().all(|result| result.get().is_err_and(|e| e.is_terminated())));
}

/// Ends its pool when it is dropped: nobody else has that any more.
struct Last {
    pool: Mutex<Option<Pool>>,
    says: std::sync::mpsc::Sender<()>,
}

impl Wake for Last {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Last {
    fn drop(&mut self) {
        // In a waker, wherever that is: on the pool's own thread, if nobody waits.
        let pool = self.pool.lock().unwrap().take();
        if let Some(pool) = &pool {
            pool.close();
            // It would wait for itself, or has nothing to wait for.
            drop(pool.join());
        }
        drop(pool);
        let _ = self.says.send(());
    }
}

fn a_pool_may_end_in_a_waker(layout: Layout) {
    let _harness = Harness::start("wakers that end their pool", LIMIT);
    for _ in 0..5 {
        let pool = layout.pool(2);
        let pids = pool.worker_pids();
        let gate = Event::new().unwrap();
        let mut result = pool.apply_async(|gate: Event| gate.wait(), (gate.clone(),));
        let (says, said) = std::sync::mpsc::channel();
        let others = pool.apply_async(|gate: Event| gate.wait(), (gate.clone(),));
        let waker: Waker = Arc::new(Last { pool: Mutex::new(Some(pool)), says }).into();
        poll_once(&mut result, &waker);
        drop(waker);
        gate.set();
        said.recv().unwrap();
        result.get().unwrap();
        // It was in time, or not.
        drop(others.get());
        procession_testing::wait_for("the end of the workers", LIMIT, || {
            pids.iter().all(|pid| !procession_testing::send(pid.cast_signed(), 0))
        });
    }
}
