//! What all pools of the process do at this moment, as text: for programs that seem to be stuck.

use crate::error::{Error, Result};
use crate::start::bootstrap;
use parking_lot::Mutex;
use procession_os::own_thread;
use procession_os::signal::{self, Arrivals};
use std::io::Write as _;
use std::sync::Weak;
use std::time::Duration;

/// Something that can be reported of.
pub(crate) trait Reports: Send + Sync {
    /// Lines of text, each with its end. Holds no lock that a task or a waiting thread may hold for long.
    fn report(&self) -> String;
}

/// The pools of this process, and of which copy of the program they are: a forked one has pictures of its
/// parent's.
static POOLS: Mutex<Vec<(u32, Weak<dyn Reports>)>> = Mutex::new(Vec::new());

/// Longest wait for the list of the pools: in a forked copy whoever held it may be missing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Has a pool reported of as long as it is there.
pub(crate) fn register(pool: Weak<dyn Reports>) {
    let mut pools = POOLS.lock();
    pools.retain(|(_, pool)| pool.strong_count() > 0);
    pools.push((bootstrap::copies(), pool));
}

/// What all pools of this process do at this moment, with a line for each worker.
pub fn report() -> String {
    let Some(pools) = POOLS.try_lock_for(PATIENCE) else {
        return "the list of this process's pools is held by nobody that is here\n".to_owned();
    };
    let copies = bootstrap::copies();
    let here: Vec<_> = pools.iter().filter(|(of, _)| *of == copies).cloned().collect();
    drop(pools);
    let reports: String =
        here.iter().filter_map(|(_, pool)| Some(pool.upgrade()?.report())).collect();
    let (name, pid) = (crate::info::current_process().name().to_owned(), std::process::id());
    if reports.is_empty() {
        format!("{name} (pid {pid}) has no pool\n")
    } else {
        format!("{name} (pid {pid}) has these pools\n{reports}")
    }
}

/// Writes the [report] to standard error whenever the signal of this number arrives.
///
/// # Errors
/// For a number that no signal has, and one that a program cannot wait for; when the system is out of
/// threads or descriptors.
pub fn report_on_signal(number: i32) -> Result<()> {
    let failed = |source| {
        let what = format!("cannot report on {}", signal::describe(number));
        Error::system(what, source)
    };
    let mut arrivals = Arrivals::of(number).map_err(failed)?;
    let run = move |own: &mut own_thread::OwnThread| loop {
        own.rest(|| arrivals.wait());
        // There is nobody to tell that nobody reads this.
        let _ = std::io::stderr().write_all(report().as_bytes());
    };
    own_thread::spawn("procession-report", 256 * 1024, run).map_err(failed)
}
