//! Holds every platform to the signatures that the portable faces call.

use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::control::Received;
use crate::copy::{Copied, Ties};
use crate::handle::{BorrowedHandle, Handle};
use crate::image::Image;
use crate::memory::{Access, Writers};
use crate::process::{Exit, Launch};
use crate::surroundings::Limit;

/// Writes a function that compiles only if the platform in the given module owes nothing.
macro_rules! owes_nothing {
    ($function:ident, $sys:ident) => {
        #[test]
        fn $function() {
            use crate::$sys::{
                clock, control, copy, exit_watch, frozen, heap, image, leash, life, limits, memory,
                name, process, signal, stream, surroundings, wait,
            };

            type New<T> = io::Result<(T, memory::Mapping)>;
            let _: fn(&str, usize, Writers) -> New<memory::Memory> = memory::Memory::create;
            let _: fn(Handle) -> io::Result<memory::Memory> = memory::Memory::accept;
            let _: fn(&memory::Memory) -> usize = memory::Memory::bytes;
            let _: fn(&memory::Memory, Access) -> io::Result<memory::Mapping> = memory::Memory::map;
            let _: fn(&memory::Memory) -> io::Result<memory::Mapping> =
                memory::Memory::map_with_marks;
            let _: fn(&memory::Mapping) -> bool = memory::Mapping::has_marks;
            let _: fn(&memory::Memory) -> BorrowedHandle<'_> = memory::Memory::handle;
            let _: fn(&memory::Mapping) -> *mut u8 = memory::Mapping::as_ptr;
            let _: fn(&memory::Mapping) -> usize = memory::Mapping::len;
            let _: fn(&memory::Mapping, usize, usize) = memory::Mapping::give_back;

            use frozen::Frozen;
            type Fill<'a> = &'a mut dyn FnMut(&mut [u8]);
            let _: fn(&str, usize, Fill<'_>) -> io::Result<Frozen> = Frozen::create;
            let _: fn(Handle) -> io::Result<Frozen> = Frozen::accept;
            let _: fn(&Frozen) -> &[u8] = Frozen::as_slice;
            let _: fn(&Frozen) -> BorrowedHandle<'_> = Frozen::handle;

            type Words<'a> = &'a [(&'a AtomicU32, u32)];
            let _: usize = wait::WORDS_MAX;
            let _: fn(&AtomicU32, u32, Option<Duration>) -> bool = wait::wait;
            let _: fn(Words<'_>, Option<Duration>) -> bool = wait::wait_any;
            let _: fn(&AtomicU32) = wait::wake_one;
            let _: fn(&AtomicU32) = wait::wake_all;

            let _: fn() -> u64 = clock::coarse_ns;

            use control::Control;
            type Receive =
                fn(&Control, &mut Vec<u8>, &mut Vec<Handle>, bool) -> io::Result<Received>;
            let _: fn() -> io::Result<(Control, Control)> = Control::pair;
            let _: fn(&Control, &[u8], &[BorrowedHandle<'_>]) -> io::Result<()> = Control::send;
            let _: Receive = Control::recv;
            let _: fn(&Control) -> io::Result<()> = Control::wait;
            let _: fn(&Control) -> bool = Control::is_open;
            let _: fn(&Control) -> BorrowedHandle<'_> = Control::handle;
            let _: fn(Handle) -> io::Result<Control> = Control::from_handle;
            let _: fn(&Control) -> String = Control::inherit_token;
            let _: fn(&str) -> io::Result<Control> = Control::from_inherited;

            let _: fn(&str) -> io::Result<name::Claim> = name::Claim::new;
            let _: fn(&name::Claim) -> io::Result<Option<name::Asker>> = name::Claim::next;
            let _: fn(name::Asker, BorrowedHandle<'_>) = name::Asker::answer;
            let _: fn(&str, Duration) -> io::Result<Option<Handle>> = name::ask;

            let _: fn(&Launch<'_>) -> io::Result<process::Child> = process::launch;
            let _: fn(u32) -> io::Result<bool> = process::bind_life_to_parent;
            let _: fn(&str) = process::set_name;
            let _: fn() -> u32 = process::parent_pid;
            let _: fn(i32) -> ! = process::exit_now;
            let _: fn(&process::Child) -> u32 = process::Child::pid;
            let _: fn(&process::Child, i32) -> io::Result<()> = process::Child::signal;
            let _: fn(&process::Child, Option<Duration>) -> io::Result<bool> = process::Child::wait;
            let _: fn(&process::Child) -> io::Result<Option<Exit>> = process::Child::try_reap;

            let _: fn() -> io::Result<usize> = copy::thread_count;
            let _: fn() -> io::Result<()> = copy::prepare;
            let _: fn(Ties) -> io::Result<Copied> = copy::fork_sibling;
            type Forked = io::Result<(Copied, Option<Handle>)>;
            let _: fn(&Control, &leash::Hold, Handle) -> Forked = copy::fork;
            let _: fn() = copy::flush;
            let _: fn(u32) -> io::Result<process::Child> = copy::adopt;
            let _: fn(&str) -> Vec<u32> = copy::children_named;

            let _: fn() -> io::Result<(leash::Hold, Handle)> = leash::pair;
            let _: fn(&Handle) -> BorrowedHandle<'_> = leash::lend;
            let _: fn(Handle) -> io::Result<bool> = leash::wear;
            let _: fn() -> bool = leash::is_worn;
            let _: fn(&Handle, u32) = leash::await_worn;

            let _: fn() -> u32 = life::epoch;
            let _: [fn(u32) -> bool; 2] = [life::is_alive, life::is_free];
            let _: fn(&AtomicU32) -> u32 = life::prepare_to_sleep;
            let _: fn(&memory::Mapping, usize) -> io::Result<bool> = life::take;
            let _: [fn(&memory::Mapping, usize); 2] = [life::announce, life::leave];

            let _: fn() -> io::Result<Vec<usize>> = limits::processors;
            let _: fn(&[usize]) -> io::Result<()> = limits::run_on;
            let _: fn(i32) -> io::Result<()> = limits::set_niceness;
            let _: fn(u64) -> io::Result<()> = limits::limit_memory;
            let _: fn(&process::Child) -> io::Result<Option<u64>> = limits::private_bytes_of;
            let _: fn() -> io::Result<limits::OwnMemory> = limits::OwnMemory::open;
            let _: fn(&limits::OwnMemory) -> io::Result<u64> = limits::OwnMemory::private_bytes;

            use surroundings::{Folder, Owner};
            type Streams = (u8, Vec<BorrowedHandle<'static>>);
            let _: fn() -> Option<Folder> = Folder::current;
            let _: fn() -> Owner = Owner::current;
            let _: fn() -> io::Result<Handle> = surroundings::open_folder;
            let _: fn(&Handle) -> BorrowedHandle<'_> = surroundings::lend;
            let _: fn(Handle) -> io::Result<()> = surroundings::enter;
            let _: fn() -> Streams = surroundings::streams;
            let _: fn(u8, Handle) -> io::Result<()> = surroundings::replace_stream;
            let _: fn() -> Vec<Limit> = surroundings::limits;
            let _: fn(u8, Limit) -> io::Result<()> = surroundings::set_limit;
            let _: fn(&OsStr) -> &[u8] = surroundings::bytes_of;
            let _: fn(&[u8]) -> OsString = surroundings::string_of;
            let _: fn(&[(OsString, Option<OsString>)]) -> io::Result<()> =
                surroundings::set_variables;

            use exit_watch::Watcher;
            let _: fn() -> io::Result<Watcher> = Watcher::new;
            let _: fn(&Watcher, &process::Child, u64) -> io::Result<()> = Watcher::add;
            let _: fn(&Watcher, &Control, u64) -> io::Result<()> = Watcher::add_control;
            let _: fn(&Watcher, &name::Claim, u64) -> io::Result<()> = Watcher::add_claim;
            let _: fn(&Watcher, &name::Claim) = Watcher::remove_claim;
            let _: fn(&Watcher, &process::Child) = Watcher::remove;
            let _: fn(&Watcher, &Control) = Watcher::remove_control;
            let _: fn(&Watcher, &mut Vec<u64>, Option<Duration>) -> io::Result<()> = Watcher::wait;
            let _: fn(&Watcher) = Watcher::wake;

            let _: fn(usize) -> Option<Image> = image::image_of;

            let _: fn(&mut [MaybeUninit<u8>]) = heap::will_be_filled;
            let _: fn(usize) = heap::keep_freed_blocks;
            let _: fn(usize) -> bool = heap::has_room;

            use stream::{Stream, StreamListener};
            type SetTimeout = fn(&Stream, Option<Duration>) -> io::Result<()>;
            let _: fn(&str) -> io::Result<Stream> = Stream::connect;
            let _: [SetTimeout; 2] = [Stream::set_read_timeout, Stream::set_write_timeout];
            let _: fn(&Stream) -> io::Result<()> = Stream::shut_down;
            let _: fn(&Stream, &mut [u8]) -> io::Result<usize> = Stream::read;
            let _: fn(&Stream, &[u8]) -> io::Result<usize> = Stream::write;
            let _: fn(&str) -> io::Result<StreamListener> = StreamListener::bind;
            let _: fn(&StreamListener) -> io::Result<Stream> = StreamListener::accept;
            let _: [i32; 2] = [signal::KILL, signal::TERMINATE];
            let _: fn(i32) -> Option<(&'static str, &'static str)> = signal::name_and_meaning;
            let _: fn() -> io::Result<()> = signal::prepare_worker;
            let _: fn(i32) -> io::Result<signal::Arrivals> = signal::Arrivals::of;
            let _: fn(&mut signal::Arrivals) = signal::Arrivals::wait;

            fn shared<T: Send + Sync + std::fmt::Debug>() {}
            shared::<memory::Memory>();
            shared::<memory::Mapping>();
            shared::<Frozen>();
            shared::<leash::Hold>();
            shared::<limits::OwnMemory>();
            shared::<Control>();
            shared::<process::Child>();
            shared::<Watcher>();
            shared::<name::Claim>();
        }
    };
}

owes_nothing!(this_platform_owes_nothing, sys);
owes_nothing!(the_unsupported_platform_owes_nothing, sys_unsupported);

#[test]
fn an_unsupported_platform_says_so() {
    use crate::sys_unsupported::{
        control::Control, exit_watch::Watcher, frozen::Frozen, limits, memory::Memory, name, stream,
    };

    let errors = [
        Memory::create("test", 1, Writers::Everyone).err(),
        Frozen::create("test", 1, &mut |_| ()).err(),
        Control::pair().err(),
        Watcher::new().err(),
        limits::processors().err(),
        limits::run_on(&[0]).err(),
        limits::set_niceness(1).err(),
        limits::limit_memory(1 << 30).err(),
        limits::OwnMemory::open().err(),
        stream::Stream::connect("x").err(),
        stream::StreamListener::bind("x").err(),
        name::Claim::new("name").err(),
        name::ask("name", Duration::ZERO).err(),
    ];
    for error in errors {
        let error = error.expect("nothing is supported");
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert!(error.to_string().contains("on this system"), "{error}");
    }
}
