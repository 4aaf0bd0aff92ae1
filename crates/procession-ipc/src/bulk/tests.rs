//! Segments that are taken, put back, used again and given up.

use super::{BYTES_MIN, Bulk, BulkStore, BulkView, Reference};
use procession_os::memory::Memory;

fn take(store: &mut BulkStore, bytes: usize) -> (Bulk, Option<u64>) {
    store.take(bytes).unwrap().expect("the store may have one more")
}

#[test]
fn a_segment_that_was_put_back_is_used_again_and_empty() {
    let mut store = BulkStore::new(4);
    let (mut first, _) = take(&mut store, 10);
    assert!(first.append(b"something"));
    let id = first.id();
    store.put_back(first);
    let (again, given_up) = take(&mut store, BYTES_MIN);
    assert_eq!((again.id(), again.filled(), given_up), (id, 0, None));
    let (other, _) = take(&mut store, 10);
    assert_ne!(other.id(), id, "one that carries something is never handed out");
}

#[test]
fn the_smallest_that_is_large_enough_is_taken() {
    let mut store = BulkStore::new(4);
    let (large, _) = take(&mut store, 4 * BYTES_MIN);
    let (small, _) = take(&mut store, BYTES_MIN);
    let (large_id, small_id) = (large.id(), small.id());
    store.put_back(large);
    store.put_back(small);
    assert_eq!(take(&mut store, BYTES_MIN).0.id(), small_id);
    assert_eq!(take(&mut store, BYTES_MIN).0.id(), large_id);
}

#[test]
fn a_full_store_gives_the_smallest_up_or_has_none() {
    let mut store = BulkStore::new(2);
    let (small, _) = take(&mut store, BYTES_MIN);
    let (middle, _) = take(&mut store, 2 * BYTES_MIN);
    assert!(store.take(1).unwrap().is_none(), "as many as allowed carry something");
    let small_id = small.id();
    store.put_back(small);
    store.put_back(middle);
    let (large, given_up) = take(&mut store, 8 * BYTES_MIN);
    assert_eq!(given_up, Some(small_id));
    assert!(large.id() > small_id, "ids are never used again");
    let (_middle, given_up) = take(&mut store, 1);
    assert_eq!(given_up, None);
    assert!(store.take(1).unwrap().is_none());
}

#[test]
fn a_segment_that_cannot_be_made_costs_none() {
    let mut store = BulkStore::new(1);
    let (only, _) = take(&mut store, 1);
    let id = only.id();
    store.put_back(only);
    assert!(store.take(usize::MAX).is_err());
    assert_eq!(take(&mut store, 1).0.id(), id);
}

#[test]
fn what_is_appended_is_what_the_reader_copies() {
    let mut bulk = Bulk::create(3, 1).unwrap();
    let bytes: Vec<u8> = (0..BYTES_MIN).map(|index| (index % 251) as u8).collect();
    assert!(bulk.append(&bytes[..1000]) && bulk.append(&bytes[1000..]));
    assert!(!bulk.append(&[0]), "it is full");
    assert_eq!(bulk.reference(), Reference { id: 3, bytes: BYTES_MIN as u64 });
    let view = BulkView::map(bulk.memory()).unwrap();
    let mut copy = vec![0; view.bytes()];
    view.copy_out(0, &mut copy);
    assert!(copy == bytes && bulk.to_vec() == bytes);
    let mut larger = Bulk::create(4, 2 * BYTES_MIN).unwrap();
    bulk.copy_to(&mut larger);
    assert!(larger.to_vec() == bytes);
}

#[test]
fn references_survive_their_bytes_and_no_others_do() {
    let reference = Reference { id: u64::MAX - 1, bytes: 7 };
    let bytes = reference.to_bytes();
    assert_eq!(Reference::from_bytes(&bytes), Some(reference));
    assert_eq!(Reference::from_bytes(&bytes[..15]), None);
    assert_eq!(Reference::from_bytes(&[&bytes[..], &[0]].concat()), None);
    assert_eq!(Reference::from_bytes(&[]), None);
}

#[test]
fn a_payload_that_no_memory_can_hold_is_refused() {
    // Half of all addresses; nothing but holes.
    let bytes = 1 << 46;
    let (memory, mapping) = Memory::create_owned("procession-test", bytes).unwrap();
    drop(mapping);
    let view = BulkView::map(&memory).unwrap();
    assert!(view.to_vec::<u8>(0, bytes).is_none());
    assert_eq!(view.to_vec::<u64>(bytes - 16, 2), Some(vec![0; 2]));
}
