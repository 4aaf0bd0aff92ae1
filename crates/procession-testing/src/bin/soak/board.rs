//! What runs now, for the watchdog to tell if nothing moves any more.

use crate::tally::Tally;
use parking_lot::Mutex;
use procession::Pool;
use std::fs;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Time without any progress after which something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pools that there are now.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pools: Mutex<Vec<(String, Weak<Pool>)>>,
}

/// A pool's place on the board, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Listed<'a>(&'a Board, Weak<Pool>);

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.0.pools.lock().retain(|(_, pool)| !pool.ptr_eq(&self.1));
    }
}

impl Board {
    /// Lists a pool.
    pub(crate) fn list(&self, name: &str, pool: &Arc<Pool>) -> Listed<'_> {
        let weak = Arc::downgrade(pool);
        self.pools.lock().push((name.to_owned(), weak.clone()));
        Listed(self, weak)
    }

    /// Prints the state of every pool.
    #[expect(clippy::print_stdout, reason = "it is what the program is for")]
    fn print(&self) {
        for (name, pool) in &*self.pools.lock() {
            println!("{name}");
            let Some(pool) = pool.upgrade() else {
                println!("  is being dropped");
                continue;
            };
            println!("  {:?}", pool.stats());
            for pid in pool.worker_pids() {
                println!("  {pid}: {}", state_of(pid));
            }
            // Whoever hangs has it still; this thread must not be the one that ends it.
            std::mem::forget(pool);
        }
    }
}

/// What the system says of a process, and what its threads wait for.
fn state_of(pid: u32) -> String {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let status = read("status");
    let wanted =
        |line: &&str| ["State:", "Threads:", "PPid:"].iter().any(|key| line.starts_with(key));
    let lines: Vec<_> = status.lines().filter(wanted).collect();
    format!("{} wchan {}", lines.join(" ").replace('\t', " "), read("wchan"))
}

/// Ends the program, and says what there is, if nothing moves any more.
#[derive(Debug)]
pub(crate) struct Watch {
    _quiet: Sender<()>,
}

impl Watch {
    #[expect(clippy::print_stdout, reason = "it is what the program is for")]
    pub(crate) fn start(tally: &Arc<Tally>, board: &Arc<Board>) -> Self {
        let (tally, board) = (tally.clone(), board.clone());
        let (bark, quiet) = channel::<()>();
        std::thread::spawn(move || {
            let (mut seen, mut since) = (tally.progress(), Instant::now());
            while quiet.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                let now = tally.progress();
                if now != seen {
                    (seen, since) = (now, Instant::now());
                } else if since.elapsed() > PATIENCE {
                    println!("seed {}: nothing has moved for {PATIENCE:?}", tally.seed);
                    board.print();
                    println!("{tally}");
                    std::process::abort();
                }
            }
        });
        Self { _quiet: bark }
    }
}
