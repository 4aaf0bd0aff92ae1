//! Processes: how they start, what they inherit and how they end.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Instant;
use std::{env, fs};

use procession_os::control::{Control, Received};
use procession_os::process::{Child, Exit, Launch, launch};
use procession_os::signal;

use crate::roles::ROLE;
use crate::support::{PATIENCE, Watchdog, await_closed, end_of, receive, start, start_with};

fn launch_other(executable: &str, arguments: &[&str]) -> io::Result<Child> {
    let (_ours, theirs) = Control::pair().expect("a channel");
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    launch(&Launch {
        executable: Some(Path::new(executable)),
        arguments: &arguments,
        variables: &[],
        control: &theirs,
    })
}

fn launch_with_variable(name: &str, value: &str) -> io::Result<Child> {
    let (_ours, theirs) = Control::pair().expect("a channel");
    launch(&Launch {
        executable: None,
        arguments: &[],
        variables: &[(ROLE.into(), Some("exit with 3".into())), (name.into(), Some(value.into()))],
        control: &theirs,
    })
}

#[test]
fn an_exit_code_is_collected_and_stays() {
    let _watchdog = Watchdog::start();
    let (child, _control) = start("exit with 3");
    let exit = end_of(&child);
    assert_eq!(exit, Exit::Code(3));
    assert_eq!(exit.to_string(), "exit code 3");
    assert_eq!(exit.code_like_python(), Some(3));
    assert_eq!(child.try_reap().expect("an answer"), Some(exit));
}

#[test]
fn a_child_that_runs_has_no_status_until_it_is_killed() {
    let _watchdog = Watchdog::start();
    let (child, _control) = start("serve");
    assert_eq!(child.try_reap().expect("an answer"), None);
    child.kill().expect("it can be killed");
    let exit = end_of(&child);
    assert_eq!(exit.code_like_python(), Some(-signal::KILL));
    assert_eq!(exit.to_string(), "SIGKILL (killed)");
    child.kill().expect("the dead take no notice");
    child.terminate().expect("the dead take no notice");
}

#[test]
fn a_child_can_be_asked_to_end() {
    let _watchdog = Watchdog::start();
    let (child, _control) = start("serve");
    child.terminate().expect("it can be asked");
    let exit = end_of(&child);
    assert_eq!(exit, Exit::Signal { number: signal::TERMINATE, core_dumped: false });
}

#[test]
fn an_abort_is_a_signal() {
    let _watchdog = Watchdog::start();
    let (child, _control) = start("abort");
    assert_eq!(end_of(&child).to_string(), "SIGABRT (aborted)");
}

#[test]
fn any_signal_that_there_is_can_be_sent() {
    let _watchdog = Watchdog::start();
    let (child, _control) = start("serve");
    for number in [i32::MIN, -1, 0, 32, 65, i32::MAX] {
        let error = child.signal(number).expect_err("there is no such signal");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    }
    let number = libc::SIGRTMIN() + 1;
    child.signal(number).expect("a real-time signal is one");
    assert_eq!(end_of(&child).code_like_python(), Some(-number));
}

#[test]
fn a_core_dump_shows() {
    let exit = Exit::Signal { number: libc::SIGSEGV, core_dumped: true };
    assert_eq!(exit.to_string(), "SIGSEGV (segmentation fault), core dumped");
}

#[test]
fn a_status_that_someone_else_took_is_unknown() {
    let _watchdog = Watchdog::start();
    let (child, _control) = start("ignore children");
    assert_eq!(end_of(&child), Exit::Code(0));
    for (exit, why) in [(Exit::Unknown, "collected"), (Exit::Withheld, "traces")] {
        assert!(exit.to_string().contains(why), "{exit}");
        assert_eq!(exit.code_like_python(), None);
    }
}

#[test]
fn another_executable_is_launched_with_arguments() {
    let _watchdog = Watchdog::start();
    let child = launch_other("/bin/sh", &["-c", "exit $#", "sh", "a b", "", "ä"]);
    assert_eq!(end_of(&child.expect("a child")), Exit::Code(3));
}

#[test]
fn what_cannot_be_executed_is_an_error_of_the_launch() {
    let kind = |executable| {
        let child = launch_other(executable, &[]);
        child.expect_err("this is no executable").kind()
    };
    assert_eq!(kind("/no such directory/worker"), io::ErrorKind::NotFound);
    assert_eq!(kind("/proc/self/status"), io::ErrorKind::PermissionDenied);
    assert_eq!(kind("/bin/sh\0"), io::ErrorKind::InvalidInput);
}

#[test]
fn what_an_exec_cannot_carry_is_an_error_of_the_launch() {
    let errors = [
        launch_other("/bin/sh", &["-c\0"]).err(),
        launch_with_variable("", "value").err(),
        launch_with_variable("a=b", "value").err(),
        launch_with_variable("a\0b", "value").err(),
        launch_with_variable("name", "va\0lue").err(),
    ];
    for (index, error) in errors.into_iter().enumerate() {
        let error = error.unwrap_or_else(|| panic!("case {index} is refused"));
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    }
}

#[test]
fn a_child_that_cannot_be_watched_is_not_left_behind() {
    let _watchdog = Watchdog::start();
    let (child, _control) = start("run out of descriptors");
    assert_eq!(end_of(&child), Exit::Code(0));
}

#[test]
fn variables_are_set_and_removed() {
    let _watchdog = Watchdog::start();
    let changes = [
        ("PROCESSION_OS_TEST_SET", Some("overwritten")),
        ("PROCESSION_OS_TEST_SET", Some("ä=1")),
        ("PATH", None),
    ];
    let (child, _control) = start_with("check variables", &changes);
    assert_eq!(end_of(&child), Exit::Code(0));
}

#[test]
fn a_process_launches_itself_after_its_file_is_deleted() {
    let _watchdog = Watchdog::start();
    // A second name rather than a copy: while a copy is written, any child launched by another
    // test has it open for writing until its exec, and the kernel does not execute such a file.
    let own = env::current_exe().expect("a file");
    let file = own.with_extension(format!("deleted-{}", std::process::id()));
    fs::hard_link(&own, &file).expect("a second name");
    let (_ours, theirs) = Control::pair().expect("a channel");
    let child = launch(&Launch {
        executable: Some(&file),
        arguments: &[],
        variables: &[(ROLE.into(), Some("launch from a deleted file".into()))],
        control: &theirs,
    });
    assert_eq!(end_of(&child.expect("a child")), Exit::Code(0));
    assert!(!file.exists());
}

#[test]
fn a_bound_child_goes_with_its_parent() {
    let _watchdog = Watchdog::start();
    let (parent, control) = start("have a bound child");
    assert_eq!(receive(&control).0, b"bound");
    parent.kill().expect("it can be killed");
    end_of(&parent);
    // The grandchild has the other end too, and would wait for us for ever.
    let start = Instant::now();
    while control.recv(&mut Vec::new(), &mut Vec::new(), false).expect("an answer")
        != Received::Closed
    {
        assert!(start.elapsed() < PATIENCE / 2, "the grandchild lives on");
        std::thread::yield_now();
    }
}

#[test]
fn a_child_that_stops_before_it_does_anything_goes_with_its_parent() {
    for role in ["have a child that stops", "have a copy that stops"] {
        let _watchdog = Watchdog::start();
        let (parent, control) = start(role);
        let pid = u32::from_ne_bytes(receive(&control).0.try_into().expect("a process id"));
        let is_stopped = || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
            stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
        };
        // The watchdog's time at most.
        while !is_stopped() {
            std::thread::yield_now();
        }
        parent.kill().expect("it can be killed");
        end_of(&parent);
        // It has the other end, too.
        await_closed(&control);
    }
}

#[test]
fn a_child_whose_parent_is_gone_is_told() {
    let _watchdog = Watchdog::start();
    let (child, _control) = start("be bound to a stranger");
    assert_eq!(end_of(&child), Exit::Code(0), "it is not bound");
}
