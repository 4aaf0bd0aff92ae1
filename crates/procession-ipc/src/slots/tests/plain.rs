use crate::primitive::Ordering;
use crate::roster::{ROSTER_BYTES, tests::rosters};
use crate::slots::{First, Slots, Unfit};
use crate::sync::Acquired;
use crate::test_random::Random;

const AT: usize = ROSTER_BYTES;

/// Slots with these rooms, all empty, as so many processes would have them.
fn slots(rooms: &[usize], count: usize) -> Vec<Slots> {
    let bytes = Slots::bytes_for(rooms.iter().copied()).unwrap();
    let rosters = rosters(count, bytes);
    let firsts: Vec<_> =
        rooms.iter().map(|room| First { room: *room, kind: 0, value: &[] }).collect();
    Slots::create(rosters[0].segment(), AT, &firsts);
    rosters.into_iter().map(|roster| Slots::new(roster, AT, bytes).unwrap()).collect()
}

#[test]
fn what_was_written_is_read_as_long_as_it_fits() {
    let all = slots(&[8, 0, 20], 2);
    assert_eq!(all[0].len(), 3);
    for (index, kind, value) in
        [(0, 1, &b"12345678"[..]), (1, 2, b""), (2, 3, b"twenty bytes of text"), (2, 255, b"")]
    {
        all[0].write(index, kind, value).unwrap();
        assert_eq!(all[1].read(index).unwrap(), (kind, value.to_vec()));
    }
    assert_eq!(all[1].write(0, 0, b"123456789"), Err(Unfit::TooLong(8)));
    assert_eq!(all[1].write(1, 0, b"1"), Err(Unfit::TooLong(0)));
    assert_eq!(all[1].write(2, 0, &[0; 25]), Err(Unfit::TooLong(24)));
    assert_eq!(all[0].read(0).unwrap(), (1, b"12345678".to_vec()), "it is as it was");
}

#[test]
fn a_value_that_was_begun_by_one_that_is_gone_is_as_it_was() {
    let mut all = slots(&[16], 2);
    all[0].write(0, 1, b"before").unwrap();
    let dying = all.remove(0);
    let _ = dying.lock().acquire(None).unwrap();
    let _ = dying.fill(0, 3, b"begun, not made").unwrap();
    drop(dying);
    assert_eq!(all[0].lock().acquire(None).unwrap(), Some(Acquired::Inherited));
    assert_eq!(all[0].read(0).unwrap(), (1, b"before".to_vec()));
    all[0].write(0, 2, b"after").unwrap();
    assert_eq!(all[0].read(0).unwrap(), (2, b"after".to_vec()));
}

#[test]
fn tables_of_any_contents_lead_nowhere_else() {
    let seed = std::process::id().into();
    println!("seed {seed}");
    let mut random = Random(seed);
    let all = slots(&[8, 8, 40], 1);
    let segment = all[0].segment();
    for _ in 0..20_000 {
        let at = AT + 16 + 8 * (random.below(6) as usize);
        let word = match random.below(3) {
            0 => random.next(),
            1 => random.below(40) | random.below(80) << 32,
            _ => u64::MAX << random.below(64),
        };
        segment.word64(at).store(word, Ordering::Relaxed);
        for index in 0..3 {
            if let Ok((_, value)) = all[0].read(index) {
                assert!(value.len() <= all[0].bytes);
            }
        }
        let index = random.below(3) as usize;
        let _ = all[0].write(index, 7, &[9; 3]);
    }
    let roster = all[0].lock().roster().clone();
    for count in [4 + 9, 1 << 40, u64::MAX] {
        segment.word64(AT + 8).store(count, Ordering::Relaxed);
        assert!(Slots::new(roster.clone(), AT, all[0].bytes).is_none(), "{count}");
    }
    assert!(Slots::new(roster, AT, 15).is_none());
}

#[test]
fn what_is_too_much_for_slots_is_refused() {
    assert_eq!(Slots::bytes_for([]), Some(16));
    assert_eq!(Slots::bytes_for([1, 8, 9]), Some(16 + 3 * 16 + 2 * (8 + 8 + 16)));
    assert_eq!(Slots::bytes_for([usize::MAX]), None);
    assert_eq!(Slots::bytes_for([1 << 32]), None);
    assert_eq!(Slots::bytes_for(std::iter::repeat_n((1 << 32) - 8, 5)), None);
}
