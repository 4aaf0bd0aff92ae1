//! Holds every platform to the signatures that the portable faces call.

use std::io;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::control::Received;
use crate::handle::{BorrowedHandle, Handle};
use crate::image::Image;
use crate::memory::{Access, Writers};
use crate::process::{Exit, Launch};

/// Writes a function that compiles only if the platform in the given module owes nothing.
macro_rules! owes_nothing {
    ($function:ident, $sys:ident) => {
        #[test]
        fn $function() {
            use crate::$sys::{control, exit_watch, image, memory, process, signal, wait};

            type New<T> = io::Result<(T, memory::Mapping)>;
            let _: fn(&str, usize, Writers) -> New<memory::Memory> = memory::Memory::create;
            let _: fn(Handle) -> io::Result<memory::Memory> = memory::Memory::accept;
            let _: fn(&memory::Memory) -> usize = memory::Memory::bytes;
            let _: fn(&memory::Memory, Access) -> io::Result<memory::Mapping> = memory::Memory::map;
            let _: fn(&memory::Memory) -> BorrowedHandle<'_> = memory::Memory::handle;
            let _: fn(&memory::Mapping) -> *mut u8 = memory::Mapping::as_ptr;
            let _: fn(&memory::Mapping) -> usize = memory::Mapping::len;

            type Words<'a> = &'a [(&'a AtomicU32, u32)];
            let _: usize = wait::WORDS_MAX;
            let _: fn(&AtomicU32, u32, Option<Duration>) -> bool = wait::wait;
            let _: fn(Words<'_>, Option<Duration>) -> bool = wait::wait_any;
            let _: fn(&AtomicU32) = wait::wake_one;
            let _: fn(&AtomicU32) = wait::wake_all;

            use control::Control;
            type Receive =
                fn(&Control, &mut Vec<u8>, &mut Vec<Handle>, bool) -> io::Result<Received>;
            let _: fn() -> io::Result<(Control, Control)> = Control::pair;
            let _: fn(&Control, &[u8], &[BorrowedHandle<'_>]) -> io::Result<()> = Control::send;
            let _: Receive = Control::recv;
            let _: fn(&Control) -> String = Control::inherit_token;
            let _: fn(&str) -> io::Result<Control> = Control::from_inherited;

            let _: fn(&Launch<'_>) -> io::Result<process::Child> = process::launch;
            let _: fn(u32) -> io::Result<bool> = process::bind_life_to_parent;
            let _: fn() -> u32 = process::parent_pid;
            let _: fn(i32) -> ! = process::exit_now;
            let _: fn(&process::Child) -> u32 = process::Child::pid;
            let _: fn(&process::Child, i32) -> io::Result<()> = process::Child::signal;
            let _: fn(&process::Child) -> io::Result<Option<Exit>> = process::Child::try_reap;

            use exit_watch::Watcher;
            let _: fn() -> io::Result<Watcher> = Watcher::new;
            let _: fn(&Watcher, &process::Child, u64) -> io::Result<()> = Watcher::add;
            let _: fn(&Watcher, &process::Child) = Watcher::remove;
            let _: fn(&Watcher, &mut Vec<u64>) -> io::Result<()> = Watcher::wait;
            let _: fn(&Watcher) = Watcher::wake;

            let _: fn(usize) -> Option<Image> = image::image_of;

            let _: [i32; 2] = [signal::KILL, signal::TERMINATE];
            let _: fn(i32) -> Option<(&'static str, &'static str)> = signal::name_and_meaning;
            let _: fn() -> io::Result<()> = signal::prepare_worker;

            fn shared<T: Send + Sync + std::fmt::Debug>() {}
            shared::<memory::Memory>();
            shared::<memory::Mapping>();
            shared::<Control>();
            shared::<process::Child>();
            shared::<Watcher>();
        }
    };
}

owes_nothing!(this_platform_owes_nothing, sys);
owes_nothing!(the_unsupported_platform_owes_nothing, sys_unsupported);

#[test]
fn an_unsupported_platform_says_so() {
    use crate::sys_unsupported::{control::Control, exit_watch::Watcher, memory::Memory};

    let errors = [
        Memory::create("test", 1, Writers::Everyone).err(),
        Control::pair().err(),
        Watcher::new().err(),
    ];
    for error in errors {
        let error = error.expect("nothing is supported");
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert!(error.to_string().contains("on this system"), "{error}");
    }
}
