//! Who has started whom, who lives, and who is waited for.

use procession::{
    Context, Pool, Process, StartMethod, active_children, get_all_start_methods, parent_process,
};
use procession_testing::{Harness, again_by, wait_for};
use std::collections::BTreeSet;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

fn parent() -> (String, u32, bool) {
    let parent = parent_process().expect("a child has one");
    (parent.name().to_owned(), parent.pid(), parent.is_alive())
}

fn grandchild() -> (String, u32, bool) {
    let mut child = Process::new(parent, ());
    child.start().unwrap();
    child.join().unwrap()
}

#[procession::test]
fn a_child_knows_its_parent() {
    let _harness = Harness::start("parents", LIMIT);
    assert_eq!(parent_process(), None);
    let mut child = Process::new(parent, ());
    child.start().unwrap();
    assert_eq!(child.join().unwrap(), ("MainProcess".to_owned(), std::process::id(), true));
    let mut child = Process::new(grandchild, ()).name("Middle");
    child.start().unwrap();
    let middle = child.pid().unwrap();
    assert_eq!(child.join().unwrap(), ("Middle".to_owned(), middle, true));
}

fn stay() {
    loop {
        std::thread::sleep(LIMIT);
    }
}

#[procession::test]
fn active_children_are_those_that_live() {
    let _harness = Harness::start("active children", LIMIT);
    let pids = || active_children().iter().map(|child| child.pid()).collect::<BTreeSet<_>>();
    assert!(pids().is_empty());
    let mut child = Process::new(stay, ()).name("Stays");
    child.start().unwrap();
    let pool = Pool::new(2).unwrap();
    assert_eq!(active_children()[0].name(), "Stays");
    let mut expected: BTreeSet<_> = pool.worker_pids().into_iter().collect();
    expected.extend(child.pid());
    assert_eq!(pids(), expected);
    child.kill().unwrap();
    wait_for("the child to be gone", LIMIT, || pids().len() == 2);
    child.join().unwrap_err();
    pool.close();
    pool.join().unwrap();
    assert!(pids().is_empty());
}

#[procession::test]
fn a_context_makes_children_in_its_own_way() {
    let _harness = Harness::start("contexts", LIMIT);
    assert_eq!(get_all_start_methods()[0], StartMethod::ForkServer);
    let is_fresh = || std::fs::read("/proc/self/cmdline").is_ok_and(|line| !line.is_empty());
    for context in [Context::spawn(), Context::fork_server()] {
        let mut process = context.process(is_fresh, ());
        process.start().unwrap();
        assert!(process.join().unwrap());
        let pool = context.pool().processes(1).build().unwrap();
        assert!(pool.apply(is_fresh, ()).unwrap());
        assert_eq!(Context::new(context.start_method()), context);
    }
}

again_by! { Spawn in spawned:
    a_child_knows_its_parent,
    active_children_are_those_that_live,
}
