//! A barrier under loom, of whose parties one vanishes after each of its stores.

use super::*;
use crate::segment::{Segment, explore_ends};

const AT: usize = 100_000;
const SEATS: [usize; 6] = [8, 12, 16, 20, 24, 28];

/// Rows: "waiting", "the lock held", "it moved the phase, and woke nobody".
///
/// Fails when whoever gets the lock from a dead one does not break the barrier, or when those who wait do
/// not look again by themselves.
#[test]
fn who_waits_passes_or_finds_it_broken_whenever_the_other_vanishes() {
    explore_ends(|fate| {
        let words = [0, PHASE, STATE, COUNT, PARTIES, BROKEN_IN, COMERS, COMERS + 4];
        let words: Vec<_> = SEATS.into_iter().chain(words.map(|word| AT + word)).collect();
        let segment = Arc::new(Segment::model(&words, &[], 0, 0));
        let [mortal, other, third] =
            [1, 2, 3].map(|seat| Barrier::new(Arc::new(Roster::model(segment.clone(), seat)), AT));
        other.begin(2);
        let token = mortal.roster().token().unwrap();
        let (fate, ending) = (fate.clone(), segment.clone());
        let thread = loom::thread::spawn(move || {
            let end = || {
                for word in [AT, AT + PHASE] {
                    ending.end_holder(8, word);
                    ending.tick(word);
                }
            };
            let passed = fate.live(|| mortal.wait(None, || {}).unwrap(), end);
            // If it holds the lock or has come, that is the other one's to see; else nobody knows of it.
            let own = token;
            let holds = Token::from_word(third.get(0)) == Some(own);
            if passed.is_none() && !holds && !third.comers().contains(&own) {
                third.abort().unwrap();
            }
            passed
        });
        let own = other.wait(None, || {}).unwrap();
        match thread.join().unwrap() {
            Some(Passed::As(number)) => assert_eq!(own, Passed::As(1 - number)),
            Some(Passed::Broken) => panic!("nobody broke it"),
            // It passed if the other had come, and finds it broken if not.
            None => {}
        }
        // Whatever happened, it can be used again.
        other.reset().unwrap();
        assert!(!other.is_broken());
    });
}
