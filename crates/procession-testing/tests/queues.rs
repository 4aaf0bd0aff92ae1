//! Queues between processes, and what is left of them when some are killed.

use procession::{
    Connection, JoinableQueue, Lock, Pool, Process, Queue, SharedSlice, SimpleQueue, Value, pipe,
};
use procession_testing::{Harness, again_by, send, wait_for};
use std::collections::BTreeSet;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

fn kill<T: procession::Returned>(process: &Process<T>) {
    let pid = process.pid().expect("it has started");
    assert!(send(pid.cast_signed(), libc::SIGKILL));
}

fn double(numbers: Queue<u64>, doubled: Queue<(u64, String)>) -> procession::Result<u64> {
    let mut count = 0;
    for number in &numbers {
        let number = number?;
        doubled.put(&(2 * number, "x".repeat(number as usize % 100)))?;
        count += 1;
    }
    Ok(count)
}

#[procession::test]
fn many_processes_share_the_work_and_each_item_comes_once() {
    const COUNT: u64 = 5_000;
    let _harness = Harness::start("a queue of work", LIMIT);
    let (numbers, doubled) = (Queue::new().unwrap(), Queue::bounded(50).unwrap());
    let handles = (numbers.clone(), doubled.clone());
    let mut workers: Vec<_> = (0..3).map(|_| Process::new(double, handles.clone())).collect();
    for worker in &mut workers {
        worker.start().unwrap();
    }
    let sorted = std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..COUNT {
                numbers.put(&number).unwrap();
            }
            numbers.close().unwrap();
        });
        let all: Vec<_> = (0..COUNT).map(|_| doubled.get().unwrap()).collect();
        assert!(all.iter().all(|(twice, text)| text.len() as u64 == twice / 2 % 100));
        all.into_iter().map(|(twice, _)| twice).collect::<BTreeSet<_>>()
    });
    assert!(sorted.into_iter().eq((0..COUNT).map(|number| 2 * number)));
    let counts: u64 = workers.iter_mut().map(|worker| worker.join().unwrap().unwrap()).sum();
    assert_eq!(counts, COUNT);
    assert_eq!(doubled.try_get().unwrap(), None);
}

fn endless(queue: Queue<Vec<u64>>, next: Value<u64>) -> procession::Result<()> {
    loop {
        // Numbers are given out once; the item says several times which one it is.
        let number = {
            let mut next = next.lock()?;
            *next += 1;
            *next
        };
        queue.put(&vec![number; number as usize % 300 + 1])?;
    }
}

#[procession::test]
fn a_producer_that_is_killed_has_put_its_item_whole_or_not_at_all() {
    let _harness = Harness::start("killed producers", LIMIT);
    let (queue, next) = (Queue::bounded(20).unwrap(), Value::new(0_u64).unwrap());
    let mut seen = BTreeSet::new();
    for round in 0..20 {
        let handles = (queue.clone(), next.clone());
        let mut producers: Vec<_> =
            (0..2).map(|_| Process::new(endless, handles.clone())).collect();
        for producer in &mut producers {
            producer.start().unwrap();
        }
        for _ in 0..50 + 7 * round {
            let item = queue.get().unwrap();
            assert!(item.len() as u64 == item[0] % 300 + 1 && item.iter().all(|x| *x == item[0]));
            assert!(seen.insert(item[0]), "{} came twice", item[0]);
        }
        for producer in &mut producers {
            kill(producer);
            assert_eq!(producer.join().unwrap_err().signal_name(), Some("SIGKILL"));
        }
    }
    while let Some(item) = queue.try_get().unwrap() {
        assert!(seen.insert(item[0]), "{} came twice", item[0]);
    }
    let given = *next.lock().unwrap();
    assert!(given - seen.len() as u64 <= 40, "each had one at most that was not put");
    assert_eq!(queue.qsize(), 0);
}

fn drain(queue: Queue<u64>, taken: Queue<u64>) -> procession::Result<()> {
    for item in &queue {
        taken.put(&item?)?;
    }
    Ok(())
}

#[procession::test]
fn a_consumer_that_is_killed_takes_no_more_with_it_than_it_held() {
    const COUNT: u64 = 40_000;
    const KILLED: usize = 12;
    let _harness = Harness::start("killed consumers", LIMIT);
    let (queue, taken) = (Queue::new().unwrap(), Queue::new().unwrap());
    let handles = (queue.clone(), taken.clone());
    let start = || {
        let mut consumer = Process::new(drain, handles.clone());
        consumer.start().unwrap();
        consumer
    };
    let mut survivor = start();
    let mut put = 0..COUNT;
    for _ in 0..KILLED {
        let mut consumer = start();
        let before = taken.qsize();
        for number in put.by_ref().take(COUNT as usize / KILLED / 2) {
            queue.put(&number).unwrap();
        }
        wait_for("some to be taken", LIMIT, || taken.qsize() > before || queue.is_empty());
        kill(&consumer);
        consumer.join().unwrap_err();
    }
    put.for_each(|number| queue.put(&number).unwrap());
    queue.close().unwrap();
    survivor.join().unwrap().unwrap();
    let mut came = BTreeSet::new();
    while let Some(number) = taken.try_get().unwrap() {
        assert!(came.insert(number), "{number} came twice");
    }
    let lost = COUNT as usize - came.len();
    assert!(lost <= KILLED, "{lost} were lost with {KILLED}");
    assert!(queue.is_empty());
}

fn take_and_die(jobs: JoinableQueue<u32>, taken: SimpleQueue<u32>) -> procession::Result<()> {
    let mut last = jobs.get()?;
    while last != 0 {
        jobs.task_done()?;
        last = jobs.get()?;
    }
    taken.put(&std::process::id())?;
    std::thread::sleep(LIMIT);
    Ok(())
}

#[procession::test]
fn who_joins_is_told_of_items_that_died_with_their_taker() {
    let _harness = Harness::start("a join of what is lost", LIMIT);
    let (jobs, taken) = (JoinableQueue::new().unwrap(), SimpleQueue::new().unwrap());
    let mut worker = Process::new(take_and_die, (jobs.clone(), taken.clone()));
    worker.start().unwrap();
    for job in [1, 2, 0] {
        jobs.put(&job).unwrap();
    }
    assert_eq!(Some(taken.get().unwrap()), worker.pid());
    assert!(!jobs.join_timeout(Duration::from_millis(5)).unwrap());
    kill(&worker);
    let error = jobs.join().unwrap_err();
    assert!(error.to_string().starts_with("1 of the queue's items"), "{error}");
    jobs.join().unwrap();
    assert!(jobs.task_done().is_err());
    worker.join().unwrap_err();
}

fn pass_on(queue: Queue<u32>, item: u32) -> procession::Result<u32> {
    queue.put(&item)?;
    queue.get()
}

#[procession::test]
fn workers_of_a_pool_and_threads_use_one_queue_together() {
    let _harness = Harness::start("a queue in a pool", LIMIT);
    let queue = Queue::new().unwrap();
    for pool in [Pool::new(2).unwrap(), Pool::threads(2).unwrap().into()] {
        let items = (0..500).map(|item| (queue.clone(), item));
        let got = pool.starmap(pass_on, items).unwrap();
        let got: BTreeSet<_> = got.into_iter().map(|item| item.unwrap()).collect();
        assert!(got.into_iter().eq(0..500));
    }
    assert!(queue.is_empty());
}

#[procession::test]
fn large_items_go_through_and_their_memory_comes_back() {
    let _harness = Harness::start("large items", LIMIT);
    let queue = Queue::<Vec<u8>>::new().unwrap();
    let echo = Queue::<Vec<u8>>::new().unwrap();
    let mut worker = Process::new(
        |from: Queue<Vec<u8>>, to: Queue<Vec<u8>>| -> procession::Result<()> {
            for item in &from {
                to.put(&item?)?;
            }
            Ok(())
        },
        (queue.clone(), echo.clone()),
    );
    worker.start().unwrap();
    let item: Vec<u8> = (0..20_000_000_u32).map(|index| (index % 251) as u8).collect();
    for _ in 0..3 {
        queue.put(&item).unwrap();
    }
    for _ in 0..3 {
        assert!(echo.get().unwrap() == item);
    }
    queue.close().unwrap();
    worker.join().unwrap().unwrap();
    let shared = std::fs::read_to_string("/proc/self/status").unwrap();
    let shared = shared.lines().find_map(|line| line.strip_prefix("RssShmem:")).unwrap();
    let kib: u64 = shared.trim().trim_end_matches(" kB").parse().unwrap();
    // The last item was in the last ring that was written; those before it were given back.
    assert!(kib < 200_000, "{kib} KiB of shared memory are left");
}

#[procession::test]
fn what_cannot_be_put_is_an_error_where_it_is_put() {
    let _harness = Harness::start("refused items", LIMIT);
    let queue = Queue::<SharedSlice<u8>>::new().unwrap();
    let error = queue.put(&SharedSlice::new(&[1_u8]).unwrap()).unwrap_err();
    assert!(error.is_codec() && error.to_string().contains("with a task only"), "{error}");
    let queue = Queue::<u32>::bounded(1).unwrap();
    assert!(queue.try_put(&1).unwrap() && !queue.try_put(&2).unwrap() && queue.is_full());
    assert!(!queue.put_timeout(&2, Duration::from_millis(5)).unwrap());
    queue.close().unwrap();
    queue.close().unwrap();
    assert!(queue.put(&3).unwrap_err().is_closed());
    assert_eq!(queue.get().unwrap(), 1);
    assert!(queue.get().unwrap_err().is_closed() && queue.try_get().unwrap_err().is_closed());
}

/// Answers each request over the queue that came with it.
fn answer(requests: Queue<(u64, Queue<u64>)>) -> procession::Result<()> {
    for request in &requests {
        let (number, reply) = request?;
        reply.put(&(number * number))?;
    }
    Ok(())
}

#[procession::test]
fn a_queue_travels_in_an_item_of_another() {
    let _harness = Harness::start("queues in a queue", LIMIT);
    let requests = Queue::new().unwrap();
    let mut workers = [0; 2].map(|_| Process::new(answer, (requests.clone(),)));
    workers.iter_mut().for_each(|worker| worker.start().unwrap());
    for number in 0..20 {
        // Made after the workers were started: they were sent nothing of it.
        let reply = Queue::new().unwrap();
        requests.put(&(number, reply.clone())).unwrap();
        assert_eq!(reply.get().unwrap(), number * number);
    }
    requests.close().unwrap();
    workers.iter_mut().for_each(|worker| worker.join().unwrap().unwrap());
}

/// Makes things of its own and hands them out.
fn hand_out(
    to: Queue<(Lock, Value<u32>, Connection<String, u8>)>,
    go_on: Queue<()>,
) -> procession::Result<String> {
    let (here, there) = pipe::<u8, String>()?;
    let value = Value::new(5)?;
    to.put(&(Lock::new()?, value.clone(), there))?;
    let told = here.recv()?;
    here.send(&value.get()?.try_into().expect("a small one"))?;
    go_on.get()?;
    Ok(told)
}

#[procession::test]
fn what_a_child_makes_gets_to_others_by_a_queue() {
    let _harness = Harness::start("things of a child's", LIMIT);
    let (things, go_on) = (Queue::new().unwrap(), Queue::new().unwrap());
    let mut child = Process::new(hand_out, (things.clone(), go_on.clone()));
    child.start().unwrap();
    let (lock, value, connection) = things.get().unwrap();
    {
        let _guard = lock.lock().unwrap();
        *value.lock().unwrap() += 1;
    }
    connection.send(&"hello".to_owned()).unwrap();
    assert_eq!(connection.recv().unwrap(), 6);
    go_on.put(&()).unwrap();
    assert_eq!(child.join().unwrap().unwrap(), "hello");
    assert!(connection.recv().unwrap_err().is_closed());
    assert_eq!(value.get().unwrap(), 6, "it stays as long as somebody has it");
}

#[procession::test]
fn what_a_dead_one_alone_had_is_lost_and_the_next_item_is_not() {
    let _harness = Harness::start("things of a dead one's", LIMIT);
    let queue = Queue::<(u8, Option<Lock>)>::new().unwrap();
    let put = |queue: Queue<(u8, Option<Lock>)>| {
        queue.put(&(1, Some(Lock::new()?)))?;
        queue.put(&(2, None))
    };
    let mut child = Process::new(put, (queue.clone(),));
    child.start().unwrap();
    child.join().unwrap().unwrap();
    let error = queue.get().unwrap_err();
    assert!(error.is_codec() && error.to_string().contains("knows nothing"), "{error}");
    assert!(matches!(queue.get().unwrap(), (2, None)));
}

again_by! { Spawn in spawned:
    many_processes_share_the_work_and_each_item_comes_once,
    a_producer_that_is_killed_has_put_its_item_whole_or_not_at_all,
    a_consumer_that_is_killed_takes_no_more_with_it_than_it_held,
    who_joins_is_told_of_items_that_died_with_their_taker,
}
