//! Waiting for outcomes: leader and followers.
//!
//! Of the threads that wait, one leads: it collects responses from all lanes, spins a little when
//! that pays, and sleeps on all lanes' wait words at once. The others park until their own outcome
//! has arrived or the leader leaves. So nothing stands between a response and the thread that wants
//! it, and there are no more wake-ups than outcomes.

use super::shared::Shared;
use crate::task::{Batch, Subscribers, TaskCell};
use parking_lot::Mutex;
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

    /// Has the waker woken when it is over: `None` when it is over already, `Some(true)` when there
    /// was no waker before.
    fn subscribe_waker(&self, waker: &Waker) -> Option<bool> {
        let mut is_first = false;
        self.subscribe(&mut |subscribers| is_first = subscribers.set_waker(waker))
            .then_some(is_first)
    }

    /// Forgets the waker; `true` when there was one.
    fn unsubscribe_waker(&self) -> bool {
        let mut had_one = false;
        self.subscribe(&mut |subscribers| had_one = subscribers.remove_waker());
        had_one
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

/// The pool having nothing queued and nothing running.
pub(super) struct Drained<'a>(pub(super) &'a Shared);

impl Waitable for Drained<'_> {
    fn is_over(&self) -> bool {
        self.0.lock().is_idle()
    }

    fn subscribe(&self, change: &mut dyn FnMut(&mut Subscribers)) -> bool {
        let mut inner = self.0.lock();
        let busy = !inner.is_idle();
        if busy {
            change(&mut inner.drain_waiters);
        }
        busy
    }
}

/// Who leads, and who would.
#[derive(Debug, Default)]
pub(super) struct Leadership {
    inner: Mutex<Candidates>,
    spin: Mutex<Spin>,
}

#[derive(Debug, Default)]
struct Candidates {
    taken: bool,
    followers: Vec<Thread>,
}

impl Leadership {
    /// Takes the lead, or joins the followers.
    fn try_take(&self) -> bool {
        let mut inner = self.inner.lock();
        if inner.taken {
            inner.followers.push(std::thread::current());
            return false;
        }
        inner.taken = true;
        true
    }

    /// Gives the lead up.
    fn give_up(&self) {
        self.inner.lock().taken = false;
        self.appoint();
    }

    /// Leaves the followers.
    fn leave(&self) {
        let current = std::thread::current().id();
        self.inner.lock().followers.retain(|thread| thread.id() != current);
    }

    /// Wakes a follower to lead, if nobody does.
    fn appoint(&self) {
        let mut inner = self.inner.lock();
        if !inner.taken
            && let Some(follower) = inner.followers.pop()
        {
            follower.unpark();
        }
    }
}

fn time_left(deadline: Option<Instant>) -> Option<Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
}

impl Shared {
    /// Waits until `goal` is over or the deadline has passed; `true` when it is over. Woken by the
    /// outcome, however it comes about: a response, a death, the end of the pool.
    pub(super) fn wait_until(&self, goal: &dyn Waitable, deadline: Option<Instant>) -> bool {
        loop {
            if goal.is_over() {
                return true;
            }
            if time_left(deadline).is_some_and(|left| left.is_zero()) {
                return false;
            }
            if self.leadership.try_take() {
                self.lead(goal, deadline);
                self.leadership.give_up();
            } else {
                self.follow(goal, deadline);
            }
        }
    }

    fn follow(&self, goal: &dyn Waitable, deadline: Option<Instant>) {
        if goal.subscribe_thread() {
            match time_left(deadline) {
                Some(left) => std::thread::park_timeout(left),
                None => std::thread::park(),
            }
            goal.unsubscribe_thread();
        }
        self.leadership.leave();
        if goal.is_over() {
            // If this thread was appointed meanwhile, somebody else must lead.
            self.leadership.appoint();
        }
    }

    fn lead(&self, goal: &dyn Waitable, deadline: Option<Instant>) {
        let mut spin = self.leadership.spin.lock();
        let mut watches = {
            let mut inner = self.lock();
            inner.leader_present = true;
            self.collect(&mut inner);
            inner.watches.clone()
        };
        while !goal.is_over() {
            let seen = self.leader.seen();
            let news = |watches: &[Arc<LaneWatch>]| {
                watches.iter().any(|watch| watch.has_responses()) || self.leader.seen() != seen
            };
            let left = time_left(deadline);
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            if !spin.wait(|| news(&watches)) && !goal.is_over() {
                self.sleep_as_leader(&watches, seen, left);
            }
            let mut inner = self.lock();
            self.collect(&mut inner);
            inner.settled = false;
            if !Arc::ptr_eq(&watches, &inner.watches) {
                watches = inner.watches.clone();
            }
        }
        let mut inner = self.lock();
        inner.leader_present = false;
        if self.arrange_bells(&mut inner) {
            self.collect(&mut inner);
        }
        inner.settled = false;
    }

    fn sleep_as_leader(&self, watches: &[Arc<LaneWatch>], seen: u32, timeout: Option<Duration>) {
        self.leader.set_asleep(true);
        // Each sleep is on the value that its flag names, and no later one: another thread may take
        // responses in between, and a worker wakes a sleep only once.
        let words: Vec<_> =
            watches.iter().map(|watch| (watch.response_word(), watch.raise_leader())).collect();
        if words.iter().all(|(word, seen)| word.load(Ordering::Acquire) == *seen) {
            wait_any(self.leader.word(), seen, words.into_iter(), timeout);
        }
        for watch in watches {
            watch.lower_leader();
        }
        self.leader.set_asleep(false);
    }
}

/// Longest sleep of a pool with more lanes than the system can wait for at once.
const CROWDED_NAP: Duration = Duration::from_millis(1);

/// Sleeps until one of the words is not as expected any more.
pub(super) fn wait_any<'a>(
    own: &'a procession_ipc::primitive::AtomicU32,
    seen: u32,
    others: impl Iterator<Item = (&'a procession_ipc::primitive::AtomicU32, u32)>,
    timeout: Option<Duration>,
) {
    let mut words: Vec<_> = std::iter::once((own, seen)).chain(others).collect();
    let mut timeout = timeout;
    if words.len() > procession_os::wait::WORDS_MAX {
        words.truncate(procession_os::wait::WORDS_MAX);
        timeout = Some(timeout.unwrap_or(CROWDED_NAP).min(CROWDED_NAP));
    }
    // Whatever ended it, the caller looks again.
    let _ = procession_os::wait::wait_any(&words, timeout);
}
