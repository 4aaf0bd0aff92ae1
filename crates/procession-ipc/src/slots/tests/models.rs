//! Slots under loom: a writer that dies at each step.

use crate::roster::Roster;
use crate::segment::{Segment, explore};
use crate::slots::{First, Slots};
use std::sync::Arc;

const AT: usize = 100_000;

fn segment() -> Arc<Segment> {
    let words32 = [AT, 8, 12, 16, 20];
    let segment = Segment::model(&words32, &[AT + 8, AT + 16, AT + 24], AT + 32, 16);
    Slots::create(&segment, AT, &[First { room: 8, kind: 1, value: &[1, 1] }]);
    Arc::new(segment)
}

fn slots(segment: &Arc<Segment>, seat: usize) -> Slots {
    Slots::new(Arc::new(Roster::model(segment.clone(), seat)), AT, 48).unwrap()
}

/// Fails when a writer writes over the value.
#[test]
fn a_value_is_whole_wherever_its_writer_dies() {
    for step in 0..4 {
        explore(move || {
            let segment = segment();
            let (first, second) = (slots(&segment, 1), slots(&segment, 2));
            let dying = segment.clone();
            let dies = loom::thread::spawn(move || {
                if step > 0 {
                    let _ = first.lock().acquire(None).unwrap();
                }
                if step == 2 {
                    let _ = first.fill(0, 2, &[2]).unwrap();
                }
                if step == 3 {
                    first.write(0, 2, &[2, 2]).unwrap();
                }
                dying.end_holder(8, AT);
            });
            let _ = second.lock().acquire(None).unwrap().expect("there is no timeout");
            let (kind, value) = second.read(0).unwrap();
            assert!((kind == 1 || step == 3) && value == [kind; 2], "{kind} {value:?}");
            second.lock().release();
            dies.join().unwrap();
        });
    }
}

#[test]
fn writers_and_readers_take_turns() {
    explore(|| {
        let segment = segment();
        let (first, second) = (slots(&segment, 1), slots(&segment, 2));
        let other = loom::thread::spawn(move || {
            let _ = first.lock().acquire(None).unwrap();
            first.write(0, 2, &[2, 2]).unwrap();
            first.write(0, 3, &[3]).unwrap();
            first.lock().release();
        });
        let _ = second.lock().acquire(None).unwrap();
        let read = second.read(0).unwrap();
        assert!(read == (1, vec![1, 1]) || read == (3, vec![3]), "{read:?}");
        second.write(0, 4, &[4]).unwrap();
        second.lock().release();
        other.join().unwrap();
    });
}
