//! Programs that are started, or have made themselves, in an unusual world.

use crate::narrow::become_somebody;
use crate::report::{require, say, skip};
use crate::work::{PATIENCE, Turns};
use procession::{Pool, StartMethod};
use procession_testing::{children, wait_for};
use std::ffi::CStr;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::{io, ptr};

/// Closes those of the standard streams whose bits are set. Nothing that a child prints may then get
/// into anything else.
pub(crate) fn close_streams(turns: Turns, streams: u64) {
    for stream in (0..3).filter(|stream| streams & (1 << stream) != 0) {
        // SAFETY: what is written to the stream from now on goes nowhere.
        unsafe { libc::close(stream) };
    }
    let method = turns.method;
    turns.all_work();
    let pool = Pool::builder().processes(1).start_method(method).build().expect("a pool");
    for stream in 0..3 {
        let ours = fs::read_link(format!("/proc/self/fd/{stream}")).ok();
        assert_eq!(ours.is_none(), streams & (1 << stream) != 0, "{stream} is {ours:?}");
        let theirs = pool.apply(stream_of_child, (stream,)).expect("a child can look");
        let nothing = theirs.as_deref().is_none_or(|path| path == "/dev/null");
        assert!(nothing || theirs == ours.map(|path| path.display().to_string()), "{theirs:?}");
    }
}

#[expect(clippy::print_stdout, reason = "it must get nowhere")]
fn stream_of_child(stream: u32) -> Option<String> {
    println!("a child prints");
    eprintln!("a child prints");
    let path = fs::read_link(format!("/proc/self/fd/{stream}")).ok()?;
    Some(path.display().to_string())
}

/// Blocks all signals, as programs do that wait for them in a thread of their own.
pub(crate) fn block_signals(turns: Turns) {
    // SAFETY: a set of zeros is a valid one.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the call fills in the set.
    unsafe { libc::sigfillset(&raw mut set) };
    // SAFETY: the set is initialized; a null pointer means that the old one is not wanted.
    let result = unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut()) };
    assert_eq!(result, 0);
    let method = turns.method;
    turns.all_work();
    let pool = Pool::builder().processes(1).start_method(method).build().expect("a pool");
    let blocked = pool.apply(blocked_signals, ()).expect("a child can look");
    for signal in [libc::SIGTERM, libc::SIGINT] {
        assert_eq!(blocked & (1 << (signal - 1)), 0, "a worker can be asked to end");
    }
}

fn blocked_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).expect("a set");
    u64::from_str_radix(line.trim(), 16).expect("a number")
}

fn mount(source: &CStr, target: &CStr, kind: &CStr, flags: u64) {
    // SAFETY: all are strings that end in NUL; there are no options.
    let result =
        unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, ptr::null()) };
    require(&format!("mounting on {target:?}"), result);
}

/// Has what is mounted from now on be seen by this program alone.
fn leave_file_systems() {
    // SAFETY: the call takes flags.
    require("a mount namespace", unsafe { libc::unshare(libc::CLONE_NEWNS) });
    mount(c"none", c"/", c"none", libc::MS_REC | libc::MS_PRIVATE);
}

/// A file system that cannot be written to, and no `/dev/shm`.
pub(crate) fn without_shared_files(turns: Turns) {
    leave_file_systems();
    mount(c"none", c"/dev/shm", c"tmpfs", libc::MS_RDONLY);
    mount(c"none", c"/tmp", c"tmpfs", libc::MS_RDONLY);
    mount(c"none", c"/", c"none", libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY);
    for folder in ["/dev/shm", "/tmp", "/"] {
        let file = std::path::Path::new(folder).join("procession-test");
        fs::write(file, "").expect_err("nothing can be written here");
    }
    turns.all_work();
}

/// No `/proc`: what needs it says so, and the rest works.
pub(crate) fn without_proc(mut turns: Turns) {
    leave_file_systems();
    mount(c"none", c"/proc", c"tmpfs", libc::MS_RDONLY);
    if turns.method == StartMethod::Spawn {
        return turns.all_work();
    }
    for _ in 0..2 {
        turns.prepare();
        match turns.turn() {
            Ok(()) => say("ok"),
            Err(error) => {
                assert!(error.to_string().contains("No such file"), "{error}");
                say(&format!("refused: {error}"));
            }
        }
    }
}

/// Is the first process of a container.
pub(crate) fn as_first_process(method: StartMethod) {
    // SAFETY: the call takes flags.
    require("a process namespace", unsafe { libc::unshare(libc::CLONE_NEWPID) });
    leave_file_systems();
    let mut first = Command::new(std::env::current_exe().expect("a file"));
    first.args(["as the first", &method.to_string()]);
    let mount_proc = || {
        let (name, place) = (c"proc".as_ptr(), c"/proc".as_ptr());
        // SAFETY: all are strings that end in NUL; there are no options.
        let result = unsafe { libc::mount(name, place, name, 0, ptr::null()) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: the closure makes one call, of the system.
    unsafe { first.pre_exec(mount_proc) };
    match first.output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            say(said.trim_end());
            assert!(output.status.success() && said.ends_with("done\n"), "{output:?}");
        }
        Err(error) => skip(&format!("a /proc of its own: {error}")),
    }
}

/// Gives up rights after it has had workers: none of those that come has them.
pub(crate) fn drop_rights(mut turns: Turns) {
    turns.must_work();
    let user = become_somebody();
    turns.must_work();
    let method = turns.method;
    let pool = Pool::builder().processes(2).start_method(method).build().expect("a pool");
    for owners in pool.map(|_: u64| users(), 0..100).expect("children can look") {
        assert_eq!(owners, vec![user; 4]);
    }
    let users_of =
        |pid: &u32| fs::read_to_string(format!("/proc/{pid}/status")).map(|it| users_in(&it));
    wait_for("no child has more rights", PATIENCE, || {
        let pids = children();
        pids.iter().filter_map(|pid| users_of(pid).ok()).all(|users| users == vec![user; 4])
    });
}

fn users() -> Vec<u32> {
    users_in(&fs::read_to_string("/proc/self/status").expect("a status"))
}

fn users_in(status: &str) -> Vec<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    line.split_whitespace().map(|user| user.parse().expect("a number")).collect()
}
