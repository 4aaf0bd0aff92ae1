//! Processes and threads that a contender has made, seen from `/proc`.

use crate::harness::Outcome;
use std::collections::BTreeSet;

/// Children and threads of this process at one time.
#[derive(Debug)]
pub(crate) struct Population {
    children: BTreeSet<u32>,
    threads: BTreeSet<u32>,
}

impl Population {
    /// Those of now.
    pub(crate) fn now() -> Self {
        let own = std::process::id();
        Self { children: children().collect(), threads: tasks(own).into_iter().collect() }
    }

    /// Children that have come since.
    pub(crate) fn new_children(&self) -> Vec<u32> {
        children().filter(|pid| !self.children.contains(pid)).collect()
    }

    /// Threads that have come since, of this process and of new children, as their `/proc` folders.
    pub(crate) fn new_threads(&self) -> Vec<String> {
        let own = std::process::id();
        let threads = tasks(own).into_iter().filter(|task| !self.threads.contains(task));
        let threads = threads.map(|task| (own, task));
        let others = self.new_children().into_iter();
        let others = others.flat_map(|pid| tasks(pid).into_iter().map(move |task| (pid, task)));
        threads.chain(others).map(|(pid, task)| format!("/proc/{pid}/task/{task}")).collect()
    }
}

/// Process ids of this process's children.
pub(crate) fn children() -> impl Iterator<Item = u32> {
    let own = std::process::id();
    numbers("/proc").into_iter().filter(move |pid| parent_of(*pid) == Some(own))
}

/// Thread ids of a process.
pub(crate) fn tasks(pid: u32) -> Vec<u32> {
    numbers(&format!("/proc/{pid}/task"))
}

/// The entries of a folder that are numbers.
fn numbers(folder: &str) -> Vec<u32> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    field(&status, "PPid:")
}

/// The number behind a name in a file of lines such as `Name:   12 kB`.
fn field<T: std::str::FromStr>(text: &str, name: &str) -> Option<T> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Memory that only this process has, in bytes: its unique set size.
pub(crate) fn unique_bytes(pid: u32) -> Outcome<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let names = ["Private_Clean:", "Private_Dirty:", "Private_Hugetlb:"];
    let kibibytes: f64 = names.iter().filter_map(|name| field::<f64>(&text, name)).sum();
    Ok(kibibytes * 1024.0)
}

/// Memory of this process that is in use now, shared or not, in bytes.
pub(crate) fn resident_bytes() -> Outcome<f64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let names = ["RssAnon:", "RssShmem:"];
    let kibibytes: f64 = names.iter().filter_map(|name| field::<f64>(&text, name)).sum();
    Ok(kibibytes * 1024.0)
}

/// Context switches of some threads so far, both kinds.
pub(crate) fn switches(threads: &[String]) -> f64 {
    let of = |folder: &String| {
        let text = std::fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
        let names = ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"];
        names.iter().filter_map(|name| field::<f64>(&text, name)).sum::<f64>()
    };
    threads.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_thread_that_wakes_is_seen_and_counted() {
        let before = Population::now();
        let (bell, bells) = channel::<()>();
        let (answer, answers) = channel::<()>();
        let thread = std::thread::spawn(move || bells.iter().try_for_each(|()| answer.send(())));
        let threads = before.new_threads();
        let start = switches(&threads);
        for _ in 0..50 {
            // The thread sleeps meanwhile, so that most bells wake it.
            std::thread::sleep(std::time::Duration::from_millis(1));
            bell.send(()).expect("the thread listens");
            answers.recv().expect("the thread answers");
        }
        assert!(switches(&threads) - start >= 25.0, "{} switches", switches(&threads) - start);
        drop(bell);
        thread.join().expect("no panic").expect("all answers were taken");
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "nonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t5\nPss:  12 kB\n";
        assert_eq!(field(text, "voluntary_ctxt_switches:"), Some(5));
        assert_eq!(field(text, "Pss:"), Some(12));
        assert_eq!(field::<u32>(text, "PPid:"), None);
    }
}
