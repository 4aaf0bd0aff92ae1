//! Runs the examples and looks at what they really print.
//!
//! Cargo builds examples with the tests, but tells a test neither their names nor their place: they
//! lie beside the folder of the test's own executable.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Far more than any example needs, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What an example printed, and the process that it was.
struct Run {
    pid: u32,
    lines: Vec<String>,
}

impl Run {
    fn line(&self, index: usize) -> &str {
        self.lines.get(index).map_or("", String::as_str)
    }

    fn last(&self) -> &str {
        self.lines.last().map_or("", String::as_str)
    }

    /// The place of the only line equal to `line`.
    fn place_of(&self, line: &str) -> usize {
        let places: Vec<_> = (0..self.lines.len()).filter(|i| self.lines[*i] == line).collect();
        assert_eq!(places.len(), 1, "{line:?} once in {:#?}", self.lines);
        places[0]
    }
}

fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has an executable");
    let profile = test.ancestors().nth(2).expect("a test lies in a folder of its profile");
    let path = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is not built: `cargo build --examples`", path.display());
    path
}

/// Runs an example to its end. Its output ends when its last process has ended, so this waits for
/// its workers as well.
fn run(name: &str, arguments: &[&str]) -> Run {
    let mut child = Command::new(example(name))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("an example starts");
    let pid = child.id();
    let streams: [Box<dyn Read + Send>; 2] = [
        Box::new(child.stdout.take().expect("it is piped")),
        Box::new(child.stderr.take().expect("it is piped")),
    ];
    let texts = streams.map(|mut stream| {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut text = String::new();
            let read = stream.read_to_string(&mut text);
            // The receiver is gone only when the test has failed already.
            drop(sender.send(read.map(|_| text)));
        });
        receiver
    });
    let [output, errors] = texts.map(|text| match text.recv_timeout(PATIENCE) {
        Ok(text) => text.expect("an example prints UTF-8"),
        Err(_) => {
            // It may have ended while a worker of it lives: there is nothing to kill then.
            drop(child.kill());
            panic!("{name} still runs, or a worker of it does, after {PATIENCE:?}");
        }
    });
    let status = child.wait().expect("an example can be waited for");
    assert!(status.success(), "{name}: {status}\n{output}\n{errors}");
    assert_eq!(errors, "", "{name} is quiet on standard error");
    Run { pid, lines: output.lines().map(str::to_owned).collect() }
}

/// The parts of `line` between the fixed texts of `shape`.
fn parts<'a>(line: &'a str, shape: &[&str]) -> Option<Vec<&'a str>> {
    let mut rest = line.strip_prefix(shape[0])?;
    let mut found = Vec::new();
    for (index, text) in shape.iter().enumerate().skip(1) {
        let end = if index + 1 == shape.len() {
            rest.ends_with(text).then(|| rest.len() - text.len())?
        } else {
            rest.find(text)?
        };
        found.push(&rest[..end]);
        rest = &rest[end + text.len()..];
    }
    Some(found)
}

/// A number with two decimals.
fn seconds(text: &str) -> f64 {
    assert!(text.split_once('.').is_some_and(|(_, decimals)| decimals.len() == 2), "{text:?}");
    text.parse().expect("a number of seconds")
}

#[test]
fn hello_runs_a_function_in_a_child_process() {
    let run = run("hello", &[]);
    assert_eq!(run.lines.len(), 4, "{:#?}", run.lines);
    assert_eq!(run.line(0), format!("Parent process {}.", run.pid));
    assert_eq!(run.line(1), "Child process will start.");
    let child = parts(run.line(2), &["Run child process world (", ")..."]);
    let child: u32 = child.expect("the child's line")[0].parse().expect("the child's pid");
    assert_ne!(child, run.pid);
    assert_eq!(run.line(3), "Child process end.");
}

#[test]
fn pool_runs_four_tasks_side_by_side_and_the_fifth_after() {
    let run = run("pool", &[]);
    assert_eq!(run.lines.len(), 14, "{:#?}", run.lines);
    assert_eq!(run.line(0), format!("Parent process {}.", run.pid));

    let (mut begun, mut pids, mut ended) = (Vec::new(), BTreeSet::new(), Vec::new());
    for (place, line) in run.lines.iter().enumerate() {
        if let Some(found) = parts(line, &["Run task ", " (", ")..."]) {
            begun.push((found[0].to_owned(), place));
            pids.insert(found[1].parse::<u32>().expect("a worker's pid"));
        } else if let Some(found) = parts(line, &["Task ", " runs ", " seconds."]) {
            assert!(seconds(found[1]) >= 1.0, "{line:?}");
            ended.push((found[0].to_owned(), place));
        }
    }
    assert_eq!((begun.len(), ended.len()), (5, 5), "{:#?}", run.lines);
    assert_eq!(pids.len(), 4, "each of the four workers had a task: {:#?}", run.lines);
    assert!(!pids.contains(&run.pid));
    for task in ["0", "1", "2", "3", "4"] {
        let place = |places: &[(String, usize)]| {
            places.iter().find(|(name, _)| name == task).map(|(_, place)| *place)
        };
        let (begin, end) = (place(&begun), place(&ended));
        assert!(begin.is_some() && begin < end, "task {task} once: {:#?}", run.lines);
    }
    assert!(begun[3].1 < ended[0].1, "four side by side: {:#?}", run.lines);
    assert!(begun[4].1 > ended[0].1, "the fifth after: {:#?}", run.lines);

    let done = run.place_of("All subprocesses done.");
    assert!(run.place_of("Waiting for all subprocesses done...") < done);
    assert_eq!(done, 12, "{:#?}", run.lines);
    let wall = parts(run.last(), &["Wall time: ", " s"]).expect("the wall time is last");
    assert!(seconds(wall[0]) >= 2.0, "two rounds of a second: {}", run.last());
}

#[test]
fn wordcount_counts_the_same_alone_in_processes_and_on_threads() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wordcount");
    let texts = [
        ("one.txt", "the cat sat on the mat\n"),
        ("deep/two.rs", "fn the_cat() { cat }\n"),
        ("deep/er/three.md", "über THE über\n"),
        ("empty", ""),
    ];
    fs::create_dir_all(root.join("deep/er")).expect("a folder for the test");
    for (name, text) in texts {
        fs::write(root.join(name), text).expect("a file for the test");
    }
    fs::write(root.join("picture"), [0xff, 0xd8, 0xff, 0xe0]).expect("a file for the test");
    let path = root.to_str().expect("the target folder has a UTF-8 name");
    let words = [("the", 4), ("cat", 3), ("über", 2), ("fn", 1), ("mat", 1), ("on", 1), ("sat", 1)];
    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();

    for arguments in [vec![path], vec!["--serial", path], vec!["--threads", path]] {
        let run = run("wordcount", &arguments);
        let (top, last) = run.lines.split_at(words.len());
        let expected: Vec<_> = words.map(|(word, times)| format!("{times:>12} {word}")).into();
        assert_eq!(top, expected, "{arguments:?}");
        let start = format!("4 files, {bytes} bytes, 13 words, ");
        assert_eq!(last.len(), 1, "{last:?}");
        let speed = parts(&last[0], &[&start, " MB/s"]).expect("the sum is last")[0];
        assert!(speed.parse::<f64>().is_ok(), "{speed:?}");
    }
}

#[test]
fn survive_loses_only_the_items_that_crash() {
    let run = run("survive", &[]);
    assert_eq!(run.lines.len(), 21, "{:#?}", run.lines);
    for (index, line) in run.lines[..20].iter().enumerate() {
        if index % 5 == 3 {
            let error = line.strip_prefix(&format!("broken{index}: "));
            assert!(error.is_some_and(|text| text.contains("SIGSEGV")), "{line:?}");
        } else {
            let bytes = index.to_string().len();
            assert_eq!(line, &format!("name={index} has a value of {bytes} bytes"));
        }
    }
    assert_eq!(run.last(), "16 of 20 settings measured, 4 lost.");
}

#[test]
fn give_up_says_what_it_gave_up() {
    let run = run("give_up", &[]);
    assert_eq!(run.lines.len(), 5, "{:#?}", run.lines);
    assert_eq!((run.line(0), run.line(2)), ("0: 111 steps", "2: 118 steps"));
    let (function, limit) = run.line(1).split_once("` of item 1 took longer").expect("an item");
    assert!(function.starts_with("1: `give_up::"), "{function}");
    assert!(limit.starts_with(" than its limit of 200ms on PoolWorker"), "{limit}");
    assert_eq!(run.line(3), "3 calls were made again.");
}

#[test]
fn stuck_names_the_item_that_hangs() {
    let run = run("stuck", &[]);
    let named = run.lines.iter().filter(|line| line.contains("stuck::work of item 2"));
    assert_eq!(named.count(), 1, "{:#?}", run.lines);
    assert!(run.last().contains("cancelled"), "{:?}", run.last());
}

#[test]
fn talk_accounts_for_every_number() {
    let run = run("talk", &[]);
    assert_eq!(run.line(0), "sum of 1 to 1000: 500500");
    assert_eq!(run.last(), "1000 numbers were taken");
}

#[test]
fn share_sends_its_data_once_to_each_worker() {
    let run = run("share", &[]);
    let totals: Vec<_> =
        ["zero", "one", "two", "three"].map(|name| format!("{name}: 262144")).into();
    assert_eq!(run.lines[..4], totals, "{:#?}", run.lines);
    let times =
        parts(run.last(), &["64 tasks, data sent ", " times."]).expect("the sum is last")[0];
    assert!(["2", "4"].contains(&times), "{times:?}");
}
