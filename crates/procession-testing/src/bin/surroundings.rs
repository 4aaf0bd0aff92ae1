//! Changes environment, working folder and streams between its children, which must find the new.

#![allow(unsafe_code)]

use procession::{Process, StartMethod};
use std::os::fd::AsRawFd;

/// What a child finds around it.
fn around() -> (Vec<Option<String>>, String, String) {
    let names = ["PROCESSION_TEST_SET", "PROCESSION_TEST_GONE", "PROCESSION_TEST_LARGE"];
    let variables = names.map(|name| std::env::var(name).ok()).to_vec();
    let link = |path| std::fs::read_link(path).expect("a link").display().to_string();
    (variables, link("/proc/self/cwd"), link("/proc/self/fd/0"))
}

fn check(what: &str) {
    for method in [StartMethod::Spawn, StartMethod::ForkServer] {
        let mut process = Process::new(around, ()).start_method(method);
        process.start().expect("a process starts");
        assert_eq!(process.join().expect("it ends"), around(), "{what}, {method}");
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one thread that uses the environment")]
fn change(name: &str, value: Option<&str>) {
    match value {
        // SAFETY: the launcher's thread reads it only while this one waits for a child.
        Some(value) => unsafe { std::env::set_var(name, value) },
        // SAFETY: as above.
        None => unsafe { std::env::remove_var(name) },
    }
}

#[procession::main]
fn main() {
    change("PROCESSION_TEST_GONE", Some("soon"));
    check("as it was");
    change("PROCESSION_TEST_SET", Some("ä = 1"));
    change("PROCESSION_TEST_GONE", None);
    check("variables");
    std::env::set_current_dir("/proc").expect("there is such a folder");
    check("the folder");
    change("PROCESSION_TEST_LARGE", Some(&"x".repeat(40_000)));
    check("more than fits into an order");
    let file = std::fs::File::open("/dev/zero").expect("there is such a file");
    // SAFETY: nothing in this process uses the standard input.
    unsafe { libc::dup2(file.as_raw_fd(), 0) };
    check("a stream");
    std::env::set_current_dir("/").expect("there is such a folder");
    check("the folder again");
}
