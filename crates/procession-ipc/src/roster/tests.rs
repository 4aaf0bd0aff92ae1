//! Seats, tokens, and their ends.

#![cfg(not(loom))]

use super::*;
use procession_os::memory::Memory;

/// Views of one shared object, as many processes would have them.
pub(crate) fn rosters(count: usize, bytes: usize) -> Vec<Arc<Roster>> {
    let (memory, _) = Memory::create_shared("procession-test", ROSTER_BYTES + bytes).unwrap();
    let view = |_| {
        let mapping = memory.map_with_marks().unwrap();
        Arc::new(Roster::new(Arc::new(Segment::new(mapping))))
    };
    (0..count).map(view).collect()
}

#[test]
fn each_process_has_one_seat_until_it_leaves() {
    let mut all = rosters(3, 64);
    let tokens: Vec<_> = all.iter().map(|roster| roster.token().unwrap()).collect();
    assert_eq!(all[0].token().unwrap(), tokens[0]);
    assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2] && tokens[0] != tokens[2]);
    assert!(tokens.iter().all(|token| all[0].is_alive(*token)));
    drop(all.remove(1));
    assert!(!all[0].is_alive(tokens[1]));
    assert!(all[0].is_alive(tokens[2]));
}

#[test]
fn a_seat_that_is_taken_again_is_another_token() {
    let mut all = rosters(3, 64);
    let first = all[0].token().unwrap();
    drop(all.remove(0));
    let second = all[0].token().unwrap();
    assert_eq!(first.mark_at(), second.mark_at(), "it is the same seat");
    assert!(first != second && !all[1].is_alive(first) && all[1].is_alive(second));
}

#[test]
fn a_sleeper_wakes_when_a_holder_leaves() {
    let all = rosters(2, 64);
    let (waiting, mut rest) = (all[0].clone(), all[1..].to_vec());
    drop(all);
    let holder = rest[0].token().unwrap();
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(move || {
            while waiting.is_alive(holder) {
                assert!(waiting.sleep(ROSTER_BYTES, 0, &[holder], None));
            }
        });
        drop(rest.pop());
        sleeper.join().unwrap();
    });
}

#[test]
fn a_deadline_ends_a_sleep() {
    let all = rosters(1, 64);
    let deadline = Instant::now() + Duration::from_millis(5);
    while all[0].sleep(ROSTER_BYTES, 0, &[], Some(deadline)) {}
    assert!(Instant::now() >= deadline);
}

#[test]
fn words_that_name_no_seat_name_nobody() {
    let all = rosters(1, 64);
    assert_eq!(Token::from_word(0), None);
    assert_eq!(Token::from_word(1 << 31), None);
    for word in [1024, u32::MAX, 1023, 0x7fff_fc00] {
        assert!(!all[0].is_alive(Token::from_word(word).unwrap()), "{word:x}");
    }
}
