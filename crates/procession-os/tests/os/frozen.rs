//! Memory that never changes again: what nobody can do to it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use procession_os::frozen::Frozen;
use procession_os::handle::Handle;
use procession_os::memory::{Access, Memory};
use procession_os::process::Exit;
use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, ftruncate,
    memfd_create,
};
use rustix::io::Errno;

use crate::support::{Watchdog, end_of, receive, start};

const BYTES: usize = 10_000;

fn frozen() -> Frozen {
    let count = |bytes: &mut [u8]| {
        assert!(bytes.iter().all(|byte| *byte == 0), "fresh memory is zeroed");
        bytes.iter_mut().zip(0..).for_each(|(byte, index)| *byte = (index % 251) as u8);
    };
    Frozen::create("test", BYTES, count).expect("memory")
}

fn is_as_filled(bytes: &[u8]) -> bool {
    bytes.len() == BYTES && bytes.iter().zip(0..).all(|(byte, index)| *byte == (index % 251) as u8)
}

fn duplicate(memory: &Frozen) -> Handle {
    memory.handle().try_clone_to_owned().expect("a descriptor")
}

#[test]
fn what_was_filled_in_is_there_for_all_who_have_a_handle() {
    let memory = frozen();
    assert!(is_as_filled(memory.as_slice()));
    assert_eq!(memory.as_slice().as_ptr().addr() % 4096, 0);
    let peer = Frozen::accept(duplicate(&memory)).expect("memory");
    drop(memory);
    assert!(is_as_filled(peer.as_slice()));
}

#[test]
fn nobody_can_write_resize_or_unseal_it() {
    let memory = frozen();
    let seals = fcntl_get_seals(memory.handle()).expect("seals");
    let all = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    assert!(seals.contains(all), "{seals:?}");
    let handle = duplicate(&memory);
    assert_eq!(rustix::io::pwrite(&handle, b"x", 0), Err(Errno::PERM));
    assert_eq!(ftruncate(&handle, 0), Err(Errno::PERM));
    assert_eq!(ftruncate(&handle, BYTES as u64 + 1), Err(Errno::PERM));
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    assert_eq!(fallocate(&handle, hole, 0, 4096), Err(Errno::PERM));
    let writable = Memory::accept(handle).expect("memory").map(Access::ReadWrite);
    writable.expect_err("no mapping for writing can be had");
    assert!(is_as_filled(memory.as_slice()));
}

#[test]
fn a_process_that_writes_it_dies_and_nobody_sees_what_it_wrote() {
    let _watchdog = Watchdog::start();
    let memory = frozen();
    let (child, control) = start("write frozen memory");
    control.send(b"memory", &[memory.handle()]).expect("the child listens");
    // First it makes its own mapping writable, and writes there.
    assert_eq!(receive(&control).0, b"written");
    assert!(is_as_filled(memory.as_slice()));
    let again = Frozen::accept(duplicate(&memory)).expect("memory");
    assert!(is_as_filled(again.as_slice()));
    // Then it writes a mapping that it has left as it was.
    control.send(b"go on", &[]).expect("the child listens");
    assert!(matches!(end_of(&child), Exit::Signal { number: libc::SIGSEGV, .. }));
    assert!(is_as_filled(memory.as_slice()));
}

#[test]
fn memory_that_can_still_change_is_not_accepted() {
    let sized = SealFlags::SHRINK | SealFlags::GROW;
    let cases = [
        SealFlags::empty(),
        sized,
        sized | SealFlags::FUTURE_WRITE | SealFlags::SEAL,
        SealFlags::WRITE | SealFlags::GROW,
        SealFlags::WRITE | SealFlags::SHRINK,
    ];
    for seals in cases {
        let memfd = memfd_create("test", MemfdFlags::ALLOW_SEALING).expect("a memfd");
        ftruncate(&memfd, BYTES as u64).expect("a size");
        fcntl_add_seals(&memfd, seals).expect("seals");
        let error = Frozen::accept(memfd).expect_err("this can change");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{seals:?}: {error}");
    }
    let file = File::open("/proc/self/exe").expect("a file");
    let error = Frozen::accept(OwnedFd::from(file)).expect_err("this is no memory");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    for bytes in [0, usize::MAX] {
        let error = Frozen::create("test", bytes, |_| ()).expect_err("this is refused");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    }
    // More than any machine has: refused before anything is written.
    Frozen::create("test", 1 << 46, |_| panic!("there is nothing to fill"))
        .expect_err("there is not so much memory");
}

#[test]
fn a_filler_that_panics_leaves_nothing_behind() {
    let count = || std::fs::read_dir("/proc/self/fd").expect("a folder").count();
    let filler = || Frozen::create("frozen-panic", BYTES, |_| panic!("on purpose"));
    let before = count();
    std::panic::catch_unwind(filler).expect_err("the filler's panic");
    let maps = std::fs::read_to_string("/proc/self/maps").expect("the mappings");
    assert!(!maps.contains("frozen-panic"), "{maps}");
    // Other tests of this process come and go.
    assert!(count() <= before + 16);
}
