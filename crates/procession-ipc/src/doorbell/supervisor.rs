//! When a worker wakes the supervisor, who has no wait word that moves by itself.

use super::{Bell, settle};
use crate::primitive::Ordering;
use crate::segment::Segment;

/// When the worker shall wake the supervisor: a word in the parent's segment.
///
/// | bits | meaning |
/// |---|---|
/// | 32..64 | 0 never, 1 once it has read the request ring up to the position, 2 after every frame |
/// | 0..32 | the position, in slots |
///
/// The parent stores it, fences and looks at the lane once more; the worker publishes a response,
/// fences and loads it. So either the parent sees the response or the worker sees the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BellRequest {
    /// Nobody needs to come.
    Never,
    /// Once the worker has read up to this position of the request ring.
    At(u32),
    /// After every frame.
    Always,
}

impl BellRequest {
    /// The word.
    pub fn to_word(self) -> u64 {
        match self {
            Self::Never => 0,
            Self::At(position) => 1 << 32 | u64::from(position),
            Self::Always => 2 << 32,
        }
    }

    /// Publishes the request at `at`; the caller looks at the lane afterwards.
    pub fn publish(self, own: &Segment, at: usize) {
        own.word64(at).store(self.to_word(), Ordering::Relaxed);
        settle();
    }

    /// Whether a worker that has read up to `position` and last answered `answered` shall come;
    /// gives the word to remember as answered.
    ///
    /// A request that was answered and is made again needs no answer: everything up to its position
    /// was published before the first, and the parent's second look sees it.
    pub fn due(word: u64, position: u32, answered: u64) -> Option<u64> {
        match word >> 32 {
            2 => Some(0),
            1 if word != answered && (position.wrapping_sub(word as u32) as i32) >= 0 => Some(word),
            _ => None,
        }
    }
}

/// The worker's half: a counter that moves whenever the supervisor is called.
#[derive(Debug)]
pub struct SupervisorBell {
    urgent_at: usize,
    request_at: usize,
    bell: Bell,
    answered: u64,
}

impl SupervisorBell {
    /// Counts calls at `urgent_at` of our segment, for a supervisor whose sleep flag and request are
    /// at these places of the parent's.
    pub fn new(urgent_at: usize, flag_at: usize, request_at: usize) -> Self {
        Self { urgent_at, request_at, bell: Bell::new(urgent_at, flag_at), answered: 0 }
    }

    /// Calls the supervisor if it asked for that, now that the request ring has been read up to
    /// `position`. What there is to see was stored and [`settle`] called before.
    #[inline]
    pub fn call_if_due(&mut self, own: &Segment, peer: &Segment, position: u32) {
        let word = peer.word64(self.request_at).load(Ordering::Relaxed);
        if word != 0
            && let Some(answered) = BellRequest::due(word, position, self.answered)
        {
            self.answered = answered;
            self.call(own, peer);
        }
    }

    /// Makes the supervisor look at the lane, asked or not.
    pub fn call(&mut self, own: &Segment, peer: &Segment) {
        let urgent = own.word32(self.urgent_at);
        // ORDER(urgent): releases what there is to see; the supervisor acquires it.
        urgent.store(urgent.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        settle();
        self.bell.wake_if_asleep(own, peer);
    }
}
