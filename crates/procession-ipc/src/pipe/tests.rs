//! Ends that are held, sent and gone.

use super::*;
use crate::roster::{ROSTER_BYTES, tests::rosters};
use std::thread;

const LONG: Option<Duration> = Some(Duration::from_secs(60));
const NONE: Option<Duration> = Some(Duration::ZERO);
const BYTES: usize = RINGS + 2 * (3 * (64 << 10) + 4096);

/// Ends 0 and 1 in turns, each of a process of its own.
fn ends(count: usize) -> Vec<End> {
    let rosters = rosters(count, BYTES).into_iter().enumerate();
    rosters.map(|(number, roster)| End::new(&roster, ROSTER_BYTES, BYTES, number % 2)).collect()
}

fn recv(end: &End) -> Vec<u8> {
    let mut item = Vec::new();
    assert_eq!(end.recv(&mut item, LONG).unwrap(), Got::Item);
    item
}

#[test]
fn items_go_both_ways() {
    let ends = ends(2);
    ends.iter().for_each(|end| end.holders().hold().unwrap());
    assert_eq!(ends[0].send(b"there", NONE).unwrap(), Put::Done);
    assert_eq!(ends[1].send(b"back", NONE).unwrap(), Put::Done);
    assert_eq!(ends[1].poll(LONG).unwrap(), Got::Item);
    assert_eq!((recv(&ends[1]), recv(&ends[0])), (b"there".to_vec(), b"back".to_vec()));
    assert_eq!(ends[0].poll(NONE).unwrap(), Got::Empty);
}

#[test]
fn an_end_is_gone_with_its_last_handle_and_what_was_sent_before_still_comes() {
    let ends = ends(2);
    ends.iter().for_each(|end| end.holders().hold().unwrap());
    ends[0].holders().hold().unwrap();
    assert_eq!(ends[0].send(b"last", NONE).unwrap(), Put::Done);
    ends[0].let_go();
    assert!(!ends[0].holders().are_gone());
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let first = recv(&ends[1]);
            (first, ends[1].recv(&mut Vec::new(), LONG).unwrap())
        });
        ends[0].let_go();
        assert_eq!(reader.join().unwrap(), (b"last".to_vec(), Got::Closed));
    });
    assert_eq!(ends[1].send(b"too late", NONE).unwrap(), Put::Closed);
}

#[test]
fn an_end_is_gone_when_all_who_have_it_are_dead() {
    let mut ends = ends(2);
    ends.iter().for_each(|end| end.holders().hold().unwrap());
    let (reading, dying) = (ends.remove(1), ends.remove(0));
    thread::scope(|scope| {
        let reader = scope.spawn(|| reading.recv(&mut Vec::new(), LONG).unwrap());
        drop(dying);
        assert_eq!(reader.join().unwrap(), Got::Closed);
    });
}

#[test]
fn who_sends_a_handle_holds_the_end_until_it_arrives() {
    let mut ends = ends(3);
    let (far, other, near) = (ends.remove(2), ends.remove(1), ends.remove(0));
    near.holders().hold().unwrap();
    other.holders().hold().unwrap();
    let sender = near.holders().note_sent().unwrap();
    near.let_go();
    assert!(!near.holders().are_gone(), "it is on its way");
    far.holders().note_arrived(sender).unwrap();
    drop(near);
    assert!(!far.holders().are_gone());
    assert_eq!(other.send(b"x", NONE).unwrap(), Put::Done);
    assert_eq!(recv(&far), b"x");
    far.let_go();
    assert!(far.holders().are_gone());
}

#[test]
fn what_never_arrives_holds_the_end_until_its_sender_knows() {
    let mut ends = ends(2);
    let (reading, near) = (ends.remove(1), ends.remove(0));
    reading.holders().hold().unwrap();
    near.holders().hold().unwrap();
    near.holders().note_sent().unwrap();
    near.holders().note_sent().unwrap();
    near.let_go();
    near.note_over();
    assert!(!near.holders().are_gone(), "one may still come");
    thread::scope(|scope| {
        let reader = scope.spawn(|| reading.recv(&mut Vec::new(), LONG).unwrap());
        near.note_over();
        assert_eq!(reader.join().unwrap(), Got::Closed);
    });
    // Nothing of that is left.
    near.holders().note_sent().unwrap();
    assert!(!near.holders().are_gone());
    near.note_over();
    assert!(near.holders().are_gone());
}
