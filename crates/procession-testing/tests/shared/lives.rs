//! How long shared data lives, where, and how often.

use crate::{LIMIT, finish, is_patterned, mapped, patterned};
use procession::{Pool, Process, Shared, SharedSlice};
use procession_testing::{Harness, Layout, send, wait_for};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// How often this process has decoded something that counts it.
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
    let before = DECODED.load(Ordering::SeqCst);
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
    // The program has the value itself.
    let expected = if layout == Layout::Threads { before } else { 1 };
    assert!(used.iter().all(|(_, decoded, _)| *decoded == expected), "{used:?}");
    assert_eq!(DECODED.load(Ordering::SeqCst), before);
    finish(pool);
}

#[procession::test]
fn a_context_is_decoded_once_by_a_process_and_never_by_the_program() {
    let _harness = Harness::start("a context", LIMIT);
    count_decoded(Layout::Processes);
    count_decoded(Layout::Both);
    count_decoded(Layout::Threads);
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
fn a_worker_that_does_not_read_holds_up_its_own_tasks_alone() {
    let _harness = Harness::start("a full channel", LIMIT);
    let pool = Pool::builder().processes(2).threads(2).build().unwrap();
    // Tiny tasks open the windows, so that there is much under way.
    let tiny: Vec<_> = (0..5000).map(|x| pool.apply_async(|x: u64| x, (x,))).collect();
    assert!(tiny.into_iter().zip(0..).all(|(tiny, x)| tiny.get().unwrap() == x));
    let pid = pool.worker_pids()[0] as i32;
    send(pid, libc::SIGSTOP);
    // More than a channel that nobody reads can hold.
    let slices = (0..450_u64).map(|n| SharedSlice::new(&[n, 1]).unwrap());
    let sum = |slice: SharedSlice<u64>| slice.iter().sum::<u64>();
    let sums: Vec<_> = slices.map(|slice| pool.apply_async(sum, (slice,))).collect();
    // It has at most one task on each of its threads that nobody else can have.
    let done = || sums.iter().filter(|sum| sum.ready()).count();
    wait_for("the other worker", LIMIT, || done() >= 448);
    send(pid, libc::SIGCONT);
    for (sum, n) in sums.into_iter().zip(0..) {
        assert_eq!(sum.get().unwrap(), n + 1);
    }
    let is_clean = || (0..20).all(|_| pool.apply(mapped, ()).unwrap() == 0);
    wait_for("workers without shared data", LIMIT, is_clean);
    finish(pool);
}

#[procession::test]
fn a_value_whose_parts_are_shared_too_outlives_the_handles_of_its_parts() {
    let _harness = Harness::start("nested contexts", LIMIT);
    let pool = Pool::new(1).unwrap();
    let words = Shared::new(vec!["deep".to_owned()]).unwrap();
    let middle = Shared::new((words, patterned(1000))).unwrap();
    let outer = Shared::new(vec![middle.clone(), middle]).unwrap();
    type Middle = Shared<(Shared<Vec<String>>, SharedSlice<u64>)>;
    let read = |outer: Shared<Vec<Middle>>| {
        let (words, slice) = &*outer[1];
        (words[0].clone(), is_patterned(slice, 0), outer[0].clone())
    };
    for _ in 0..3 {
        let (word, good, back) = pool.apply(read, (outer.clone(),)).unwrap();
        assert!(word == "deep" && good && is_patterned(&back.1, 0));
    }
    assert_eq!(pool.stats().shared, 4);
    drop(outer);
    wait_for("a worker without shared data", LIMIT, || pool.apply(mapped, ()).unwrap() == 0);
    finish(pool);
}

/// Dropped with a stack that the library's own threads do not have.
#[derive(Serialize, Deserialize)]
struct Deep(u8);

impl Drop for Deep {
    fn drop(&mut self) {
        let room = std::hint::black_box([self.0; 256 * 1024]);
        DECODED.fetch_add(room[room.len() - 1].into(), Ordering::SeqCst);
    }
}

#[procession::test]
fn a_context_is_dropped_where_there_is_room_to_do_so() {
    let _harness = Harness::start("a deep drop", LIMIT);
    let pool = Pool::new(1).unwrap();
    let deep = Shared::new(Deep(3)).unwrap();
    assert_eq!(pool.apply(|deep: Shared<Deep>| deep.0, (deep.clone(),)).unwrap(), 3);
    let before = DECODED.load(Ordering::SeqCst);
    drop(deep);
    assert_eq!(DECODED.load(Ordering::SeqCst), before + 3, "the program drops its own at once");
    let dropped = || DECODED.load(Ordering::SeqCst);
    wait_for("its drop in the worker", LIMIT, || pool.apply(dropped, ()).unwrap() == 3);
    assert_eq!(pool.stats().respawns, 0);
    finish(pool);
}

#[procession::test]
fn shared_data_that_comes_and_goes_survives_workers_that_die() {
    let _harness = Harness::start("a storm of shared data", LIMIT);
    let pool = Pool::builder().processes(2).threads(2).build().unwrap();
    let lasting = Shared::new((patterned(2000), "lasting".to_owned())).unwrap();
    type Lasting = Shared<(SharedSlice<u64>, String)>;
    let task = |own: SharedSlice<u64>, lasting: Lasting, dies: bool| {
        if dies {
            std::process::abort();
        }
        assert!(is_patterned(&lasting.0, 0) && lasting.1 == "lasting");
        (own.iter().sum::<u64>(), own)
    };
    std::thread::scope(|scope| {
        for thread in 0..3_u64 {
            let (pool, lasting) = (&pool, &lasting);
            scope.spawn(move || {
                for round in 0..40_u64 {
                    let call = |n: u64| {
                        let own = SharedSlice::new(&[thread, round, n]).unwrap();
                        let dies = (thread, round % 10, n) == (1, 5, 3);
                        pool.apply_async(task, (own, lasting.clone(), dies))
                    };
                    let calls: Vec<_> = (0..8).map(call).collect();
                    for (call, n) in calls.into_iter().zip(0..) {
                        match call.get() {
                            Ok((sum, own)) => {
                                assert_eq!(
                                    (sum, &own[..]),
                                    (own.iter().sum(), &[thread, round, n][..])
                                );
                            }
                            Err(error) => assert!(error.is_worker_lost(), "{error}"),
                        }
                    }
                }
            });
        }
    });
    assert!(pool.stats().lost >= 4, "{:?}", pool.stats());
    drop(lasting);
    let is_clean = || (0..20).all(|_| pool.apply(mapped, ()).unwrap() == 0);
    wait_for("workers without shared data", LIMIT, is_clean);
    pool.close();
    pool.join().unwrap();
}
