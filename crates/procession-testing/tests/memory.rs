//! Shared memory, its names, lists and atomics in it, and what is left when somebody is killed.

use procession::{
    AtomicArray, Error, Event, Pool, Process, Queue, Shareable, ShareableList, SharedMemory, Value,
};
use procession_testing::{Harness, Random, again_by, send, wait_for};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI8, AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// A name that no other test, and no other run, has.
fn fresh(what: &str) -> String {
    format!("test-{}-{what}", std::process::id())
}

fn kill<T: procession::Returned>(process: &mut Process<T>) {
    let pid = process.pid().expect("it has started");
    assert!(send(pid.cast_signed(), libc::SIGKILL));
    let error = process.join().err().expect("it was killed");
    assert_eq!(error.signal_name(), Some("SIGKILL"));
}

fn kind_of<T: std::fmt::Debug>(result: procession::Result<T>) -> Option<ErrorKind> {
    result.expect_err("this is refused").io_kind()
}

fn add_one(memory: SharedMemory, at: usize) -> procession::Result<Option<String>> {
    memory.set(at, memory.get::<u64>(at)? + 1)?;
    Ok(memory.name().map(str::to_owned))
}

#[procession::test]
fn memory_is_an_argument_and_a_result_like_any_other() {
    let _harness = Harness::start("memory as an argument", LIMIT);
    for bytes in [1, 16, 40_000, 3 << 20] {
        let memory = SharedMemory::new(bytes).unwrap();
        assert_eq!((memory.size(), memory.name()), (bytes, None));
        assert!(memory.to_vec().unwrap().iter().all(|byte| *byte == 0));
        memory.set(bytes - 1, 7_u8).unwrap();
        let mut child = Process::new(
            |memory: SharedMemory| -> procession::Result<SharedMemory> {
                let last = memory.size() - 1;
                memory.set(last, memory.get::<u8>(last)? + 1)?;
                Ok(memory)
            },
            (memory.clone(),),
        );
        child.start().unwrap();
        let came = child.join().unwrap().unwrap();
        assert_eq!(memory.get::<u8>(bytes - 1).unwrap(), 8);
        came.set(0, 9_u8).unwrap();
        assert_eq!(memory.get::<u8>(0).unwrap(), 9);
    }
    for pool in [Pool::new(2).unwrap(), Pool::threads(2).unwrap().into()] {
        let memory = SharedMemory::create(&fresh("pool"), 800).unwrap();
        let calls = (0..100).map(|index| (memory.clone(), index * 8));
        for name in pool.starmap(add_one, calls).unwrap() {
            assert_eq!(name.unwrap().as_deref(), memory.name());
        }
        assert!((0..100).all(|index| memory.get::<u64>(index * 8).unwrap() == 1));
    }
}

#[procession::test]
fn accesses_outside_of_the_memory_are_refused_and_change_nothing() {
    let _harness = Harness::start("accesses outside", LIMIT);
    let memory = SharedMemory::new(10).unwrap();
    memory.write(0, b"0123456789").unwrap();
    assert!(memory.write(1, &[0; 10]).is_err() && memory.write(usize::MAX, b"x").is_err());
    assert!(memory.read(10, &mut [0]).is_err() && memory.set(7, 0_u32).is_err());
    assert!(memory.get::<u64>(3).is_err() && memory.get::<u8>(10).is_err());
    let error = memory.get::<u32>(8).unwrap_err();
    assert!(error.to_string().contains("bytes 8..12 of shared memory of 10"), "{error}");
    memory.write(10, b"").unwrap();
    assert_eq!(memory.get::<[u8; 10]>(0).unwrap(), *b"0123456789");
    assert!(SharedMemory::new(0).is_err() && SharedMemory::create("empty", 0).is_err());
    assert!(SharedMemory::new(usize::MAX).is_err() && SharedMemory::new(1 << 62).is_err());
}

fn attach_and_set(name: String, value: u32) -> procession::Result<u32> {
    let memory = SharedMemory::attach(&name)?;
    let before = memory.get(4)?;
    memory.set(4, value)?;
    Ok(before)
}

#[procession::test]
fn a_name_leads_to_the_same_memory_in_every_process() {
    let _harness = Harness::start("names", LIMIT);
    let name = fresh("same");
    assert_eq!(kind_of(SharedMemory::attach(&name)), Some(ErrorKind::NotFound));
    let memory = SharedMemory::create(&name, 100).unwrap();
    memory.set(4, 1_u32).unwrap();
    assert_eq!(kind_of(SharedMemory::create(&name, 100)), Some(ErrorKind::AlreadyExists));
    for value in 2..5 {
        let mut child = Process::new(attach_and_set, (name.clone(), value));
        child.start().unwrap();
        assert_eq!(child.join().unwrap().unwrap(), value - 1);
    }
    assert_eq!(memory.get::<u32>(4).unwrap(), 4);
    let also = SharedMemory::attach(&name).unwrap();
    assert_eq!((also.size(), also.name()), (100, Some(&*name)));
    drop(memory);
    assert_eq!(kind_of(SharedMemory::attach(&name)), Some(ErrorKind::NotFound));
    assert_eq!(also.get::<u32>(4).unwrap(), 4);
    assert_eq!(kind_of(also.unlink()), Some(ErrorKind::NotFound));
}

fn unlink(name: String) -> procession::Result<Error> {
    let memory = SharedMemory::attach(&name)?;
    memory.unlink()?;
    // It is free at once, and this process can have it.
    let other = SharedMemory::create(&name, 1)?;
    assert_eq!(other.size(), 1);
    Ok(memory.unlink().unwrap_err())
}

#[procession::test]
fn anybody_who_has_the_memory_can_unlink_it_once() {
    let _harness = Harness::start("unlink", LIMIT);
    let name = fresh("unlinked");
    let memory = SharedMemory::create(&name, 8).unwrap();
    let mut child = Process::new(unlink, (name.clone(),));
    child.start().unwrap();
    assert_eq!(child.join().unwrap().unwrap().io_kind(), Some(ErrorKind::NotFound));
    assert_eq!(kind_of(memory.unlink()), Some(ErrorKind::NotFound));
    assert_eq!(memory.name(), Some(&*name));
    memory.set(0, 5_u64).unwrap();
    let again = SharedMemory::create(&name, 16).unwrap();
    again.unlink().unwrap();
    assert_eq!(kind_of(SharedMemory::attach(&name)), Some(ErrorKind::NotFound));
    assert!(SharedMemory::new(1).unwrap().unlink().unwrap_err().io_kind().is_none());
}

#[procession::test]
fn names_that_cannot_be_and_names_of_something_else_are_refused() {
    let _harness = Harness::start("refused names", LIMIT);
    let long = "n".repeat(81);
    for name in ["", "a\0b", &long] {
        assert_eq!(kind_of(SharedMemory::create(name, 1)), Some(ErrorKind::InvalidInput));
        assert_eq!(kind_of(SharedMemory::attach(name)), Some(ErrorKind::InvalidInput));
    }
    let name = fresh("list");
    let list = ShareableList::create(&name, [1.into()]).unwrap();
    assert_eq!(kind_of(SharedMemory::attach(&name)), Some(ErrorKind::InvalidData));
    assert_eq!(ShareableList::attach(&name).unwrap().get(0).unwrap(), 1.into());
    list.unlink().unwrap();
    assert_eq!(kind_of(ShareableList::attach(&name)), Some(ErrorKind::NotFound));
}

fn make_and_wait(name: String, made: Event) -> procession::Result<()> {
    let memory = SharedMemory::create(&name, 1000)?;
    memory.write(990, b"left")?;
    made.set();
    std::thread::sleep(LIMIT);
    drop(memory);
    Ok(())
}

fn attach_and_wait(
    name: String,
    attached: Event,
    killed: Event,
) -> procession::Result<(Vec<u8>, Option<Error>)> {
    let memory = SharedMemory::attach(&name)?;
    attached.set();
    killed.wait();
    memory.write(994, b" to al")?;
    let others = SharedMemory::attach(&name);
    Ok((memory.to_vec()?.split_off(990), others.err()))
}

#[procession::test]
fn the_name_goes_with_its_killed_maker_and_the_memory_stays_with_the_others() {
    let _harness = Harness::start("a killed maker", LIMIT);
    let name = fresh("killed");
    for _ in 0..5 {
        let events = || Event::new().unwrap();
        let (made, attached, killed) = (events(), events(), events());
        let mut maker = Process::new(make_and_wait, (name.clone(), made.clone()));
        maker.start().unwrap();
        made.wait();
        let arguments = (name.clone(), attached.clone(), killed.clone());
        let mut other = Process::new(attach_and_wait, arguments);
        other.start().unwrap();
        let ours = SharedMemory::attach(&name).unwrap();
        attached.wait();
        kill(&mut maker);
        killed.set();
        let (bytes, error) = other.join().unwrap().unwrap();
        let kind = error.and_then(|error| error.io_kind());
        assert_eq!((&bytes[..], kind), (&b"left to al"[..], Some(ErrorKind::NotFound)));
        assert_eq!(ours.get::<[u8; 10]>(990).unwrap(), *b"left to al");
        assert_eq!(kind_of(ours.unlink()), Some(ErrorKind::NotFound));
        // The name is free for the next.
    }
    let sockets = std::fs::read_to_string("/proc/net/unix").unwrap();
    assert!(!sockets.contains(&name), "nothing is left of it");
}

fn attach_or_fail(name: String, start: Event, index: u64) -> procession::Result<Option<u64>> {
    start.wait();
    for _ in 0..200 {
        match SharedMemory::attach(&name) {
            Ok(memory) => return Ok(Some(memory.get(0)?)),
            Err(error) if error.io_kind() == Some(ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
        match SharedMemory::create(&name, 8) {
            Ok(memory) => {
                memory.set(0, index)?;
                memory.unlink()?;
                return Ok(None);
            }
            Err(error) if error.io_kind() == Some(ErrorKind::AlreadyExists) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

#[procession::test]
fn processes_that_make_attach_and_unlink_one_name_at_once_do_not_get_stuck() {
    let _harness = Harness::start("a race for a name", LIMIT);
    let (name, start) = (fresh("race"), Event::new().unwrap());
    let pool = Pool::new(4).unwrap();
    let calls = (0..300).map(|index| (name.clone(), start.clone(), index));
    let results = pool.starmap_async(attach_or_fail, calls);
    start.set();
    for result in results.get().unwrap() {
        // Who attaches before the maker has written sees what it was made with.
        let seen: Option<u64> = result.unwrap();
        assert!(seen.is_none_or(|index| index < 300));
    }
}

#[procession::test]
fn a_maker_that_is_stopped_is_waited_for_and_many_attach_at_once() {
    let _harness = Harness::start("a stopped maker", LIMIT);
    let (name, made) = (fresh("stopped"), Event::new().unwrap());
    let mut maker = Process::new(make_and_wait, (name.clone(), made.clone()));
    maker.start().unwrap();
    made.wait();
    let pid = maker.pid().unwrap().cast_signed();
    assert!(send(pid, libc::SIGSTOP));
    std::thread::scope(|scope| {
        let attach = || SharedMemory::attach(&name).map(|memory| memory.size());
        let all: Vec<_> = (0..20).map(|_| scope.spawn(attach)).collect();
        assert!(send(pid, libc::SIGCONT));
        for attached in all {
            assert_eq!(attached.join().unwrap().unwrap(), 1000);
        }
    });
    kill(&mut maker);
}

fn starve(name: String, starved: Event, feed: Event, done: Event) -> procession::Result<()> {
    let memory = SharedMemory::create(&name, 10)?;
    let limit = getrlimit(Resource::Nofile);
    // Those that are open stay: this is less than the next would be. Less than the number of descriptors
    // that one call waits for (`poll(2)`) would end this process.
    setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..limit }).expect("a lower limit");
    starved.set();
    feed.wait();
    setrlimit(Resource::Nofile, limit).expect("no more than it was");
    done.wait();
    drop(memory);
    Ok(())
}

#[procession::test]
fn a_maker_without_descriptors_answers_when_it_has_some_again() {
    let _harness = Harness::start("a maker without descriptors", LIMIT);
    let name = fresh("starved");
    let events = || Event::new().unwrap();
    let (starved, feed, done) = (events(), events(), events());
    let arguments = (name.clone(), starved.clone(), feed.clone(), done.clone());
    let mut maker = Process::new(starve, arguments);
    maker.start().unwrap();
    starved.wait();
    std::thread::scope(|scope| {
        let attaching = scope.spawn(|| SharedMemory::attach(&name).unwrap().size());
        std::thread::sleep(Duration::from_millis(50));
        assert!(!attaching.is_finished(), "a connection takes a descriptor");
        feed.set();
        assert_eq!(attaching.join().unwrap(), 10);
    });
    done.set();
    maker.join().unwrap().unwrap();
}

#[procession::test]
fn a_handle_that_comes_back_keeps_the_name() {
    let _harness = Harness::start("a handle that comes back", LIMIT);
    let name = fresh("back");
    let pool = Pool::new(1).unwrap();
    let back = |memory: SharedMemory| memory;
    let came = pool.apply(back, (SharedMemory::create(&name, 8).unwrap(),)).unwrap();
    // Between, nobody here had it.
    assert_eq!(kind_of(SharedMemory::attach(&name)), Some(ErrorKind::NotFound));
    drop(came);
    let memory = SharedMemory::create(&name, 8).unwrap();
    let came = pool.apply(back, (memory.clone(),)).unwrap();
    drop(memory);
    assert_eq!(SharedMemory::attach(&name).unwrap().size(), 8);
    came.unlink().unwrap();
    assert_eq!(kind_of(SharedMemory::attach(&name)), Some(ErrorKind::NotFound));
}

fn write_stripes(memory: SharedMemory, mine: u64, rounds: u64) -> procession::Result<()> {
    for round in 0..rounds {
        let value = mine << 32 | round;
        for at in (0..memory.size()).step_by(8) {
            memory.set(at, value | value << 48)?;
        }
    }
    Ok(())
}

#[procession::test]
fn values_of_eight_bytes_are_whole_while_others_write() {
    const BYTES: usize = 4096;
    let _harness = Harness::start("concurrent writers", LIMIT);
    let memory = SharedMemory::new(BYTES).unwrap();
    let mut writers: Vec<_> =
        (1..4).map(|mine| Process::new(write_stripes, (memory.clone(), mine, 3_000))).collect();
    for writer in &mut writers {
        writer.start().unwrap();
    }
    let mut seed = Random::new(7);
    while writers.iter().any(Process::is_alive) {
        for _ in 0..1000 {
            let at = seed.below(BYTES as u64 / 8) as usize * 8;
            let value: u64 = memory.get(at).unwrap();
            let (writer, round) = (value << 16 >> 48, value as u32);
            assert!(writer <= 3 && round < 3_000, "{value:x}");
            assert_eq!(value >> 48, u64::from(round as u16), "{value:x}");
        }
    }
    for writer in &mut writers {
        writer.join().unwrap().unwrap();
    }
    assert!((0..BYTES).step_by(8).all(|at| memory.get::<u64>(at).unwrap() as u32 == 2_999));
}

#[procession::test]
fn lists_behave_as_python_s_do() {
    let _harness = Harness::start("a list", LIMIT);
    let values: [Shareable; 7] = [
        "howdy".into(),
        b"HoWdY"[..].into(),
        (-273.154).into(),
        100.into(),
        ().into(),
        true.into(),
        42.into(),
    ];
    let list = ShareableList::new(values.clone()).unwrap();
    assert_eq!((list.len(), list.is_empty(), list.name()), (7, false, None));
    assert_eq!(list.to_vec().unwrap(), values);
    assert_eq!(list.iter().map(Result::unwrap).collect::<Vec<_>>(), values);
    assert_eq!(list.iter().len(), 7);
    list.set(4, "some").unwrap();
    list.set(0, Shareable::None).unwrap();
    list.set(3, 100.0).unwrap();
    assert_eq!(list.index(100.0).unwrap(), Some(3));
    assert_eq!(list.index(100).unwrap(), None);
    list.set(6, true).unwrap();
    assert_eq!((list.count(true).unwrap(), list.count("absent").unwrap()), (2, 0));
    assert_eq!(list.index(true).unwrap(), Some(5));
    assert_eq!(list.room(0).unwrap(), 8);
    list.set(0, "eight by").unwrap();
    let error = list.set(0, "nine byte").unwrap_err();
    assert!(error.to_string().contains("9 bytes does not fit into place 0"), "{error}");
    assert_eq!(list.get(0).unwrap(), "eight by".into());
    let none = ShareableList::new([]).unwrap();
    assert!(none.is_empty() && none.to_vec().unwrap().is_empty());
    assert_eq!(none.index(0).unwrap(), None);
    catch_unwind(AssertUnwindSafe(|| list.get(7))).expect_err("there is no such place");
    assert!(!list.lock().unwrap().owner_died(), "the panic has let go of the lock");
}

/// Text that says of itself whether it is whole.
fn text(number: u64) -> String {
    let digit = char::from(b'a' + (number % 26) as u8);
    digit.to_string().repeat(1 + number as usize % 997)
}

fn is_whole(value: &Shareable) -> bool {
    let text = value.as_str().expect("text");
    text.bytes().all(|byte| byte == text.as_bytes()[0])
}

fn set_for_ever(list: ShareableList, seed: u64, sets: Value<u64>) -> procession::Result<()> {
    let mut random = Random::new(seed);
    loop {
        let guard = list.lock()?;
        let number = random.number();
        guard.set(0, text(number))?;
        guard.set(1, text(number))?;
        drop(guard);
        *sets.lock()? += 1;
    }
}

#[procession::test]
fn values_of_a_list_are_whole_wherever_their_writers_are_killed() {
    let _harness = Harness::start("killed writers of a list", LIMIT);
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let list = ShareableList::new([text(996).into(), text(996).into()]).unwrap();
    let sets = Value::new(0).unwrap();
    let mut deaths = 0;
    for round in 0..40 {
        let arguments = (list.clone(), random.number(), sets.clone());
        let mut writers: Vec<_> =
            (0..2).map(|_| Process::new(set_for_ever, arguments.clone())).collect();
        for writer in &mut writers {
            writer.start().unwrap();
        }
        let before = sets.get().unwrap();
        let enough = before + random.below(300);
        wait_for("values to be set", LIMIT, || {
            let values = list.to_vec().unwrap();
            assert!(values.iter().all(is_whole), "{values:?} in round {round}");
            assert_eq!(values[0], values[1], "both are set under one lock");
            sets.get().unwrap() > enough
        });
        for writer in &mut writers {
            kill(writer);
        }
        let guard = list.lock().unwrap();
        let (first, second) = (guard.get(0).unwrap(), guard.get(1).unwrap());
        assert!(is_whole(&first) && is_whole(&second), "{first:?} {second:?} in round {round}");
        assert!(first == second || guard.owner_died(), "{first:?} {second:?} in round {round}");
        deaths += u64::from(guard.owner_died());
        guard.set(1, first).unwrap();
    }
    println!("{} sets, {deaths} deaths with the lock", sets.get().unwrap());
}

fn die_with_the_lock(list: ShareableList, locked: Event) -> procession::Result<()> {
    let guard = list.lock()?;
    guard.set(0, "begun")?;
    locked.set();
    std::thread::sleep(LIMIT);
    guard.set(1, "done")
}

#[procession::test]
fn who_waits_for_a_list_is_told_that_its_holder_died() {
    let _harness = Harness::start("a dead holder of a list", LIMIT);
    let list = ShareableList::new(["before".into(), "before".into()]).unwrap();
    let locked = Event::new().unwrap();
    let mut holder = Process::new(die_with_the_lock, (list.clone(), locked.clone()));
    holder.start().unwrap();
    locked.wait();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let guard = list.lock().unwrap();
            (guard.owner_died(), guard.get(0).unwrap(), guard.get(1).unwrap())
        });
        kill(&mut holder);
        assert_eq!(waiting.join().unwrap(), (true, "begun".into(), "before".into()));
    });
    assert!(!list.lock().unwrap().owner_died());
}

fn count(histogram: AtomicArray<AtomicU64>, done: AtomicArray<AtomicI8>, index: usize) {
    for item in 0..10_000 {
        histogram[item % histogram.len()].fetch_add(1, Ordering::Relaxed);
    }
    done[index].store(-1, Ordering::Release);
}

#[procession::test]
fn atomics_are_borrowed_by_all_tasks_at_once() {
    let _harness = Harness::start("atomics", LIMIT);
    let (histogram, done) = (AtomicArray::zeroed(100).unwrap(), AtomicArray::zeroed(16).unwrap());
    let pool = Pool::new(4).unwrap();
    pool.starmap(count, (0..16).map(|index| (histogram.clone(), done.clone(), index))).unwrap();
    assert!(histogram.iter().all(|count| count.load(Ordering::Relaxed) == 1_600));
    assert!(done.iter().all(|done| done.load(Ordering::Acquire) == -1));
    let large = AtomicArray::<AtomicU16>::zeroed(1 << 20).unwrap();
    let mut child = Process::new(
        |large: AtomicArray<AtomicU16>| large[large.len() - 1].store(7, Ordering::Relaxed),
        (large.clone(),),
    );
    child.start().unwrap();
    child.join().unwrap();
    assert_eq!(large[(1 << 20) - 1].load(Ordering::Relaxed), 7);
    assert!(AtomicArray::<AtomicU64>::zeroed(0).unwrap().is_empty());
    assert!(AtomicArray::<AtomicU64>::zeroed(usize::MAX / 8).is_err());
}

fn hand_out(queue: Queue<SharedMemory>) -> procession::Result<()> {
    let memory = SharedMemory::new(1)?;
    memory.write(0, &[9])?;
    queue.put(&memory)
}

#[procession::test]
fn what_a_task_makes_gets_out_by_a_queue_and_is_no_result() {
    let _harness = Harness::start("memory in a queue", LIMIT);
    let pool = Pool::new(1).unwrap();
    let queue = Queue::new().unwrap();
    pool.apply(hand_out, (queue.clone(),)).unwrap().unwrap();
    let mut byte = [0];
    queue.get().unwrap().read(0, &mut byte).unwrap();
    assert_eq!(byte, [9]);
    let error = pool.apply(|| SharedMemory::new(1).unwrap(), ()).unwrap_err();
    assert!(error.is_codec(), "{error}");
    // A name goes anywhere.
    let attached = |name: String| SharedMemory::attach(&name).unwrap();
    let memory = SharedMemory::create(&fresh("anywhere"), 1).unwrap();
    let name = memory.name().unwrap().to_owned();
    let error = pool.apply(attached, (name,)).unwrap_err();
    assert!(error.is_codec(), "{error}");
}

again_by! { Spawn in spawned:
    memory_is_an_argument_and_a_result_like_any_other,
    a_name_leads_to_the_same_memory_in_every_process,
    anybody_who_has_the_memory_can_unlink_it_once,
    the_name_goes_with_its_killed_maker_and_the_memory_stays_with_the_others,
    values_of_a_list_are_whole_wherever_their_writers_are_killed,
    atomics_are_borrowed_by_all_tasks_at_once,
}
