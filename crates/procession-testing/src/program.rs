//! Programs that tests run, with all that they start.

use crate::harness::wait_for;
use crate::signals::send;
use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A program in a process group of its own, which is killed if it hangs.
#[derive(Debug)]
pub struct Program(Child);

impl Program {
    /// Starts it, without input. What it prints is kept, what it complains of goes to `complaints`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: &mut Command, complaints: Stdio) -> Self {
        command.process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(complaints);
        Self(command.spawn().expect("a program starts"))
    }

    /// What it says, once it and all its children have ended.
    ///
    /// # Panics
    /// When it has not ended within this time, or not well, or has left somebody of its group.
    pub fn finish(mut self, what: &str, limit: Duration) -> String {
        let mut pipe = self.0.stdout.take().expect("it is a pipe");
        // It ends with the last process that has it.
        let reader = std::thread::spawn(move || {
            let mut said = Vec::new();
            pipe.read_to_end(&mut said).map(|_| String::from_utf8_lossy(&said).into_owned())
        });
        let deadline = Instant::now() + limit;
        while !reader.is_finished() {
            if Instant::now() >= deadline {
                send(-(self.0.id() as i32), libc::SIGKILL);
                panic!("{what} hangs: {:?}", reader.join());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let said = reader.join().expect("no panic").expect("it can be read");
        let status = self.0.wait().expect("it has ended");
        assert!(status.success(), "{what}: {status}: {said}");
        let group = self.0.id();
        // Who is dying takes a moment.
        wait_for(&format!("{what}: nobody is left of the group {group}"), limit, || {
            members(group).is_empty()
        });
        said
    }
}

/// The processes of a group that live.
fn members(group: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = processes.filter_map(|it| fs::read_to_string(it.path().join("stat")).ok());
    let is_member = |stat: &String| {
        let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
        let is_alive = fields.next().is_some_and(|state| !["Z", "X"].contains(&state));
        is_alive && fields.nth(1) == Some(&*group.to_string())
    };
    stats.filter(is_member).collect()
}
