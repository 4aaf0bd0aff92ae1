//! Whether to spin before sleeping, learned from this side's own recent waits.
//!
//! Spinning wins a hundredfold when the peer answers from another, free processor, and loses
//! twentyfold when the peer needs this very processor to answer. Nothing tells the two apart but
//! experience: a spin that saw its answer in time raises the credit, one that ran out lowers it and
//! doubles the number of waits that sleep at once before spinning is tried again.

#[cfg(all(test, not(loom)))]
mod tests;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Longest spin, about what it costs to wake an idle processor.
const BUDGET: Duration = Duration::from_micros(50);
/// Waits that sleep at once after failures never exceed this.
const PAUSE_MAX: u32 = 256;
/// Looks between two readings of the clock.
const LOOKS_PER_CLOCK: u32 = 64;

/// Adaptive spinning of one side of a lane.
#[derive(Debug, Clone, Copy)]
pub struct Spin {
    pause: u32,
    pause_next: u32,
    /// Whether this process has more than one processor; `None` until somebody would spin.
    enabled: Option<bool>,
}

/// How many processors this process may use. It takes a dozen system calls to tell, so it is asked
/// once, and not by a child that has something to do.
pub fn processors() -> usize {
    static ANSWER: OnceLock<usize> = OnceLock::new();
    *ANSWER.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

impl Default for Spin {
    fn default() -> Self {
        Self::new()
    }
}

impl Spin {
    /// Spins at first where this process has more than one processor, never elsewhere.
    pub fn new() -> Self {
        Self { pause: 0, pause_next: 1, enabled: None }
    }

    /// Spins until `ready`, if experience says that it pays; `true` when it became ready. On
    /// `false` the caller sleeps.
    pub fn wait(&mut self, mut ready: impl FnMut() -> bool) -> bool {
        if !*self.enabled.get_or_insert_with(|| processors() > 1) {
            return false;
        }
        if self.pause > 0 {
            self.pause -= 1;
            return false;
        }
        // A short wait should not pay for a clock: the first looks do without.
        let mut start = None;
        loop {
            for _ in 0..LOOKS_PER_CLOCK {
                if ready() {
                    self.pause_next = (self.pause_next / 2).max(1);
                    return true;
                }
                crate::primitive::spin_hint();
            }
            if start.get_or_insert_with(Instant::now).elapsed() >= BUDGET {
                self.pause = self.pause_next;
                self.pause_next = (self.pause_next * 2).min(PAUSE_MAX);
                return false;
            }
        }
    }
}
