//! Ends a bench that hangs, and says where.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Exit code of a bench that hung.
const HUNG: i32 = 3;

/// Guards one turn; dropped when it is over.
#[derive(Debug)]
pub(crate) struct Watchdog {
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    pub(crate) fn start(what: String, limit: Duration) -> Self {
        let (over, ended) = channel::<()>();
        let thread = std::thread::spawn(move || {
            if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                eprintln!("\nprocession-bench: {what} hangs (no end within {limit:?}); threads:");
                for line in threads() {
                    eprintln!("  {line}");
                }
                std::process::exit(HUNG);
            }
        });
        Self { over: Some(over), thread: Some(thread) }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            // It only prints, and prints nothing now.
            let _ = thread.join();
        }
    }
}

/// Name, state and system call of each thread of this process and of its children.
fn threads() -> Vec<String> {
    let processes = crate::population::children().chain([std::process::id()]);
    processes
        .flat_map(|pid| {
            crate::population::tasks(pid).into_iter().map(move |task| {
                let read = |file: &str| {
                    let path = format!("/proc/{pid}/task/{task}/{file}");
                    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
                };
                format!("{pid}/{task} {} {} {}", read("comm"), read("wchan"), read("syscall"))
            })
        })
        .collect()
}
