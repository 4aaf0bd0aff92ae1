//! What a child of these tests does, by the role in its environment.
//!
//! A role ends with an exit code: 0 where all was as it should be. A panic in a role aborts.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, iter};

use procession_os::control::{Control, Received};
use procession_os::copy::{self, Copied, Ties};
use procession_os::exit_watch::Watcher;
use procession_os::frozen::Frozen;
use procession_os::image;
use procession_os::leash::{self, Leash};
use procession_os::limits::OwnMemory;
use procession_os::memory::{Access, Memory};
use procession_os::process::{
    Child, Exit, Launch, bind_life_to_parent, exit_now, launch, parent_pid, set_name,
};
use procession_os::signal::prepare_worker;
use procession_os::surroundings;
use procession_os::wait;
use rustix::io::{Errno, dup};
use rustix::mm::{MprotectFlags, mprotect};
use rustix::process::{
    Resource, Rlimit, Signal, WaitOptions, getpid, kill_process, setrlimit, wait as wait_for_child,
};

use crate::life;
use crate::support::{await_closed, end_of, receive, start};

mod limited;
mod tracer;

/// The variable that holds the role.
pub(crate) const ROLE: &str = "PROCESSION_OS_TEST_ROLE";

/// The variable that holds the token of the child's end of the channel.
pub(crate) const TOKEN: &str = "PROCESSION_OS_TEST_TOKEN";

/// Plays the role, if there is one, and does not return then.
pub(crate) extern "C" fn play() {
    let Ok(role) = env::var(ROLE) else { return };
    let code = match role.as_str() {
        "exit with 3" => 3,
        "abort" => abort(),
        "serve" => serve(),
        "describe image" => describe_image(),
        "map memory" => map_memory(),
        "write frozen memory" => write_frozen_memory(),
        "sleep on a word" => sleep_on_a_word(),
        "check variables" => check_variables(),
        "check descriptors" => check_descriptors(),
        "check signals" => check_signals(),
        "ignore children" => ignore_children(),
        "close the streams" => close_the_streams(),
        "launch from a deleted file" => launch_from_a_deleted_file(),
        "have a bound child" => have_a_bound_child(),
        "be bound" => be_bound(),
        "have a child that stops" => have_a_child_that_stops(),
        "have a copy that stops" => have_a_copy_that_stops(),
        "stop at once" => stop_at_once(),
        "limit file sizes" => limit_file_sizes(),
        "run out of descriptors" => run_out_of_descriptors(),
        "be on a leash" => be_on_a_leash(),
        "wear what nobody holds" => wear_what_nobody_holds(),
        "be copied" => be_copied(),
        "be forked" => be_forked(),
        "be copied with a thread" => be_copied_with_a_thread(),
        "trace" => tracer::trace(),
        "hold marks" => life::hold_marks(&control()),
        "execute with a mark" => life::execute_with_a_mark(&control()),
        "fork with a mark" => life::fork_with_a_mark(&control()),
        "hold memory" => limited::hold_memory(),
        "be short of memory" => limited::be_short_of_memory(),
        "have no room" => limited::have_no_room(),
        "be nice" => limited::be_nice(),
        "run on one processor" => limited::run_on_one_processor(),
        "be bound to a stranger" => i32::from(bind_life_to_parent(u32::MAX).expect("a binding")),
        other => panic!("there is no role {other:?}"),
    };
    exit_now(code);
}

fn control() -> Control {
    let token = env::var(TOKEN).expect("a token");
    Control::from_inherited(&token).expect("a channel")
}

fn lower(resource: Resource, limit: u64) {
    let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
    setrlimit(resource, limit).expect("a limit can be lowered");
}

fn abort() -> i32 {
    lower(Resource::Core, 0);
    std::process::abort()
}

/// Lives until the parent closes the channel.
fn serve() -> i32 {
    await_closed(&control());
    0
}

/// Tells who it is and where one of its functions is.
fn describe_image() -> i32 {
    let offset = (play as *const () as usize).wrapping_sub(image::anchor());
    let mut message = image::identity().as_bytes().to_vec();
    message.extend(offset.to_ne_bytes());
    control().send(&message, &[]).expect("the parent listens");
    0
}

/// Maps what the parent sends for reading, finds that it cannot map it for writing, and sends back
/// what is in it.
fn map_memory() -> i32 {
    let control = control();
    let (_, mut handles) = receive(&control);
    let memory = Memory::accept(handles.remove(0)).expect("memory");
    memory.map(Access::ReadWrite).expect_err("memory that the parent owns is not written");
    let mapping = memory.map(Access::Read).expect("a mapping");
    let mut contents = vec![0; mapping.len()];
    // SAFETY: both are valid for the length, and the parent does not write meanwhile.
    unsafe {
        mapping.as_ptr().copy_to_nonoverlapping(contents.as_mut_ptr(), contents.len());
    }
    control.send(&contents, &[]).expect("the parent listens");
    0
}

/// Writes what the parent sends, in a view of its own; then, told to go on, in one that is for reading.
fn write_frozen_memory() -> i32 {
    lower(Resource::Core, 0);
    let control = control();
    let (_, mut handles) = receive(&control);
    let again = handles[0].try_clone().expect("a descriptor");
    let memory = Frozen::accept(handles.remove(0)).expect("memory");
    let start = memory.as_slice().as_ptr().cast_mut();
    let flags = MprotectFlags::READ | MprotectFlags::WRITE;
    // SAFETY: the range is the first page of a mapping, and what it may be used for only grows.
    unsafe { mprotect(start.cast(), 4096, flags) }.expect("a view of one's own can be written");
    // SAFETY: the byte is mapped for writing, and no reference to it is used any more.
    unsafe { start.write_volatile(77) };
    control.send(b"written", &[]).expect("the parent listens");
    receive(&control);
    let memory = Frozen::accept(again).expect("memory");
    let start = memory.as_slice().as_ptr().cast_mut();
    // SAFETY: the byte is mapped for reading alone, so this ends the process before anything else runs.
    unsafe { start.write_volatile(77) };
    0
}

/// Sleeps on the first word of the parent's memory until it is no longer 0, and tells what it is.
fn sleep_on_a_word() -> i32 {
    let control = control();
    let (_, mut handles) = receive(&control);
    let memory = Memory::accept(handles.remove(0)).expect("memory");
    let mapping = memory.map(Access::Read).expect("a mapping");
    // SAFETY: a mapping is aligned to a page and holds more than four bytes; all processes access
    // the word atomically, and this one only loads it.
    let word = unsafe { AtomicU32::from_ptr(mapping.as_ptr().cast()) };
    control.send(b"ready", &[]).expect("the parent listens");
    loop {
        match word.load(Ordering::Acquire) {
            0 => assert!(wait::wait(word, 0, None), "there is no timeout"),
            value => return value.cast_signed(),
        }
    }
}

fn check_variables() -> i32 {
    assert_eq!(env::var("PROCESSION_OS_TEST_SET").as_deref(), Ok("ä=1"));
    assert!(env::var_os("PATH").is_none(), "the launch removes it");
    assert!(env::args_os().len() == 1, "the launch has no arguments");
    0
}

/// Checks that a channel that is not its own was not inherited, and that its own can be had once.
fn check_descriptors() -> i32 {
    let other = env::var("PROCESSION_OS_TEST_OTHER").expect("the token of another channel");
    Control::from_inherited(&other).expect_err("the other channel is not for this child");
    let _own = control();
    let again = Control::from_inherited(&env::var(TOKEN).expect("a token"));
    again.expect_err("a channel is inherited once");
    0
}

/// Checks the signal sets that the kernel shows, before and after the preparation.
fn check_signals() -> i32 {
    let has = |set: &str, number: i32| {
        let status = fs::read_to_string("/proc/self/status").expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix(set));
        let bits = u64::from_str_radix(line.expect("a set").trim(), 16).expect("a number");
        bits & (1 << (number - 1)) != 0
    };
    assert!(has("SigBlk:", libc::SIGINT), "a child starts with it blocked");
    assert!(!has("SigIgn:", libc::SIGPIPE), "a child starts with the default");
    prepare_worker().expect("a preparation");
    assert!(!has("SigBlk:", libc::SIGINT), "a worker does not block it");
    assert!(has("SigCgt:", libc::SIGINT), "a worker takes no notice of it");
    assert!(!has("SigIgn:", libc::SIGINT), "programs that it runs do");
    assert!(has("SigIgn:", libc::SIGPIPE), "a worker ignores it");
    0
}

/// Loses the status of a child as a program does that ignores SIGCHLD.
fn ignore_children() -> i32 {
    // SAFETY: no code is installed as a handler.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    let (child, control) = start("serve");
    assert_eq!(child.try_reap().expect("an answer"), None, "it runs");
    drop(control);
    assert_eq!(end_of(&child), Exit::Unknown);
    assert_eq!(end_of(&child), Exit::Unknown, "and stays so");
    0
}

/// Checks that nothing that lasts takes the place of a closed standard stream.
fn close_the_streams() -> i32 {
    for stream in 0..3 {
        // SAFETY: nothing in this process uses the standard streams any more.
        unsafe { libc::close(stream) };
    }
    let (one, other) = Control::pair().expect("a channel");
    let (memory, _mapping) = Memory::create_shared("test", 4096).expect("memory");
    one.send(b"memory", &[memory.handle()]).expect("the other end is here");
    let (_, _handles) = receive(&other);
    let _frozen = Frozen::create("test", 1, |bytes| bytes.fill(1)).expect("memory");
    let _leash = Leash::pair().expect("a leash");
    let _watcher = Watcher::new().expect("a watcher");
    let _own = OwnMemory::open().expect("the kernel tells");
    let (child, _control) = start("exit with 3");
    let is_free = |stream| {
        // SAFETY: the call reads a flag of a descriptor, and says so if there is none.
        unsafe { libc::fcntl(stream, libc::F_GETFD) == -1 }
    };
    assert!((0..3).all(is_free), "the places of the streams are free");
    i32::from(end_of(&child) != Exit::Code(3))
}

/// Deletes the file that it runs from, and launches its image nevertheless.
fn launch_from_a_deleted_file() -> i32 {
    let file = env::current_exe().expect("a file");
    fs::remove_file(&file).expect("its name can be deleted");
    let (child, _control) = start("exit with 3");
    match end_of(&child) {
        Exit::Code(3) => 0,
        _ => 1,
    }
}

/// A child that plays a role, and shares our end of the channel.
fn start_beside(role: &str, control: &Control) -> Child {
    let variables = [(ROLE, role.to_owned()), (TOKEN, control.inherit_token())]
        .map(|(name, value)| (OsString::from(name), Some(OsString::from(value))));
    let launched =
        launch(&Launch { executable: None, arguments: &[], variables: &variables, control });
    launched.expect("a child")
}

/// Launches a child that shares our end of the channel and is bound to us, and waits to be killed.
fn have_a_bound_child() -> i32 {
    end_of(&start_beside("be bound", &control()));
    1
}

fn be_bound() -> i32 {
    let control = control();
    let is_bound = bind_life_to_parent(parent_pid()).expect("a binding");
    assert!(is_bound, "the parent waits for this child");
    control.send(b"bound", &[]).expect("the test listens");
    await_closed(&control);
    1
}

/// Has a child that stops before it does anything, not even to bind its life, and tells who that is.
fn have_a_child_that_stops() -> i32 {
    let control = control();
    let child = start_beside("stop at once", &control);
    control.send(&child.pid().to_ne_bytes(), &[]).expect("the test listens");
    end_of(&child);
    1
}

/// The same of a copy.
fn have_a_copy_that_stops() -> i32 {
    let control = control();
    let (hold, leash) = Leash::pair().expect("a leash");
    match copy::fork(&control, &hold, leash).expect("a fork") {
        Copied::Copy => stop_at_once(),
        Copied::Original(pid) => {
            control.send(&pid.to_ne_bytes(), &[]).expect("the test listens");
            end_of(&copy::adopt(pid).expect("it is a child of this process"));
            1
        }
    }
}

fn stop_at_once() -> i32 {
    kill_process(getpid(), Signal::STOP).expect("it can be stopped");
    1
}

/// Asks for more memory than a file may have bytes, which would kill if the kernel were asked.
fn limit_file_sizes() -> i32 {
    lower(Resource::Fsize, 4096);
    let within = Memory::create_shared("test", 4096);
    drop(within.expect("this is within the limit"));
    let error = Memory::create_shared("test", 4097).expect_err("this is over the limit");
    i32::from(error.kind() != io::ErrorKind::FileTooLarge)
}

/// Launches a child that there is no descriptor left for, and finds that it is gone.
fn run_out_of_descriptors() -> i32 {
    let (_ours, theirs) = Control::pair().expect("a channel");
    lower(Resource::Nofile, 32);
    let taken: Vec<_> = iter::from_fn(|| dup(io::stdin()).ok()).collect();
    let error = launch(&Launch {
        executable: None,
        arguments: &[],
        variables: &[(ROLE.into(), Some("serve".into()))],
        control: &theirs,
    })
    .expect_err("there is no descriptor");
    drop(taken);
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    let children = wait_for_child(WaitOptions::NOHANG);
    i32::from(children.err() != Some(Errno::CHILD))
}

/// Wears the leash that the parent sends, and waits for more than its life.
fn be_on_a_leash() -> i32 {
    let control = control();
    let (_, mut handles) = receive(&control);
    let is_held = Leash::from_handle(handles.remove(0)).wear().expect("a leash");
    assert!(is_held, "the parent holds it");
    control.send(b"worn", &[]).expect("the parent listens");
    await_closed(&control);
    1
}

/// Checks that an end that came before is told.
fn wear_what_nobody_holds() -> i32 {
    let (hold, leash) = Leash::pair().expect("a leash");
    drop(hold);
    i32::from(leash.wear().expect("a leash"))
}

/// Copies itself again and again, as told. A copy tells what it finds.
fn be_copied() -> i32 {
    let control = control();
    set_name(&format!("strays{}", std::process::id()));
    copy::prepare().expect("this process has one thread");
    let (mut bytes, mut handles) = (Vec::new(), Vec::new());
    while control.recv(&mut bytes, &mut handles, true).expect("an order") == Received::Message {
        match copy::fork_sibling(Ties::default()).expect("a copy") {
            Copied::Original(pid) => {
                control.send(&pid.to_ne_bytes(), &[]).expect("the parent listens");
            }
            Copied::Copy => {
                let own = Control::from_handle(handles.remove(0)).expect("a channel");
                surroundings::apply(&bytes[1..], bytes[0], handles).expect("surroundings");
                let thread = std::thread::spawn(copy::thread_count);
                let count = thread.join().expect("a copy can have threads").expect("a count");
                let found = format!("{} {} {count}", std::process::id(), parent_pid());
                own.send(found.as_bytes(), &[]).expect("the parent listens");
                await_closed(&own);
                return 7;
            }
        }
    }
    0
}

/// Forks itself, beside things that a copy must not keep, and waits for the copy.
fn be_forked() -> i32 {
    let control = control();
    let (ours, theirs) = Control::pair().expect("a channel");
    let (hold, leash) = Leash::pair().expect("a leash");
    let (memory, mapping) = Memory::create_shared("test", 4096).expect("memory");
    let byte = mapping.as_ptr();
    // SAFETY: the mapping is larger, and nobody else has it.
    unsafe { byte.write_volatile(7) };
    let (mut news, mut teller) = io::pipe().expect("a pipe");
    match copy::fork(&control, &hold, leash).expect("a fork") {
        Copied::Copy => {
            ours.send(b"nobody hears", &[]).expect_err("this end is the parent's");
            // SAFETY: the mapping is larger, and this process's alone.
            assert_eq!(unsafe { byte.read_volatile() }, 0, "the memory is the parent's");
            // SAFETY: as above.
            unsafe { byte.write_volatile(8) };
            control.send(b"done", &[]).expect("the test listens");
            assert!(leash::is_worn());
            teller.write_all(b".").expect("the parent listens");
            // Until the parent lets go of the leash, for nobody else holds it: this copy does not.
            await_closed(&control);
            drop((ours, theirs, hold, memory, mapping));
            9
        }
        Copied::Original(pid) => {
            let copy = copy::adopt(pid).expect("it is a child of this process");
            drop(teller);
            news.read_exact(&mut [0]).expect("the copy has found everything as it should be");
            drop(hold);
            let exit = end_of(&copy);
            // SAFETY: the mapping is larger, and nobody else has it.
            assert_eq!(unsafe { byte.read_volatile() }, 7, "the copy has written elsewhere");
            ours.send(b"heard", &[]).expect("the other end is here");
            assert_eq!(receive(&theirs).0, b"heard");
            let killed = Exit::Signal { number: procession_os::signal::KILL, core_dumped: false };
            i32::from(exit != Exit::Code(9) && exit != killed)
        }
    }
}

/// Checks that a process with another thread is not copied.
fn be_copied_with_a_thread() -> i32 {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || stopped.recv());
    assert_eq!(copy::thread_count().expect("a count"), 2);
    copy::prepare().expect_err("there is another thread");
    copy::fork_sibling(Ties::default()).expect_err("there is another thread");
    drop(stop);
    assert!(thread.join().is_ok());
    0
}
