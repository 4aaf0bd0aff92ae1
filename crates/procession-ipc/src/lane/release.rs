//! When a worker may write one of its bulk segments again.
//!
//! A bulk segment of a worker is written by the worker alone, and read by the parent from the frame that
//! names it on until it gives it back: one word in the parent's segment for each, which counts how often it
//! was given back. The worker knows how often it has sent it.
//!
//! | dies after | what follows |
//! |---|---|
//! | the worker, it wrote some of the segment | no frame names it: nothing was sent |
//! | the worker, it sent the frame | the parent reads on: its mapping holds the memory |
//! | the parent, it read, and did not count | the segment is not written again, and the worker dies with its parent |
//!
//! ORDER(bulk-release): a release by the parent after its last read, an acquire by the worker before it writes.

use crate::layout::a;
use crate::primitive::Ordering;
use crate::segment::Segment;

fn word_at(id: usize) -> usize {
    a::BULK_RELEASED + id * 4
}

/// Gives the segment with this id back to its worker.
pub(super) fn give_back(own: &Segment, id: usize) {
    // ORDER(bulk-release): after our last read of the segment.
    own.word32(word_at(id)).fetch_add(1, Ordering::Release);
    // A worker that has used up all its segments waits for the response head to move.
    own.wake(a::RESPONSE_HEAD);
}

/// How often the parent has given the segment with this id back.
pub(super) fn given_back(peer: &Segment, id: usize) -> u32 {
    // ORDER(bulk-release): acquires the end of the parent's reads.
    peer.word32(word_at(id)).load(Ordering::Acquire)
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use crate::layout::b;
    use crate::segment::explore_ends;
    use std::sync::Arc;

    /// Where the worker says that it has sent the frame.
    const SENT: usize = b::RESPONSE_TAIL;
    /// Where the bulk segment begins, of the worker's memory.
    const BULK: usize = 1000;

    fn segments() -> (Arc<Segment>, Arc<Segment>) {
        let parents = Segment::model(&[a::RESPONSE_HEAD, word_at(0)], &[], 0, 0);
        (Arc::new(parents), Arc::new(Segment::model(&[SENT], &[], BULK, 2)))
    }

    fn read(workers: &Segment) -> Option<[u8; 2]> {
        let mut bytes = [0; 2];
        if workers.word32(SENT).load(Ordering::Acquire) == 0 {
            return None;
        }
        workers.copy_out(BULK, &mut bytes);
        Some(bytes)
    }

    /// Row: "the parent, it read, and did not count".
    ///
    /// Fails when either side is relaxed: then what is read is written.
    #[test]
    fn a_segment_is_written_again_when_it_was_read_or_not_at_all_if_the_parent_vanishes() {
        explore_ends(|fate| {
            let (parents, workers) = segments();
            let (own, peer, fate) = (parents.clone(), workers.clone(), fate.clone());
            workers.copy_in(BULK, &[1, 1]);
            workers.word32(SENT).store(1, Ordering::Release);
            let parent = loom::thread::spawn(move || {
                let part = || {
                    assert_eq!(read(&peer), Some([1, 1]));
                    give_back(&own, 0);
                };
                let _ = fate.live(part, || ());
                fate.stores() > 0
            });
            let mut is_written = false;
            let mut write_again = || {
                if !is_written && given_back(&parents, 0) == 1 {
                    is_written = true;
                    workers.copy_in(BULK, &[2, 2]);
                }
                is_written
            };
            write_again();
            let is_given_back = parent.join().unwrap();
            assert_eq!(write_again(), is_given_back);
        });
    }

    /// Rows: "the worker, it wrote some of the segment", "the worker, it sent the frame".
    #[test]
    fn a_segment_is_read_whole_or_not_at_all_whenever_the_worker_vanishes() {
        explore_ends(|fate| {
            let (parents, workers) = segments();
            let (own, fate) = (workers.clone(), fate.clone());
            let worker = loom::thread::spawn(move || {
                let part = || {
                    own.copy_in(BULK, &[1, 1]);
                    own.word32(SENT).store(1, Ordering::Release);
                };
                let _ = fate.live(part, || ());
            });
            let early = read(&workers);
            assert!(early.is_none_or(|bytes| bytes == [1, 1]));
            worker.join().unwrap();
            let late = read(&workers);
            assert!(
                late.is_none_or(|bytes| bytes == [1, 1]) && (early.is_none() || late.is_some())
            );
            if late.is_some() {
                give_back(&parents, 0);
                assert_eq!(given_back(&parents, 0), 1);
            }
        });
    }
}
