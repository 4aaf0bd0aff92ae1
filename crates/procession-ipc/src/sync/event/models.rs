//! An event under loom, whose setter vanishes.

use super::*;
use crate::segment::{Segment, explore_ends};

const AT: usize = 100_000;
/// A word that nobody sleeps on: who waits for an event minds nobody's end.
const NOBODYS: usize = 100_100;

/// Row: "it changed the word, and woke nobody".
///
/// Fails when a sleeper does not look again by itself.
#[test]
fn who_waits_sees_it_set_whenever_who_sets_it_vanishes() {
    explore_ends(|fate| {
        let segment = Arc::new(Segment::model(&[AT, NOBODYS, 8, 12, 16, 20], &[], 0, 0));
        let [mortal, other] =
            [1, 2].map(|seat| Event::new(Arc::new(Roster::model(segment.clone(), seat)), AT));
        let (fate, ending) = (fate.clone(), segment.clone());
        let thread = loom::thread::spawn(move || {
            let end = || {
                ending.end_holder(8, NOBODYS);
                ending.tick(AT);
            };
            if fate.live(|| mortal.set(), end).is_none() && fate.stores() == 0 {
                // It had not begun.
                mortal.set();
            }
        });
        assert!(other.wait(None) && other.is_set());
        thread.join().unwrap();
    });
}
