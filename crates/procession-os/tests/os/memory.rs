//! Shared memory: what is shared, and what nobody can do to it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use procession_os::handle::Handle;
use procession_os::memory::{Access, Mapping, Memory};
use procession_os::process::Exit;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::mm::{MprotectFlags, mprotect};

use crate::support::{Watchdog, end_of, receive, start};

const BYTES: usize = 10_000;

fn store(mapping: &Mapping, index: usize, value: u8) {
    assert!(index < mapping.len());
    assert_eq!(mapping.access(), Access::ReadWrite);
    // SAFETY: the byte is within the mapping, which is for writing, and nobody else accesses it.
    unsafe { mapping.as_ptr().wrapping_add(index).write(value) };
}

fn load(mapping: &Mapping, index: usize) -> u8 {
    assert!(index < mapping.len());
    // SAFETY: the byte is within the mapping, and nobody writes meanwhile.
    unsafe { mapping.as_ptr().wrapping_add(index).read() }
}

fn duplicate(memory: &Memory) -> Handle {
    memory.handle().try_clone_to_owned().expect("a descriptor")
}

fn assert_refused<T: std::fmt::Debug>(result: io::Result<T>, kind: io::ErrorKind) {
    let error = result.expect_err("this is refused");
    assert_eq!(error.kind(), kind, "{error}");
}

#[test]
fn new_memory_is_zeroed_and_of_the_size_asked_for() {
    let (memory, mapping) = Memory::create_shared("test", BYTES).expect("memory");
    assert_eq!(memory.bytes(), BYTES);
    assert_eq!(mapping.len(), BYTES);
    assert_eq!(mapping.access(), Access::ReadWrite);
    assert!((0..BYTES).all(|index| load(&mapping, index) == 0));
}

#[test]
fn a_peer_sees_what_is_written_and_may_write_to_shared_memory() {
    let (memory, ours) = Memory::create_shared("test", BYTES).expect("memory");
    let peer = Memory::accept(duplicate(&memory)).expect("memory");
    assert_eq!(peer.bytes(), BYTES);
    let theirs = peer.map(Access::ReadWrite).expect("a mapping");
    store(&ours, BYTES - 1, 5);
    assert_eq!(load(&theirs, BYTES - 1), 5);
    store(&theirs, 0, 6);
    assert_eq!(load(&ours, 0), 6);
}

#[test]
fn a_mapping_outlives_the_handles() {
    let (memory, mapping) = Memory::create_shared("test", BYTES).expect("memory");
    drop(memory);
    store(&mapping, 0, 1);
    assert_eq!(load(&mapping, 0), 1);
}

#[test]
fn owned_memory_is_written_through_the_first_mapping_only() {
    let (memory, ours) = Memory::create_owned("test", BYTES).expect("memory");
    let peer = Memory::accept(duplicate(&memory)).expect("memory");
    assert_refused(peer.map(Access::ReadWrite), io::ErrorKind::PermissionDenied);
    assert_refused(memory.map(Access::ReadWrite), io::ErrorKind::PermissionDenied);
    let theirs = peer.map(Access::Read).expect("a mapping");
    assert_eq!(theirs.access(), Access::Read);
    store(&ours, 1, 7);
    assert_eq!(load(&theirs, 1), 7);
}

#[test]
fn a_mapping_of_owned_memory_cannot_be_made_writable_later() {
    let (memory, _ours) = Memory::create_owned("test", BYTES).expect("memory");
    let theirs = memory.map(Access::Read).expect("a mapping");
    let flags = MprotectFlags::READ | MprotectFlags::WRITE;
    // SAFETY: the range is that of the mapping, and to be allowed more spoils nobody's accesses.
    let changed = unsafe { mprotect(theirs.as_ptr().cast(), theirs.len(), flags) };
    assert_eq!(changed, Err(rustix::io::Errno::ACCESS));
}

#[test]
fn nobody_can_change_the_size_or_the_seals() {
    for create in [Memory::create_shared, Memory::create_owned] {
        let (memory, _mapping) = create("test", BYTES).expect("memory");
        for bytes in [0, BYTES as u64 - 1, 1 << 20] {
            let resized = ftruncate(memory.handle(), bytes);
            assert_eq!(resized, Err(rustix::io::Errno::PERM), "to {bytes} bytes");
        }
        let sealed = fcntl_add_seals(memory.handle(), SealFlags::WRITE);
        assert_eq!(sealed, Err(rustix::io::Errno::PERM));
    }
}

#[test]
fn memory_that_cannot_be_is_refused() {
    let refused = |label, bytes| {
        assert_refused(Memory::create_shared(label, bytes), io::ErrorKind::InvalidInput);
    };
    refused("test", 0);
    refused("test", usize::MAX);
    refused("te\0st", BYTES);
}

#[test]
fn a_handle_that_is_no_memory_is_not_accepted() {
    let file = File::open("/proc/self/exe").expect("a file");
    assert_refused(Memory::accept(OwnedFd::from(file)), io::ErrorKind::InvalidData);
    let (reader, _writer) = rustix::pipe::pipe().expect("a pipe");
    assert_refused(Memory::accept(reader), io::ErrorKind::InvalidData);
}

#[test]
fn memory_whose_size_can_change_is_not_accepted() {
    let cases = [SealFlags::empty(), SealFlags::SHRINK, SealFlags::GROW | SealFlags::SEAL];
    for seals in cases {
        let memfd = memfd_create("test", MemfdFlags::ALLOW_SEALING).expect("a memfd");
        ftruncate(&memfd, BYTES as u64).expect("a size");
        fcntl_add_seals(&memfd, seals).expect("seals");
        assert_refused(Memory::accept(memfd), io::ErrorKind::InvalidData);
    }
}

#[test]
fn empty_memory_is_not_accepted() {
    let memfd = memfd_create("test", MemfdFlags::ALLOW_SEALING).expect("a memfd");
    fcntl_add_seals(&memfd, SealFlags::SHRINK | SealFlags::GROW).expect("seals");
    assert_refused(Memory::accept(memfd), io::ErrorKind::InvalidData);
}

#[test]
fn huge_pages_are_not_accepted() {
    let flags = MemfdFlags::ALLOW_SEALING | MemfdFlags::HUGETLB;
    let Ok(memfd) = memfd_create("test", flags) else {
        // This kernel has none, so no peer can send any.
        return;
    };
    ftruncate(&memfd, 1 << 30).expect("a size");
    fcntl_add_seals(&memfd, SealFlags::SHRINK | SealFlags::GROW).expect("seals");
    assert_refused(Memory::accept(memfd), io::ErrorKind::InvalidData);
}

#[test]
fn another_process_maps_memory_that_it_is_sent() {
    let _watchdog = Watchdog::start();
    let (memory, mapping) = Memory::create_owned("test", 3).expect("memory");
    for (index, value) in [(0, 1), (1, 2), (2, 3)] {
        store(&mapping, index, value);
    }
    let (_child, control) = start("map memory");
    control.send(b"memory", &[memory.handle()]).expect("the child listens");
    assert_eq!(receive(&control).0, [1, 2, 3]);
}

#[test]
fn memory_over_the_limit_for_files_is_an_error_and_no_signal() {
    let _watchdog = Watchdog::start();
    let (child, _control) = start("limit file sizes");
    assert_eq!(end_of(&child), Exit::Code(0));
}
