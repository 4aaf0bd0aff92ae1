//! Marks of life: who holds one, and what becomes of it.

use std::sync::atomic::{AtomicU32, Ordering};

use procession_os::control::Control;
use procession_os::copy::{self, Copied};
use procession_os::leash::Leash;
use procession_os::life::{self, MARK_BYTES, MARKS, is_alive, is_free};
use procession_os::memory::{Mapping, Memory};
use procession_os::process::{Exit, exit_now};
use procession_os::signal::KILL;
use procession_os::wait;

use crate::support::{Watchdog, await_closed, end_of, receive, start};

const BYTES: usize = 16 << 10;

fn mark(mapping: &Mapping, index: usize) -> &AtomicU32 {
    assert!(index < MARKS && mapping.len() >= BYTES);
    // SAFETY: the address is inside of the mapping and aligned, and marks are accessed as atomics alone.
    unsafe { AtomicU32::from_ptr(mapping.as_ptr().wrapping_add(index * MARK_BYTES).cast()) }
}

fn value(mapping: &Mapping, index: usize) -> u32 {
    mark(mapping, index).load(Ordering::Acquire)
}

fn with_marks() -> (Memory, Mapping) {
    let (memory, _) = Memory::create_shared("test", BYTES).expect("memory");
    let mapping = memory.map_with_marks().expect("a mapping");
    (memory, mapping)
}

/// Sends the memory to a child that plays the role; gives its first answer.
fn share(memory: &Memory, role: &str) -> (procession_os::process::Child, Control, Vec<u8>) {
    let (child, control) = start(role);
    control.send(b"memory", &[memory.handle()]).expect("the child listens");
    let (answer, _) = receive(&control);
    (child, control, answer)
}

fn received(control: &Control) -> Mapping {
    let (_, mut handles) = receive(control);
    let memory = Memory::accept(handles.remove(0)).expect("memory");
    memory.map_with_marks().expect("a mapping")
}

/// Takes marks 1 to 3, gives 2 up, and waits for its end.
pub(crate) fn hold_marks(control: &Control) -> i32 {
    let mapping = received(control);
    for index in 1..=3 {
        assert!(life::take(&mapping, index).expect("a mark"));
        life::announce(&mapping, index);
    }
    life::leave(&mapping, 2);
    control.send(b"held", &[]).expect("the parent listens");
    await_closed(control);
    0
}

/// Takes mark 1, and executes another program.
pub(crate) fn execute_with_a_mark(control: &Control) -> i32 {
    use std::os::unix::process::CommandExt;
    let mapping = received(control);
    assert!(life::take(&mapping, 1).expect("a mark"));
    life::announce(&mapping, 1);
    control.send(b"held", &[]).expect("the parent listens");
    receive(control);
    let error = std::process::Command::new("/bin/sleep").arg("1000").exec();
    panic!("{error}");
}

/// Takes mark 1, and forks a copy that takes another one.
pub(crate) fn fork_with_a_mark(control: &Control) -> i32 {
    let mapping = received(control);
    assert!(life::take(&mapping, 1).expect("a mark"));
    life::announce(&mapping, 1);
    let epoch = life::epoch();
    let (hold, leash) = Leash::pair().expect("a leash");
    match copy::fork(control, &hold, leash).expect("a fork") {
        Copied::Copy => {
            assert_ne!(life::epoch(), epoch);
            assert!(is_alive(value(&mapping, 1)), "it is the parent's");
            assert!(!life::take(&mapping, 1).expect("an answer"), "it is the parent's");
            assert!(life::take(&mapping, 2).expect("a mark"));
            life::announce(&mapping, 2);
            assert!(is_alive(value(&mapping, 2)));
            exit_now(9)
        }
        Copied::Original(pid) => {
            let copy = copy::adopt(pid).expect("it is a child of this process");
            assert_eq!(end_of(&copy), Exit::Code(9));
            assert!(is_alive(value(&mapping, 1)));
            assert!(!is_alive(value(&mapping, 2)) && is_free(value(&mapping, 2)));
            control.send(b"done", &[]).expect("the parent listens");
            0
        }
    }
}

#[test]
fn a_mark_is_taken_announced_and_left() {
    let (_memory, mapping) = with_marks();
    assert!(is_free(value(&mapping, 7)));
    assert!(life::take(&mapping, 7).expect("a mark"));
    assert!(!is_alive(value(&mapping, 7)) && !is_free(value(&mapping, 7)));
    assert!(!life::take(&mapping, 7).expect("an answer"), "it is taken");
    life::announce(&mapping, 7);
    assert!(is_alive(value(&mapping, 7)));
    assert!(life::take(&mapping, 8).expect("a mark"));
    life::leave(&mapping, 7);
    assert!(is_free(value(&mapping, 7)) && !is_alive(value(&mapping, 7)));
    assert!(life::take(&mapping, 7).expect("a mark"));
    life::leave(&mapping, 8);
    life::leave(&mapping, 7);
}

#[test]
fn the_marks_of_a_process_that_is_killed_say_so_and_wake() {
    let _watchdog = Watchdog::start();
    let (memory, mapping) = with_marks();
    let (child, control, _) = share(&memory, "hold marks");
    let seen = life::prepare_to_sleep(mark(&mapping, 3));
    assert!(is_alive(value(&mapping, 1)) && is_alive(seen));
    assert!(is_free(value(&mapping, 2)) && !is_alive(value(&mapping, 2)));
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            while value(&mapping, 3) == seen {
                assert!(wait::wait(mark(&mapping, 3), seen, None), "there is no timeout");
            }
        });
        child.signal(KILL).expect("a child can be killed");
        sleeper.join().expect("no panic");
    });
    end_of(&child);
    for index in 1..=3 {
        assert!(is_free(value(&mapping, index)) && !is_alive(value(&mapping, index)), "{index}");
    }
    drop(control);
}

#[test]
fn who_exits_or_executes_something_else_has_no_marks_any_more() {
    let _watchdog = Watchdog::start();
    let (memory, mapping) = with_marks();
    let (child, control, _) = share(&memory, "hold marks");
    drop(control);
    assert_eq!(end_of(&child), Exit::Code(0));
    assert!((1..=3).all(|index| is_free(value(&mapping, index))));

    let (child, control, _) = share(&memory, "execute with a mark");
    let seen = life::prepare_to_sleep(mark(&mapping, 1));
    assert!(is_alive(seen));
    control.send(b"go", &[]).expect("the child listens");
    while value(&mapping, 1) == seen {
        let _ = wait::wait(mark(&mapping, 1), seen, None);
    }
    assert!(is_free(value(&mapping, 1)));
    child.signal(KILL).expect("a child can be killed");
    end_of(&child);
}

#[test]
fn a_forked_copy_shares_the_memory_and_has_marks_of_its_own() {
    let _watchdog = Watchdog::start();
    let (memory, mapping) = with_marks();
    let (child, _control, answer) = share(&memory, "fork with a mark");
    assert_eq!(answer, b"done");
    assert_eq!(end_of(&child), Exit::Code(0));
    assert!(is_free(value(&mapping, 1)));
}
