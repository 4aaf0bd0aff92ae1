//! Waking a side that sleeps, and only then.
//!
//! A doorbell has two words. The *wait word* belongs to the waker and moves whenever there is
//! something to see (a tail, a head, a counter). The *sleep flag* belongs to the sleeper:
//!
//! | bits of the flag | meaning |
//! |---|---|
//! | 0..32 | number of the sleep: odd while it lasts or is about to begin, even while awake |
//! | 32..64 | the wait word that the sleeper saw, and on which it would sleep |
//!
//! | sleeper | waker |
//! |---|---|
//! | S1 store flag = (odd, seen) | W1 store the wait word |
//! | S2 fence | W2 fence |
//! | S3 load the wait word; if it is not `seen`, do not sleep | W3 load the flag; if odd, W4 futex wake |
//! | S5 futex wait while the word is `seen` | |
//! | S6 store flag = even | |
//!
//! No wake-up is lost. The two fences are ordered one way or the other. If S2 comes first, W3 sees
//! the odd flag and the waker wakes: either the sleeper sleeps already, or its futex wait finds the
//! word of W1 and returns. If W2 comes first, S3 sees the word of W1 and the sleeper does not sleep.
//! (`ORDER(doorbell)` marks both fences.)
//!
//! A waker wakes each sleep once. It may do so only because it compares its word with `seen`: a
//! futex wake that came before S5 with the word still `seen` would wake nobody, and to skip the
//! next one then would leave the sleeper asleep. Once the word has moved beyond `seen`, S5 returns
//! by itself, and every further wake of that sleep is superfluous. Hence the rule for sleepers: S3
//! and S5 use the very `seen` of S1, even if by then the sleeper could know better.
//!
//! A sleep is known to the waker by the whole flag. Another sleep has the same flag only after 2^31
//! sleeps between which the word went round to the same value; that is taken not to happen.
//!
//! | who dies after | what follows |
//! |---|---|
//! | sleeper, S1 to S5 | the waker makes one system call in vain for each sleep number |
//! | waker, W1 to W3 | the sleeper may sleep on: the exit watch wakes it |

mod supervisor;
#[cfg(test)]
mod tests;

use crate::primitive::{Ordering, fence};
use crate::segment::Segment;
use std::time::Duration;

pub use supervisor::{BellRequest, SupervisorBell};

/// The sleeper's half. Its flag is written by the sleeping side alone, one thread at a time.
#[derive(Debug, Clone, Copy)]
pub struct SleepFlag {
    at: usize,
}

impl SleepFlag {
    /// The flag at `at` in the sleeper's own segment.
    pub const fn new(at: usize) -> Self {
        Self { at }
    }

    fn step(self, own: &Segment, seen: u32) {
        let flag = own.word64(self.at);
        let number = (flag.load(Ordering::Relaxed) as u32).wrapping_add(1);
        flag.store(u64::from(seen) << 32 | u64::from(number), Ordering::Relaxed);
    }

    /// Says that this side is about to sleep while the wait word is `seen`. It must look at the
    /// wait word again afterwards, and [`lower`](Self::lower) the flag once awake.
    pub fn raise(self, own: &Segment, seen: u32) {
        self.step(own, seen);
        // ORDER(doorbell): the sleeper's fence, S2.
        fence(Ordering::SeqCst);
    }

    /// Says that this side is awake.
    pub fn lower(self, own: &Segment) {
        self.step(own, 0);
    }

    /// Whether the side whose segment this is sleeps, or is about to.
    #[inline]
    pub fn is_raised(self, own: &Segment) -> bool {
        own.word64(self.at).load(Ordering::Relaxed) % 2 == 1
    }

    /// Sleeps until the word at `word_at` of the peer's segment is not `seen` any more, or time is
    /// up.
    pub fn sleep(
        self,
        own: &Segment,
        peer: &Segment,
        word_at: usize,
        seen: u32,
        timeout: Option<Duration>,
    ) {
        self.raise(own, seen);
        if peer.word32(word_at).load(Ordering::Acquire) == seen {
            peer.wait(word_at, seen, timeout);
        }
        self.lower(own);
    }
}

/// The waker's half.
#[derive(Debug)]
pub struct Bell {
    word_at: usize,
    flag_at: usize,
    /// Flag of the sleep that was woken last; even, and so no sleep's, before the first.
    woken: u64,
}

impl Bell {
    /// Wakes the peer whose flag is at `flag_at` of its segment and that waits on `word_at` of ours.
    pub fn new(word_at: usize, flag_at: usize) -> Self {
        Self { word_at, flag_at, woken: 0 }
    }

    /// Wakes the peer if it sleeps and there is something that it has not seen. The wait word was
    /// stored and [`settle`] called before.
    #[inline]
    pub fn wake_if_asleep(&mut self, own: &Segment, peer: &Segment) {
        let flag = peer.word64(self.flag_at).load(Ordering::Relaxed);
        let (number, seen) = (flag as u32, (flag >> 32) as u32);
        if number.is_multiple_of(2) || flag == self.woken {
            return;
        }
        // This side is the word's only writer.
        if own.word32(self.word_at).load(Ordering::Relaxed) != seen {
            self.woken = flag;
            own.wake(self.word_at);
        }
    }
}

/// The waker's fence, between the store to a wait word and the look at a sleep flag. One serves all
/// bells that are looked at after it.
#[inline]
pub fn settle() {
    // ORDER(doorbell): the waker's fence, W2.
    fence(Ordering::SeqCst);
}
