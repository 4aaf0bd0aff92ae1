//! What holds for all layouts of a pool.

use crate::{LIMIT, finish, is_patterned, patterned};
use bytemuck::{Pod, Zeroable};
use procession::{Described, Pool, Shared, SharedSlice};
use procession_testing::{Harness, Layout, layouts, send, wait_for};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Mutex;

layouts! {
    a_large_slice_is_the_same_everywhere_bit_by_bit
    shared_data_may_stand_anywhere_in_arguments
    every_item_of_a_map_may_have_its_own_shared_data
    shared_data_comes_back_as_a_result
    a_worker_passes_shared_data_on_to_its_own_pool
    an_initializer_may_have_shared_data
    empty_and_odd_slices_work
}

fn a_large_slice_is_the_same_everywhere_bit_by_bit(layout: Layout) {
    let _harness = Harness::start("a large slice", LIMIT);
    const ITEMS: usize = (64 << 20) / 8;
    let slice = patterned(ITEMS);
    let pool = layout.pool(2);
    let check = |slice: SharedSlice<u64>, part: usize| {
        let part_len = slice.len() / 64;
        is_patterned(&slice[part * part_len..(part + 1) * part_len], (part * part_len) as u64)
    };
    let checked = pool.starmap(check, (0..64).map(|part| (slice.clone(), part))).unwrap();
    assert_eq!(checked, [true; 64]);
    assert!(is_patterned(&slice, 0));
    let shared = pool.stats().shared;
    match layout {
        Layout::Threads => assert_eq!(shared, 0),
        Layout::Both => assert_eq!(shared, 1, "the threads of a process share it"),
        Layout::Processes => assert!((1..=2).contains(&shared), "{shared}"),
    }
    finish(pool);
}

#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
struct Point {
    x: f32,
    y: f32,
}

#[derive(Serialize, Deserialize)]
struct Nested {
    name: String,
    inside: Option<Inside>,
    several: Vec<SharedSlice<u16>>,
}

#[derive(Serialize, Deserialize)]
struct Inside {
    points: SharedSlice<Point>,
    table: Shared<BTreeMap<String, u32>>,
}

fn shared_data_may_stand_anywhere_in_arguments(layout: Layout) {
    let _harness = Harness::start("shared data anywhere", LIMIT);
    let points = SharedSlice::new(&[Point { x: 1.0, y: 2.0 }, Point { x: 3.0, y: 4.0 }]).unwrap();
    let table =
        Shared::new(BTreeMap::from([("one".to_owned(), 1), ("two".to_owned(), 2)])).unwrap();
    let several = vec![SharedSlice::new(&[1, 2]).unwrap(), SharedSlice::new(&[3]).unwrap()];
    let nested = || Nested {
        name: "nested".into(),
        inside: Some(Inside { points: points.clone(), table: table.clone() }),
        several: several.clone(),
    };
    let read = |nested: Nested, (again, described): (SharedSlice<Point>, Described<Inside>)| {
        let Inside { points, table } = nested.inside.unwrap();
        let numbers: u16 = nested.several.iter().flatten().sum();
        assert_eq!(again[..], points[..]);
        assert_eq!(described.0.points.as_ptr(), points.as_ptr(), "mapped once");
        format!("{} {:?} {} {numbers}", nested.name, points[1], table["two"])
    };
    let pool = layout.pool(2);
    for _ in 0..20 {
        let described = Described(nested().inside.unwrap());
        let got = pool.apply(read, (nested(), (points.clone(), described))).unwrap();
        assert_eq!(got, "nested Point { x: 3.0, y: 4.0 } 2 6");
    }
    finish(pool);
}

fn every_item_of_a_map_may_have_its_own_shared_data(layout: Layout) {
    let _harness = Harness::start("items with shared data", LIMIT);
    let pool = layout.pool(2);
    let slices: Vec<_> = (0..300).map(|n| SharedSlice::new(&[n, n + 1]).unwrap()).collect();
    let sum = |items: SharedSlice<u64>| items.iter().sum::<u64>();
    let sums = |results: Vec<u64>| results.into_iter().zip(0..).all(|(sum, n)| sum == 2 * n + 1);
    assert!(sums(pool.map(sum, slices.clone()).unwrap()));
    assert!(sums(pool.chunksize(300).map(sum, slices.clone()).unwrap()));
    // Some items have some, some the same, some none.
    let items = slices.iter().cloned().flat_map(|slice| [None, Some(slice.clone()), Some(slice)]);
    let sum = |items: Option<SharedSlice<u64>>| items.map_or(7, |items| items.iter().sum::<u64>());
    for (result, n) in pool.imap(sum, items).zip(0_u64..) {
        let expected = if n.is_multiple_of(3) { 7 } else { 2 * (n / 3) + 1 };
        assert_eq!(result.unwrap(), expected);
    }
    finish(pool);
}

fn shared_data_comes_back_as_a_result(layout: Layout) {
    let _harness = Harness::start("shared data as a result", LIMIT);
    let pool = layout.pool(2);
    let slice = patterned(10_000);
    let own = slice.as_ptr();
    let back = pool.apply(|slice: SharedSlice<u64>| slice, (slice,)).unwrap();
    assert_eq!(back.as_ptr(), own, "it is the very same, although it was given away meanwhile");
    assert!(is_patterned(&back, 0));
    let shared = Shared::new(vec!["a".to_owned(), "b".to_owned()]).unwrap();
    let back = pool.apply(|shared: Shared<Vec<String>>| (1, shared), (shared,)).unwrap();
    assert_eq!(back.1[..], ["a", "b"]);
    let items = (0..100).map(|n| SharedSlice::new(&[n]).unwrap());
    let same: Vec<SharedSlice<i32>> = pool.map(|slice: SharedSlice<i32>| slice, items).unwrap();
    assert!(same.iter().zip(0..).all(|(slice, n)| slice[..] == [n]));
    finish(pool);
}

fn a_worker_passes_shared_data_on_to_its_own_pool(layout: Layout) {
    let _harness = Harness::start("shared data of a worker's own pool", LIMIT);
    let slice = patterned(100_000);
    let inner = Inside {
        points: SharedSlice::new(&[Point { x: 1.0, y: 2.0 }]).unwrap(),
        table: Shared::new(BTreeMap::from([("one".to_owned(), 1)])).unwrap(),
    };
    let context = Shared::new(inner).unwrap();
    let pass = |slice: SharedSlice<u64>, context: Shared<Inside>| {
        let own = SharedSlice::new(&[1_u64, 2]).unwrap();
        let read = |slice: SharedSlice<u64>, own: SharedSlice<u64>, context: Shared<Inside>| {
            let good = is_patterned(&slice, 0) && own[..] == [1, 2];
            (good && context.table["one"] == 1 && context.points[0].y == 2.0, slice)
        };
        let pool = Pool::new(1).unwrap();
        let (good, back) = pool.apply(read, (slice.clone(), own, context)).unwrap();
        pool.close();
        pool.join().unwrap();
        (good && back.as_ptr() == slice.as_ptr(), back)
    };
    let pool = layout.pool(2);
    let (good, back) = pool.apply(pass, (slice.clone(), context)).unwrap();
    assert!(good);
    assert_eq!(back.as_ptr(), slice.as_ptr());
    finish(pool);
}

static PREPARED: Mutex<Option<SharedSlice<u64>>> = Mutex::new(None);

fn an_initializer_may_have_shared_data(layout: Layout) {
    let _harness = Harness::start("an initializer with shared data", LIMIT);
    let prepare = |slice: SharedSlice<u64>| {
        *PREPARED.lock().unwrap() = Some(slice);
    };
    let slice = patterned(5000);
    let builder = Pool::builder().initializer(prepare, (slice,));
    let pool = match layout {
        Layout::Processes => builder.processes(2),
        Layout::Threads => builder.threads(2),
        Layout::Both => builder.processes(1).threads(2),
    }
    .build()
    .unwrap();
    let check = || is_patterned(PREPARED.lock().unwrap().as_ref().unwrap(), 0);
    assert!(pool.apply(check, ()).unwrap());
    if let Some(pid) = pool.worker_pids().first() {
        send(*pid as i32, libc::SIGKILL);
        wait_for("a new worker", LIMIT, || pool.stats().respawns == 1);
        let checks: Vec<_> = (0..20).map(|_| pool.apply_async(check, ())).collect();
        assert!(checks.into_iter().all(|check| check.get().unwrap()));
    }
    finish(pool);
    PREPARED.lock().unwrap().take();
}

fn empty_and_odd_slices_work(layout: Layout) {
    let _harness = Harness::start("odd slices", LIMIT);
    let pool = layout.pool(1);
    let empty = SharedSlice::<u64>::new(&[]).unwrap();
    assert_eq!(pool.apply(|slice: SharedSlice<u64>| slice.len(), (empty,)).unwrap(), 0);
    let triples = SharedSlice::new(&[[1_u8, 2, 3], [4, 5, 6]]).unwrap();
    assert_eq!(format!("{triples:?}"), "SharedSlice { len: 2, .. }");
    let last = |slice: SharedSlice<[u8; 3]>| *slice.last().unwrap();
    assert_eq!(pool.apply(last, (triples,)).unwrap(), [4, 5, 6]);
    let nothing = Shared::new(()).unwrap();
    pool.apply(|nothing: Shared<()>| *nothing, (nothing,)).unwrap();
    finish(pool);
}
