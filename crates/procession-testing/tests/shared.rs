//! Data that is put once and read by all workers: what is sent, what is copied, what is left.

use bytemuck::{Pod, Zeroable};
use procession::{Described, Pool, Process, Shared, SharedSlice};
use procession_testing::{Harness, Layout, layouts, send, wait_for};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

layouts! {
    a_large_slice_is_the_same_everywhere_bit_by_bit
    shared_data_may_stand_anywhere_in_arguments
    every_item_of_a_map_may_have_its_own_shared_data
    shared_data_comes_back_as_a_result
    a_worker_passes_shared_data_on_to_its_own_pool
    an_initializer_may_have_shared_data
    empty_and_odd_slices_work
}

/// A fixed pattern that no page repeats.
fn pattern(index: u64) -> u64 {
    index.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17)
}

fn patterned(len: usize) -> SharedSlice<u64> {
    let fill = |items: &mut [u64]| {
        items.iter_mut().zip(0..).for_each(|(item, index)| *item = pattern(index));
    };
    SharedSlice::with(len, fill).unwrap()
}

fn is_patterned(slice: &[u64], from: u64) -> bool {
    slice.iter().zip(from..).all(|(item, index)| *item == pattern(index))
}

/// How many pieces of shared data this process has mapped.
fn mapped() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("procession-shared")).count()
}

fn finish(pool: Pool) {
    pool.close();
    pool.join().unwrap();
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

/// The kibibytes that this process has of a kind of memory.
fn kibibytes(kind: &str) -> u64 {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix(kind)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

#[procession::test]
fn a_worker_reads_a_slice_where_it_lies() {
    let _harness = Harness::start("memory of a reader", LIMIT);
    let slice = patterned((64 << 20) / 8);
    // What only one process has counts as private, however it is shared.
    assert!(is_patterned(&slice, 0));
    let read = |slice: SharedSlice<u64>| {
        let before = ["Anonymous", "Private_Dirty"].map(kibibytes);
        let good = is_patterned(&slice, 0);
        let after = ["Anonymous", "Private_Dirty"].map(kibibytes);
        (good, [after[0].saturating_sub(before[0]), after[1].saturating_sub(before[1])])
    };
    let pool = Pool::new(1).unwrap();
    for _ in 0..5 {
        let (good, more) = pool.apply(read, (slice.clone(),)).unwrap();
        assert!(good);
        assert!(more.iter().all(|kibibytes| *kibibytes < 4096), "{more:?}");
    }
    assert_eq!(pool.stats().shared, 1);
    finish(pool);
}

#[procession::test]
fn a_replacement_gets_what_its_forerunner_had() {
    let _harness = Harness::start("a replaced worker", LIMIT);
    let pool = Pool::new(1).unwrap();
    let slice = patterned(50_000);
    let context = Shared::new("context".to_owned()).unwrap();
    let read = |slice: SharedSlice<u64>, context: Shared<String>, dies: bool| {
        if dies {
            std::process::abort();
        }
        is_patterned(&slice, 0) && *context == "context"
    };
    let call = |dies| pool.apply_async(read, (slice.clone(), context.clone(), dies));
    // What waits behind the one that dies goes to the next.
    let calls: Vec<_> = [false, true, false, false].map(call).into();
    let outcomes: Vec<_> = calls.into_iter().map(|call| call.get()).collect();
    assert!(outcomes[1].as_ref().unwrap_err().is_worker_lost());
    assert!([0, 2, 3].iter().all(|index| *outcomes[*index].as_ref().unwrap()), "{outcomes:?}");
    assert_eq!(pool.stats().shared, 4, "two each to two workers");
    // A chunk goes on behind the item that dies.
    let items = (0..20).map(|n| (slice.clone(), context.clone(), n == 7));
    let later = pool.chunksize(20).starmap_async(read, items);
    assert!(later.get().unwrap_err().is_worker_lost());
    assert_eq!(pool.stats().succeeded, 3 + 19);
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn what_the_program_drops_is_gone_everywhere() {
    let _harness = Harness::start("dropped data", LIMIT);
    let pool = Pool::builder().processes(1).threads(2).build().unwrap();
    let before = mapped();
    let slice = patterned(100_000);
    let context = Shared::new(vec![1_u8; 100_000]).unwrap();
    let use_both = |slice: SharedSlice<u64>, context: Shared<Vec<u8>>| {
        (is_patterned(&slice, 0) && context.len() == 100_000, mapped())
    };
    let calls = || (0..50).map(|_| (slice.clone(), context.clone()));
    let used = pool.starmap(use_both, calls()).unwrap();
    assert!(used.iter().all(|used| *used == (true, 2)), "{used:?}");
    drop((slice, context));
    assert_eq!(mapped(), before);
    wait_for("a worker without shared data", LIMIT, || pool.apply(mapped, ()).unwrap() == 0);
    // A thousand one after the other leave nothing.
    let sum = |slice: SharedSlice<u64>| slice.iter().sum::<u64>();
    for n in 0..1000 {
        let slice = SharedSlice::new(&[n, n]).unwrap();
        assert_eq!(pool.apply(sum, (slice,)).unwrap(), 2 * n);
    }
    wait_for("a worker without shared data", LIMIT, || pool.apply(mapped, ()).unwrap() == 0);
    assert_eq!(mapped(), before);
    finish(pool);
}

static KEPT: Mutex<Option<(SharedSlice<u64>, Shared<String>)>> = Mutex::new(None);

#[procession::test]
fn a_worker_may_keep_what_the_program_has_dropped() {
    let _harness = Harness::start("kept data", LIMIT);
    let pool = Pool::new(1).unwrap();
    let keep = |slice: SharedSlice<u64>, context: Shared<String>| {
        *KEPT.lock().unwrap() = Some((slice, context));
    };
    let context = Shared::new("kept".to_owned()).unwrap();
    pool.apply(keep, (patterned(1000), context)).unwrap();
    // A later piece is told of after the first are gone.
    let other = patterned(10);
    pool.apply(|slice: SharedSlice<u64>| slice.len(), (other,)).unwrap();
    wait_for("two pieces", LIMIT, || pool.apply(mapped, ()).unwrap() == 2);
    let check = || {
        let kept = KEPT.lock().unwrap();
        let (slice, context) = kept.as_ref().unwrap();
        is_patterned(slice, 0) && **context == "kept"
    };
    assert!(pool.apply(check, ()).unwrap());
    let error = pool.apply(|| KEPT.lock().unwrap().take().unwrap().0, ()).unwrap_err();
    assert!(error.is_codec() && error.to_string().contains("last handle is gone"), "{error}");
    wait_for("none", LIMIT, || pool.apply(mapped, ()).unwrap() == 0);
    finish(pool);
}

/// How often this process has decoded a [`Counted`].
static DECODED: AtomicU64 = AtomicU64::new(0);

#[derive(Serialize)]
struct Counted {
    text: String,
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DECODED.fetch_add(1, Ordering::SeqCst);
        String::deserialize(deserializer).map(|text| Self { text })
    }
}

fn count_decoded(layout: Layout) {
    let context = Shared::new(Counted { text: "counted".into() }).unwrap();
    let use_it = |context: Shared<Counted>, _: u64| {
        assert_eq!(context.text, "counted");
        let address = (&raw const *context).addr();
        (std::process::id(), DECODED.load(Ordering::SeqCst), address)
    };
    let pool = layout.pool(2);
    let used = pool.starmap(use_it, (0..1000).map(|n| (context.clone(), n))).unwrap();
    let by_process: BTreeSet<_> = used.iter().map(|(pid, _, address)| (pid, address)).collect();
    let processes: BTreeSet<_> = used.iter().map(|(pid, ..)| pid).collect();
    assert_eq!(by_process.len(), processes.len(), "one value for each process");
    let expected = u64::from(layout != Layout::Threads);
    assert!(used.iter().all(|(_, decoded, _)| *decoded == expected), "{used:?}");
    assert_eq!(DECODED.load(Ordering::SeqCst), 0, "the program has the value itself");
    finish(pool);
}

#[procession::test]
fn a_context_is_decoded_once_by_a_process_and_never_by_the_program() {
    let _harness = Harness::start("a context", LIMIT);
    count_decoded(Layout::Processes);
    count_decoded(Layout::Both);
    count_decoded(Layout::Threads);
}

/// Writes one thing and reads another: an id as a slice.
#[derive(Debug)]
struct Forged<T>(u64, Option<T>);

impl<T> Serialize for Forged<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Forged<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self(0, Some(value)))
    }
}

#[procession::test]
fn ids_that_nobody_sent_are_errors_on_both_sides() {
    let _harness = Harness::start("forged ids", LIMIT);
    let pool = Pool::new(1).unwrap();
    let read = |forged: Forged<SharedSlice<u64>>| forged.1.map(|slice| slice.len());
    let read_shared = |forged: Forged<Shared<String>>| forged.1.map(|shared| shared.len());
    let make = |id: u64| Forged::<SharedSlice<u64>>(id, None);
    for id in [0, 1, 12_345, u64::MAX] {
        let unknown = |error: procession::Error| {
            let text = error.to_string();
            assert!(error.is_codec() && text.contains(&format!("{id:#x}")), "{text}");
        };
        unknown(pool.apply(read, (Forged(id, None),)).unwrap_err());
        unknown(pool.apply(read_shared, (Forged(id, None),)).unwrap_err());
        unknown(pool.apply(make, (id,)).unwrap_err());
    }
    assert_eq!(pool.stats().respawns, 0, "the worker lives on");
    finish(pool);
}

#[procession::test]
fn data_of_another_type_is_an_error() {
    let _harness = Harness::start("another type", LIMIT);
    let pool = Pool::new(1).unwrap();
    #[derive(Serialize)]
    struct As<T, U>(T, std::marker::PhantomData<fn() -> U>);
    impl<'de, T, U: Deserialize<'de>> Deserialize<'de> for As<T, U>
    where
        T: From<U>,
    {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Ok(Self(T::from(U::deserialize(deserializer)?), std::marker::PhantomData))
        }
    }
    #[derive(Serialize)]
    struct Numbers(SharedSlice<u64>);
    impl From<SharedSlice<f32>> for Numbers {
        fn from(_: SharedSlice<f32>) -> Self {
            unreachable!("these are no floats")
        }
    }
    impl From<Shared<String>> for Numbers {
        fn from(_: Shared<String>) -> Self {
            unreachable!("this is no text")
        }
    }
    let slice = patterned(10);
    let floats = As::<_, SharedSlice<f32>>(Numbers(slice.clone()), std::marker::PhantomData);
    let text = As::<_, Shared<String>>(Numbers(slice.clone()), std::marker::PhantomData);
    let take_floats = |_: As<Numbers, SharedSlice<f32>>| 1;
    let take_text = |_: As<Numbers, Shared<String>>| 1;
    for error in [
        pool.apply(take_floats, (floats,)).unwrap_err(),
        pool.apply(take_text, (text,)).unwrap_err(),
    ] {
        assert!(error.is_codec() && error.to_string().contains("of another type"), "{error}");
    }
    // A worker that gives a slice back as what it is not.
    let lie = |slice: SharedSlice<u64>| {
        As::<_, SharedSlice<f32>>(Numbers(slice), std::marker::PhantomData)
    };
    let error = pool.apply(lie, (slice,)).map(|_| ()).unwrap_err();
    assert!(error.is_codec() && error.to_string().contains("of another type"), "{error}");
    finish(pool);
}

#[procession::test]
fn what_a_worker_makes_stays_there() {
    let _harness = Harness::start("data of a worker's own", LIMIT);
    let pool = Pool::new(1).unwrap();
    let error = pool.apply(|| SharedSlice::new(&[1_u8]).unwrap(), ()).unwrap_err();
    assert!(error.is_codec() && error.to_string().contains("made in a worker"), "{error}");
    let error = pool.apply(|| vec![Shared::new(1_u8).unwrap()], ()).unwrap_err();
    assert!(error.is_codec() && error.to_string().contains("made in a worker"), "{error}");
    finish(pool);
}

#[procession::test]
fn shared_data_is_encoded_with_tasks_alone() {
    let _harness = Harness::start("encoding elsewhere", LIMIT);
    let slice = SharedSlice::new(&[1_u8]).unwrap();
    let error = serde_json::to_string(&slice).unwrap_err();
    assert!(error.to_string().contains("only with a task"), "{error}");
}

#[procession::test]
fn more_shared_data_than_a_call_can_have_is_refused() {
    let _harness = Harness::start("too much shared data", LIMIT);
    let pool = Pool::new(1).unwrap();
    let slices: Vec<_> = (0..257).map(|n| SharedSlice::new(&[n]).unwrap()).collect();
    let sum = |slices: Vec<SharedSlice<u64>>| slices.iter().flatten().sum::<u64>();
    let most = slices[..256].to_vec();
    assert_eq!(pool.apply(sum, (most.clone(),)).unwrap(), 255 * 128);
    let error = pool.apply(sum, (slices.clone(),)).unwrap_err();
    assert!(error.is_codec() && error.to_string().contains("256"), "{error}");
    let error = Shared::new(slices).unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("256"), "{error:?}");
    let bundle = Shared::new(most[1..].to_vec()).unwrap();
    let sum = |bundle: Shared<Vec<SharedSlice<u64>>>| bundle.iter().flatten().sum::<u64>();
    assert_eq!(pool.apply(sum, (bundle,)).unwrap(), 255 * 128);
    finish(pool);
}

#[procession::test]
fn a_process_of_its_own_gets_shared_data_too() {
    let _harness = Harness::start("a process with shared data", LIMIT);
    let slice = patterned(10_000);
    let context = Shared::new(HashMap::from([(1, "one".to_owned())])).unwrap();
    let read = |slice: SharedSlice<u64>, context: Shared<HashMap<i32, String>>| {
        (is_patterned(&slice, 0), context[&1].clone(), slice)
    };
    let mut process = Process::new(read, (slice, context));
    process.start().unwrap();
    let (good, text, back) = process.join().unwrap();
    assert!(good && text == "one" && is_patterned(&back, 0));
}

#[procession::test]
fn a_write_through_a_worker_s_view_costs_that_worker_alone() {
    let _harness = Harness::start("a write to shared data", LIMIT);
    let pool = Pool::new(2).unwrap();
    let slice = patterned(10_000);
    let write = |slice: SharedSlice<u64>| {
        let address = slice.as_ptr().cast_mut();
        // SAFETY: the memory is mapped for reading alone, so this ends the process before anything
        // else runs.
        unsafe { address.write_volatile(0) };
    };
    let error = pool.apply(write, (slice.clone(),)).unwrap_err();
    assert!(error.is_worker_lost() && error.signal() == Some(libc::SIGSEGV), "{error}");
    let check = |slice: SharedSlice<u64>| is_patterned(&slice, 0);
    assert!(pool.map(check, (0..10).map(|_| slice.clone())).unwrap().iter().all(|good| *good));
    assert!(is_patterned(&slice, 0));
    finish(pool);
}
