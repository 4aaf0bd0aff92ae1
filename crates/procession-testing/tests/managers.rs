//! Objects in a manager, and what becomes of calls when somebody dies.

use procession::{AuthKey, Manager, Pool, Process, Proxy};
use procession_testing::{Harness, again_by, send, wait_for};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

#[derive(Default)]
struct Counter {
    count: u64,
}

impl Counter {
    fn new(count: u64) -> Self {
        Self { count }
    }

    fn add(&mut self, by: u64) -> u64 {
        self.count += by;
        self.count
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn pid(&self) -> u32 {
        std::process::id()
    }

    fn panic(&mut self, what: String) {
        self.count = 7;
        panic!("{what}");
    }
}

fn add_many(counter: Proxy<Counter>, times: u64) -> procession::Result<()> {
    for _ in 0..times {
        counter.call(Counter::add, (1,))?;
    }
    Ok(())
}

#[procession::test]
fn calls_from_many_processes_and_threads_are_made_one_by_one_where_the_object_is() {
    let _harness = Harness::start("a counter in a manager", LIMIT);
    let manager = Manager::new().unwrap();
    let counter = manager.create(Counter::new, (5,)).unwrap();
    let pool = Pool::new(2).unwrap();
    let added = pool.starmap_async(add_many, (0..20).map(|_| (counter.clone(), 25)));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| add_many(counter.clone(), 100).unwrap());
        }
    });
    assert!(added.get().unwrap().into_iter().all(|added| added.is_ok()));
    assert_eq!(counter.call(Counter::count, ()).unwrap(), 5 + 20 * 25 + 300);
    assert_ne!(counter.call(Counter::pid, ()).unwrap(), std::process::id());
    pool.close();
    pool.join().unwrap();
    manager.shutdown().unwrap();
}

#[procession::test]
fn a_method_that_panics_is_its_callers_error_and_the_object_stays() {
    let _harness = Harness::start("a panic in a manager", LIMIT);
    let manager = Manager::new().unwrap();
    let counter = manager.create(Counter::new, (0,)).unwrap();
    let error = counter.call(Counter::panic, ("no luck".to_owned(),)).unwrap_err();
    assert_eq!(error.panic_message(), Some("no luck"), "{error}");
    assert!(error.function().is_some_and(|name| name.ends_with("Counter::panic")), "{error}");
    assert_eq!(counter.call(Counter::count, ()).unwrap(), 7);
    let maker = |fails: bool| {
        assert!(!fails, "cannot be made");
        Counter::new(1)
    };
    let error = manager.create(maker, (true,)).unwrap_err();
    assert_eq!(error.panic_message(), Some("cannot be made"));
}

/// What lives in the manager, as its own static tells.
static LIVING: AtomicU64 = AtomicU64::new(0);

struct Living;

impl Living {
    fn new() -> Self {
        LIVING.fetch_add(1, Ordering::SeqCst);
        Self
    }

    fn count(&self) -> u64 {
        LIVING.load(Ordering::SeqCst)
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        LIVING.fetch_sub(1, Ordering::SeqCst);
    }
}

fn hold_for_ever(living: Proxy<Living>) -> procession::Result<()> {
    living.call(Living::count, ())?;
    loop {
        std::thread::sleep(LIMIT);
    }
}

#[procession::test]
fn an_object_goes_with_its_last_proxy_or_with_the_process_that_had_it() {
    let _harness = Harness::start("objects that go", LIMIT);
    let manager = Manager::new().unwrap();
    let witness = manager.create(Living::new, ()).unwrap();
    let count = || witness.call(Living::count, ()).unwrap();
    let short = manager.create(Living::new, ()).unwrap();
    let other = short.clone();
    assert_eq!(count(), 2);
    drop(short);
    assert_eq!(count(), 2);
    drop(other);
    assert_eq!(count(), 1);
    let theirs = manager.create(Living::new, ()).unwrap();
    let mut child = Process::new(hold_for_ever, (theirs.clone(),));
    child.start().unwrap();
    drop(theirs);
    assert_eq!(count(), 2, "it is on its way, or there");
    wait_for("the child to have it", LIMIT, || child.is_alive());
    child.kill().unwrap();
    child.join().unwrap_err();
    // One that was killed on the way holds it as long as the manager lives: so make sure it was there.
    assert!(count() <= 2);
}

/// Something to wait for in a manager.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) -> bool {
        let open = self.is_open.lock().unwrap();
        *self.opened.wait_while(open, |open| !*open).unwrap()
    }

    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

#[procession::test]
fn a_call_that_waits_holds_up_no_other() {
    let _harness = Harness::start("a gate in a manager", LIMIT);
    let manager = Manager::new().unwrap();
    let gate = manager.create(Gate::default, ()).unwrap();
    std::thread::scope(|scope| {
        let waits = [0; 3].map(|_| scope.spawn(|| gate.call(Gate::pass, ())));
        gate.call(Gate::open, ()).unwrap();
        assert!(waits.into_iter().all(|wait| wait.join().unwrap().unwrap()));
    });
}

#[procession::test]
fn when_the_manager_is_killed_every_call_fails_at_once() {
    let _harness = Harness::start("a killed manager", LIMIT);
    let manager = Manager::new().unwrap();
    let (gate, counter) =
        (manager.create(Gate::default, ()).unwrap(), manager.create(Counter::new, (1,)).unwrap());
    let pid = counter.call(Counter::pid, ()).unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| gate.call(Gate::pass, ()));
        assert!(send(pid.cast_signed(), libc::SIGKILL));
        let error = waits.join().unwrap().unwrap_err();
        assert!(error.is_closed() || error.to_string().contains("cannot connect"), "{error}");
    });
    let error = counter.call(Counter::count, ()).unwrap_err();
    assert!(error.is_closed() || error.to_string().contains("cannot connect"), "{error}");
    assert!(manager.dict::<u8, u8>().is_err());
}

#[procession::test]
fn a_manager_is_found_by_its_address_and_key_alone() {
    let _harness = Harness::start("a manager by address", LIMIT);
    let manager = Manager::new().unwrap();
    let key = procession::authkey().unwrap();
    let other = Manager::connect(manager.address(), key).unwrap();
    let list = other.list::<u32>().unwrap();
    list.extend(0..3).unwrap();
    drop(other);
    assert_eq!(list.to_vec().unwrap(), [0, 1, 2], "it goes on");
    let error = Manager::connect(manager.address(), AuthKey::new(*b"a guess")).unwrap_err();
    assert!(error.to_string().contains("another key"), "{error}");
    manager.shutdown().unwrap();
}

fn fill(list: procession::ListProxy<u32>, item: u32) -> procession::Result<()> {
    list.push(item)
}

#[procession::test]
fn a_list_and_a_dictionary_are_filled_by_many() {
    let _harness = Harness::start("collections in a manager", LIMIT);
    let manager = Manager::new().unwrap();
    let (list, dict) = (manager.list().unwrap(), manager.dict::<u32, String>().unwrap());
    let pool = Pool::new(2).unwrap();
    pool.starmap(fill, (0..50).map(|item| (list.clone(), item))).unwrap();
    let mut items = list.to_vec().unwrap();
    items.sort_unstable();
    assert!(items.into_iter().eq(0..50));
    let name = |dict: procession::DictProxy<u32, String>, key: u32| {
        dict.insert(key, key.to_string()).map(drop)
    };
    pool.starmap(name, (0..20).map(|key| (dict.clone(), key))).unwrap();
    assert_eq!(dict.len().unwrap(), 20);
    assert_eq!(dict.get(7).unwrap().as_deref(), Some("7"));
    assert_eq!(dict.get_or_insert(7, "seven".to_owned()).unwrap(), "7");
    assert_eq!(dict.remove(7).unwrap().as_deref(), Some("7"));
    assert!(!dict.contains_key(7).unwrap() && dict.keys().unwrap().len() == 19);
    pool.close();
    pool.join().unwrap();
}

again_by! { Spawn in spawned:
    calls_from_many_processes_and_threads_are_made_one_by_one_where_the_object_is,
    when_the_manager_is_killed_every_call_fails_at_once,
}
