//! How a task learns that it should stop.
//!
//! One word in the parent's segment names one call, or all that are left of a request: 0 names none.
//!
//! | bits | meaning |
//! |---|---|
//! | 32..64 | the request's sequence, its low bits |
//! | 0..32 | from 1 on: the call's index in it, and 1; [`REST`]: what it has not begun; [`ALL`]: that, and the one that runs |
//!
//! The parent alone writes it, when a call has had its time or was cancelled. A call, or anything that it
//! has started, reads it when it cares to; the worker reads it before each call of a chunk. It protects
//! nothing else, so it is relaxed both ways: who reads an old word reads the new one a little later.
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

/// All calls of the request that were not begun.
const REST: u32 = u32::MAX - 1;
/// All calls of the request that have not ended.
const ALL: u32 = u32::MAX;

fn word_of(sequence: u64, which: u32) -> u64 {
    (sequence & 0xffff_ffff) << 32 | u64::from(which)
}

/// The word that names a call.
fn name_of(sequence: u64, index: u64) -> u64 {
    let index = u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1);
    word_of(sequence, index.min(REST - 1))
}

impl StopRequest {
    pub(super) fn new(peer: Arc<Segment>) -> Self {
        Self { peer }
    }

    pub(super) fn publish(own: &Segment, sequence: u64, index: u64) {
        own.word64(a::STOP_REQUEST).store(name_of(sequence, index), Ordering::Relaxed);
    }

    pub(super) fn publish_end(own: &Segment, sequence: u64, with_running: bool) {
        let which = if with_running { ALL } else { REST };
        own.word64(a::STOP_REQUEST).store(word_of(sequence, which), Ordering::Relaxed);
    }

    /// Whether no more calls of the request of this sequence shall be begun.
    #[inline]
    pub(super) fn ends(peer: &Segment, sequence: u64) -> bool {
        let word = peer.word64(a::STOP_REQUEST).load(Ordering::Relaxed);
        word == word_of(sequence, REST) || word == word_of(sequence, ALL)
    }

    /// Whether the call with this index in the request of this sequence shall stop.
    pub fn names(&self, sequence: u64, index: u64) -> bool {
        let word = self.peer.word64(a::STOP_REQUEST).load(Ordering::Relaxed);
        word == name_of(sequence, index) || word == word_of(sequence, ALL)
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use crate::segment::explore_ends;

    /// Rows: "before the store", "after it".
    #[test]
    fn a_call_sees_that_it_is_to_stop_or_nothing_whenever_the_parent_vanishes() {
        explore_ends(|fate| {
            let segment = Arc::new(Segment::model(&[], &[a::STOP_REQUEST], 0, 0));
            let (own, fate) = (segment.clone(), fate.clone());
            let parent = loom::thread::spawn(move || {
                fate.live(|| StopRequest::publish(&own, 7, 1), || ());
                fate.stores() > 0
            });
            let stop = StopRequest::new(segment);
            let others = [(7, 0), (7, 2), (6, 1), (8, 1), (0, 0)];
            let early = stop.names(7, 1);
            assert!(others.iter().all(|(sequence, index)| !stop.names(*sequence, *index)));
            let is_stored = parent.join().unwrap();
            assert_eq!(stop.names(7, 1), is_stored);
            assert!(is_stored || !early);
        });
    }

    /// The same rows, of the end of a whole request.
    #[test]
    fn a_request_is_seen_to_end_or_not_whenever_the_parent_vanishes() {
        explore_ends(|fate| {
            let segment = Arc::new(Segment::model(&[], &[a::STOP_REQUEST], 0, 0));
            let (own, fate) = (segment.clone(), fate.clone());
            let parent = loom::thread::spawn(move || {
                fate.live(|| StopRequest::publish_end(&own, 7, true), || ());
                fate.stores() > 0
            });
            let early = StopRequest::ends(&segment, 7);
            assert!(!StopRequest::ends(&segment, 6) && !StopRequest::ends(&segment, 8));
            let is_stored = parent.join().unwrap();
            assert_eq!(StopRequest::ends(&segment, 7), is_stored);
            assert_eq!(StopRequest::new(segment).names(7, 3), is_stored);
            assert!(is_stored || !early);
        });
    }
}
