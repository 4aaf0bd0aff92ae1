//! How a task learns that it should stop.
//!
//! One word in the parent's segment names one call: the request's sequence (its low 32 bits) and, from 1,
//! the call's index in it; 0 names none. The parent alone writes it, when a call has had its time; the
//! call, or anything that it has started, reads it when it cares to. It protects nothing else, so it is
//! relaxed both ways: who reads an old word reads the new one a little later.
//!
//! | the parent dies | the worker sees |
//! |---|---|
//! | before the store | nothing; it dies with its parent |
//! | after it | its call is to stop, and it dies with its parent |

use crate::layout::a;
use crate::primitive::Ordering;
use crate::segment::Segment;
use std::sync::Arc;

/// Tells whether a call shall stop.
#[derive(Debug, Clone)]
pub struct StopRequest {
    peer: Arc<Segment>,
}

/// The word that names a call.
fn name_of(sequence: u64, index: u64) -> u64 {
    let index = u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1);
    (sequence & 0xffff_ffff) << 32 | u64::from(index)
}

impl StopRequest {
    pub(super) fn new(peer: Arc<Segment>) -> Self {
        Self { peer }
    }

    pub(super) fn publish(own: &Segment, sequence: u64, index: u64) {
        own.word64(a::STOP_REQUEST).store(name_of(sequence, index), Ordering::Relaxed);
    }

    /// Whether the call with this index in the request of this sequence shall stop.
    pub fn names(&self, sequence: u64, index: u64) -> bool {
        self.peer.word64(a::STOP_REQUEST).load(Ordering::Relaxed) == name_of(sequence, index)
    }
}
