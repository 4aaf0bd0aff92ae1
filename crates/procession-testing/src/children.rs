//! Looking at processes from outside, where the system tells (`/proc`).

use std::fs;

/// Process ids of the children of this process, of all its threads, the dead that nobody has reaped
/// included. None where the system does not tell.
///
/// The list is not of one moment: who is born or dies meanwhile may be in it or not.
pub fn children() -> Vec<u32> {
    children_of(std::process::id())
}

/// As [`children`], of another process.
pub fn children_of(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    // A thread may be gone by now.
    let lines = tasks.map(|task| fs::read_to_string(task.path().join("children")));
    let lines = lines.map(Result::unwrap_or_default);
    let pids_of = |line: String| -> Vec<u32> {
        line.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    };
    lines.flat_map(pids_of).collect()
}

/// What a process does: `R` it runs, `S` sleeps, `T` is stopped, `Z` is dead and was not reaped. `None`
/// when there is none of that id.
pub fn state_of(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name, which is in parentheses, may have some itself.
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether a process lives. Reaping the dead is their parent's affair.
pub fn is_alive(pid: u32) -> bool {
    state_of(pid).is_some_and(|state| !['Z', 'X'].contains(&state))
}
