//! What a handle sees of a task or a map, and how a thread waits for it.

use super::{Threads, worker};
use crate::error::Result;
use crate::task::Subscribers;
use procession_ipc::spin::Spin;
use std::cell::RefCell;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

thread_local! {
    /// Whether it pays this thread to spin before it sleeps.
    static SPIN: RefCell<Spin> = RefCell::new(worker::fresh_spin());
}

/// Something that will be over.
pub trait Goal: Send + Sync {
    /// Whether it is over.
    fn is_over(&self) -> bool;

    /// Changes who is told when it is over; `false`, with nothing changed, when it is over already.
    fn subscribe(&self, change: &mut dyn FnMut(&mut Subscribers)) -> bool;

    /// Runs a part of it on this thread, if this thread is one of its pool and a part is left that
    /// nobody has begun; `false` if not.
    fn help(self: Arc<Self>) -> bool;
}

/// The outcome of a task, or of a whole map, that gives an `R`.
pub trait Outcome<R>: Goal {
    /// Takes the outcome; `None` before it is there and after it was taken.
    fn take(&self) -> Option<Result<R>>;

    /// Fails what nobody has begun, for it was cancelled; `false` when there is nothing. With `running`, asks
    /// items that run to stop.
    fn cancel(&self, pool: &Threads, running: bool) -> bool;

    /// Whether it is a value; `None` before it is there.
    fn succeeded(&self) -> Option<bool>;
}

/// A map whose items come and whose results go one by one.
pub trait Deliveries<A, R>: Goal {
    /// Pushes items and lets the threads know; `is_last` says that no more will come.
    ///
    /// # Errors
    /// When the pool takes no more. They have failed then.
    fn push(self: Arc<Self>, pool: &Threads, items: Vec<A>, is_last: bool) -> Result<()>;

    /// Nobody wants the rest: what nobody has begun never runs.
    fn abandon(&self, pool: &Threads);

    /// Takes what came back next.
    fn take_delivery(&self) -> Option<super::Delivery<R>>;

    /// Nanoseconds that an item takes, as measured; `None` before the first came back.
    fn item_ns(&self) -> Option<f64>;
}

/// Waits until `goal` is over or the deadline has passed; `true` when it is over. Woken by the
/// outcome. Without a deadline, a thread of the goal's pool runs what nobody has begun instead of
/// waiting for it; with one it does not, since it could not stop in time.
pub fn wait_until<G: Goal + ?Sized>(goal: &Arc<G>, deadline: Option<Instant>) -> bool {
    loop {
        if goal.is_over() {
            return true;
        }
        if deadline.is_none() && worker::is_one() && goal.clone().help() {
            continue;
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return false;
        }
        let spun = SPIN.try_with(|spin| {
            // Borrowed only if a wait is inside of another, which none is.
            spin.try_borrow_mut().is_ok_and(|mut spin| spin.wait(|| goal.is_over()))
        });
        if !spun.unwrap_or(false) {
            park(&**goal, left);
        }
    }
}

fn park<G: Goal + ?Sized>(goal: &G, left: Option<Duration>) {
    if goal.subscribe(&mut |subscribers| subscribers.add_current_thread()) {
        match left {
            Some(left) => std::thread::park_timeout(left),
            None => std::thread::park(),
        }
        goal.subscribe(&mut |subscribers| subscribers.remove_current_thread());
    }
}

/// Has `waker` woken when `goal` is over; `false` when it is over already.
pub fn poll<G: Goal + ?Sized>(goal: &G, waker: &Waker) -> bool {
    // Cloned before the goal's lock is taken, and the one before dropped after it is given up.
    let mut waker = Some(waker.clone());
    goal.subscribe(&mut |subscribers| waker = subscribers.replace_waker(waker.take()))
}

/// Takes [`poll`] back.
pub fn stop_polling<G: Goal + ?Sized>(goal: &G) {
    let mut waker = None;
    goal.subscribe(&mut |subscribers| waker = subscribers.replace_waker(None));
    drop(waker);
}
