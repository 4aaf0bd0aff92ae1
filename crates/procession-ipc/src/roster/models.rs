//! A seat under loom: who takes it vanishes after each of its stores.

use super::*;
use crate::segment::explore_ends;

/// Offset of the marks and generations of two seats.
const SEATS: [usize; 4] = [8, 12, 16, 20];
/// Where somebody may sleep.
const WORD: usize = 100_000;

/// Rows: "it took the mark", "it counted the generation", "it announced the mark".
///
/// Fails when the announcement does not release the generation.
#[test]
fn a_seat_is_empty_or_somebodys_and_empty_again_whenever_who_takes_it_vanishes() {
    explore_ends(|fate| {
        let words: Vec<_> = SEATS.into_iter().chain([WORD]).collect();
        let segment = Arc::new(Segment::model(&words, &[], 0, 0));
        // Somebody was here before.
        segment.word32(12).store(6, Ordering::Relaxed);
        let roster = Roster::model(segment.clone(), 2);
        let (fate, taking) = (fate.clone(), segment.clone());
        let thread = loom::thread::spawn(move || {
            let taken = fate.live(|| take_seat(&taking, 1), || taking.end_holder(8, WORD));
            taken.map(|token| token.unwrap().expect("it is free"))
        });
        let (old, new) = (Token::new(1, 6), Token::new(1, 7));
        assert!(!roster.is_alive(old), "who was here before");
        // Whoever sees it alive sees its own generation, too.
        let _ = roster.is_alive(new);
        assert!(!roster.is_alive(Token::new(1, 0)));
        match thread.join().unwrap() {
            Some(token) => assert!(token == new && roster.is_alive(new)),
            None => assert!(!roster.is_alive(new) && !roster.is_alive(old)),
        }
        assert!(roster.is_alive(roster.token().unwrap()), "another is not concerned");
        // The seat can be taken by the next one unless somebody is in it.
        let next = take_seat(&segment, 1).unwrap();
        assert!(next.is_none_or(|token| token != old && roster.is_alive(token)));
    });
}
