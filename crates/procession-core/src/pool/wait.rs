//! Waiting for outcomes: leader and followers.
//!
//! Of the threads that wait, one leads: it collects responses from all lanes, spins a little when
//! that pays, and sleeps on all lanes' wait words at once. The others park until their own outcome
//! has arrived or the leader leaves. So nothing stands between a response and the thread that wants
//! it, and there are no more wake-ups than outcomes.

use super::inner::Inner;
use super::shared::{Locked, Shared};
use crate::rest::{self, time_left};
use crate::task::{Batch, Subscribers, TaskCell};
use procession_ipc::lane::LaneWatch;
use procession_ipc::primitive::Ordering;
use procession_ipc::spin::Spin;
use std::sync::Arc;
use std::task::Waker;
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Something that a thread can wait for.
pub trait Waitable {
    /// Whether the wait is over.
    fn is_over(&self) -> bool;

    /// Changes who is told when it is over; `false`, with nothing changed, when it is over already.
    fn subscribe(&self, change: &mut dyn FnMut(&mut Subscribers)) -> bool;

    /// Has the current thread unparked when it is over; `false` when it is over already.
    fn subscribe_thread(&self) -> bool {
        self.subscribe(&mut |subscribers| subscribers.add_current_thread())
    }

    /// Takes [`subscribe_thread`](Self::subscribe_thread) back.
    fn unsubscribe_thread(&self) {
        self.subscribe(&mut |subscribers| subscribers.remove_current_thread());
    }

    /// Has the waker, or none, woken when it is over, in the place of the one before, which is then here;
    /// `false`, with nothing changed, when it is over already. What is here is dropped by the caller, with
    /// no lock held: that runs the user's code.
    fn swap_waker(&self, waker: &mut Option<Waker>) -> bool {
        self.subscribe(&mut |subscribers| *waker = subscribers.replace_waker(waker.take()))
    }
}

impl Waitable for TaskCell {
    fn is_over(&self) -> bool {
        self.is_done()
    }

    fn subscribe(&self, change: &mut dyn FnMut(&mut Subscribers)) -> bool {
        Self::subscribe(self, change)
    }
}

impl Waitable for Batch {
    fn is_over(&self) -> bool {
        self.has_news()
    }

    fn subscribe(&self, change: &mut dyn FnMut(&mut Subscribers)) -> bool {
        self.subscribe_news(change)
    }
}

/// Every item of a batch having its outcome, delivered or not.
#[derive(Debug)]
pub struct Whole<'a>(pub &'a Batch);

impl Waitable for Whole<'_> {
    fn is_over(&self) -> bool {
        self.0.is_done()
    }

    fn subscribe(&self, change: &mut dyn FnMut(&mut Subscribers)) -> bool {
        self.0.subscribe_whole(change)
    }
}

/// What a thread waits for.
#[derive(Clone, Copy)]
pub(super) enum Goal<'a> {
    /// An outcome.
    Outcome(&'a dyn Waitable),
    /// The pool having nothing queued and nothing running.
    Drained,
}

impl Goal<'_> {
    fn is_over(&self, inner: &Inner) -> bool {
        match self {
            Self::Outcome(goal) => goal.is_over(),
            Self::Drained => inner.is_idle(),
        }
    }
}

/// Who leads, and who would.
#[derive(Debug, Default)]
pub(super) struct Leadership {
    /// A thread waits and collects.
    pub(super) is_taken: bool,
    /// Threads that wait without collecting.
    followers: Vec<Thread>,
    /// Whether spinning has paid for leaders.
    spin: Spin,
}

impl Leadership {
    /// Wakes a follower to lead, if nobody does.
    fn appoint(&mut self) {
        if !self.is_taken
            && let Some(follower) = self.followers.pop()
        {
            rest::unpark(&follower);
        }
    }
}

impl Shared {
    /// Waits until `goal` is over or the deadline has passed; `true` when it is over. Woken by the
    /// outcome, however it comes about: a response, a death, the end of the pool.
    pub(super) fn wait_until(&self, goal: Goal<'_>, deadline: Option<Instant>) -> bool {
        if let Goal::Outcome(outcome) = goal
            && outcome.is_over()
        {
            return true;
        }
        loop {
            let mut inner = self.lock();
            if goal.is_over(&inner) {
                return true;
            }
            if time_left(deadline).is_some_and(|left| left.is_zero()) {
                return false;
            }
            if inner.leadership.is_taken {
                inner.leadership.followers.push(std::thread::current());
                drop(inner);
                self.follow(goal, deadline);
            } else {
                self.lead(inner, goal, deadline);
            }
        }
    }

    fn follow(&self, goal: Goal<'_>, deadline: Option<Instant>) {
        if self.subscribe_thread(goal) {
            rest::park(time_left(deadline));
            self.unsubscribe_thread(goal);
        }
        let current = std::thread::current().id();
        let mut inner = self.lock();
        inner.leadership.followers.retain(|thread| thread.id() != current);
        if goal.is_over(&inner) {
            // If this thread was appointed meanwhile, somebody else must lead.
            inner.leadership.appoint();
        }
    }

    fn subscribe_thread(&self, goal: Goal<'_>) -> bool {
        match goal {
            Goal::Outcome(outcome) => outcome.subscribe_thread(),
            Goal::Drained => {
                let mut inner = self.lock();
                let busy = !inner.is_idle();
                if busy {
                    inner.drain_waiters.add_current_thread();
                }
                busy
            }
        }
    }

    fn unsubscribe_thread(&self, goal: Goal<'_>) {
        match goal {
            Goal::Outcome(outcome) => outcome.unsubscribe_thread(),
            Goal::Drained => self.lock().drain_waiters.remove_current_thread(),
        }
    }

    /// Collects until the goal is over or the deadline has passed. Nobody else leads meanwhile.
    fn lead<'a>(&'a self, mut inner: Locked<'a>, goal: Goal<'_>, deadline: Option<Instant>) {
        inner.leadership.is_taken = true;
        inner.is_attended = false;
        self.even_out(&mut inner);
        let mut spin = inner.leadership.spin;
        let mut watches = inner.watches.clone();
        // A worker that was just woken may need this very processor.
        let mut may_spin = inner.has_worker_awake();
        loop {
            // Read under the lock, under which outcomes are settled: whatever comes later moves it.
            let seen = self.leader.seen();
            drop(inner);
            let news =
                || watches.iter().any(|watch| watch.has_responses()) || self.leader.seen() != seen;
            if !(may_spin && spin.wait(news)) {
                self.sleep_as_leader(&watches, seen, time_left(deadline));
            }
            may_spin = true;
            inner = self.lock();
            self.collect(&mut inner);
            inner.settled = false;
            if goal.is_over(&inner) || time_left(deadline).is_some_and(|left| left.is_zero()) {
                break;
            }
            if !Arc::ptr_eq(&watches, &inner.watches) {
                watches = inner.watches.clone();
            }
        }
        inner.leadership.spin = spin;
        inner.leadership.is_taken = false;
        self.watch_for_stalls(&mut inner);
        if self.arrange_bells(&mut inner) {
            self.collect(&mut inner);
        }
        inner.settled = false;
        inner.leadership.appoint();
    }

    fn sleep_as_leader(&self, watches: &[Arc<LaneWatch>], seen: u32, timeout: Option<Duration>) {
        self.leader.set_asleep(true);
        // Each sleep is on the value that its flag names, and no later one: another thread may take
        // responses in between, and a worker wakes a sleep only once.
        let words: Vec<_> =
            watches.iter().map(|watch| (watch.response_word(), watch.raise_leader())).collect();
        if words.iter().all(|(word, seen)| word.load(Ordering::Acquire) == *seen) {
            rest::wait_any(self.leader.word(), seen, words.into_iter(), timeout);
        }
        for watch in watches {
            watch.lower_leader();
        }
        self.leader.set_asleep(false);
    }
}
