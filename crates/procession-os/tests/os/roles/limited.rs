//! Children that limit themselves, and one that is looked at.

use std::io;
use std::thread;

use procession_os::limits::{self, OwnMemory};
use procession_os::memory::Memory;
use rustix::process::getpriority_process;

use super::control;
use crate::support::await_closed;

/// Has 48 MiB of private memory, and as much that is shared, until the parent closes the channel.
pub(super) fn hold_memory() -> i32 {
    let control = control();
    let own = OwnMemory::open().expect("the kernel tells");
    let before = own.private_bytes().expect("the kernel tells");
    let bytes = 48 << 20;
    let (memory, mapping) = Memory::create_shared("test", bytes).expect("memory");
    // SAFETY: the mapping is that long, and nobody else has it.
    unsafe { mapping.as_ptr().write_bytes(1, bytes) };
    let with_shared = own.private_bytes().expect("the kernel tells") - before;
    assert!(with_shared < 16 << 20, "shared memory is not private: {with_shared}");
    let block = vec![1_u8; bytes];
    let with_both = own.private_bytes().expect("the kernel tells") - before;
    assert!(with_both >= 44 << 20, "what is touched counts: {with_both}");
    control.send(b"held", &[]).expect("the parent listens");
    await_closed(&control);
    drop((block, memory, mapping));
    0
}

/// Gets what is within its limit, and no more, and as much shared memory as it wants.
pub(super) fn be_short_of_memory() -> i32 {
    limits::limit_memory(64 << 20).expect("it has less");
    let within = allocate(16 << 20).expect("it is within the limit");
    allocate(64 << 20).expect_err("it is beyond the limit");
    limits::limit_memory(1 << 40).expect("a looser limit is none");
    allocate(64 << 20).expect_err("the stricter limit stays");
    drop(within);
    let shared = Memory::create_shared("test", 256 << 20);
    drop(shared.expect("shared memory is not limited"));
    0
}

fn allocate(bytes: usize) -> Result<Vec<u8>, std::collections::TryReserveError> {
    let mut block = Vec::new();
    block.try_reserve_exact(bytes)?;
    Ok(block)
}

/// Is told that a limit leaves it no room.
pub(super) fn have_no_room() -> i32 {
    let error = limits::limit_memory(64 << 10).expect_err("it has more already");
    i32::from(error.kind() != io::ErrorKind::OutOfMemory)
}

/// Becomes nicer, with all threads that it makes.
pub(super) fn be_nice() -> i32 {
    limits::set_niceness(20).expect_err("there is no such niceness");
    limits::set_niceness(7).expect("anyone may be nicer");
    let niceness = || getpriority_process(None).expect("a niceness");
    assert_eq!(niceness(), 7);
    thread::spawn(niceness).join().map_or(1, |niceness| i32::from(niceness != 7))
}

/// Runs on the last of the processors that it may run on, with all threads that it makes.
pub(super) fn run_on_one_processor() -> i32 {
    let all = limits::processors().expect("the kernel tells");
    let last = *all.last().expect("it runs");
    for none_of_ours in [last + 1, 1023, 1024, usize::MAX] {
        let error = limits::run_on(&[none_of_ours]).expect_err("there is no such processor");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let error = limits::run_on(&[last, none_of_ours]).expect_err("nor beside another");
        assert!(error.to_string().contains(&none_of_ours.to_string()), "{error}");
    }
    limits::run_on(&[]).expect_err("it must run somewhere");
    limits::run_on(&[last, last]).expect("it may run there");
    let seen = thread::spawn(|| limits::processors().expect("the kernel tells"));
    i32::from(seen.join().expect("no panic") != [last])
}
