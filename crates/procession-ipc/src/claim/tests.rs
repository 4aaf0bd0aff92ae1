//! Who gets a request.

use super::Claims;
use crate::layout::WINDOW_MAX;
use crate::segment::Segment;
use std::sync::Arc;

/// Fails when the claim is a load and a store in the place of the swap: both win.
#[cfg(loom)]
#[test]
fn exactly_one_side_gets_each_request_of_a_place() {
    use crate::layout::b;
    use crate::segment::explore;
    explore(|| {
        let claims = Claims::new(Arc::new(Segment::model(&[], &[b::CLAIMS + 8], 0, 0)));
        for sequence in [1, 1 + WINDOW_MAX as u64] {
            let worker = claims.clone();
            let worker = loom::thread::spawn(move || {
                let begun = worker.begin(sequence);
                assert_eq!(worker.is_begun(sequence), begun);
                begun
            });
            let taken_back = claims.take_back(sequence);
            let begun = worker.join().unwrap();
            assert!(begun != taken_back, "request {sequence}: {begun} {taken_back}");
            assert_eq!(claims.is_begun(sequence), begun);
        }
    });
}

#[cfg(not(loom))]
#[test]
fn a_place_serves_one_request_after_another() {
    use crate::layout::B_BYTES;
    use procession_os::memory::Memory;
    let (_, mapping) = Memory::create_shared("procession-test", B_BYTES).unwrap();
    let claims = Claims::new(Arc::new(Segment::new(mapping)));
    let next = 5 + WINDOW_MAX as u64;
    assert!(!claims.is_begun(5));
    assert!(claims.begin(5) && !claims.take_back(5) && claims.is_begun(5));
    assert!(!claims.is_begun(next), "begun of one request says nothing of the next");
    assert!(claims.take_back(next) && !claims.begin(next) && !claims.is_begun(next));
}

/// Rows: "it read the frame", "the swap", "the response's tail".
#[cfg(loom)]
#[test]
fn a_request_is_taken_back_or_begun_or_answered_whenever_the_worker_vanishes() {
    use crate::layout::b;
    use crate::primitive::Ordering;
    use crate::segment::explore_ends;
    explore_ends(|fate| {
        let segment = Arc::new(Segment::model(&[b::RESPONSE_TAIL], &[b::CLAIMS + 8], 0, 0));
        let claims = Claims::new(segment.clone());
        let (worker, fate) = (claims.clone(), fate.clone());
        let working = loom::thread::spawn(move || {
            let part = || {
                if worker.begin(1) {
                    segment.word32(b::RESPONSE_TAIL).store(1, Ordering::Release);
                }
            };
            let _ = fate.live(part, || ());
            segment.word32(b::RESPONSE_TAIL).load(Ordering::Acquire) == 1
        });
        let taken_before = claims.take_back(1);
        let is_answered = working.join().unwrap();
        // Whoever buries the worker looks at the answers first, then at the claim.
        let is_begun = claims.is_begun(1);
        assert!(!(taken_before && is_begun), "one of the two has it");
        assert!(is_begun || !is_answered, "what was answered was begun");
        assert!(is_begun || taken_before || claims.take_back(1), "what nobody has can be taken");
    });
}
