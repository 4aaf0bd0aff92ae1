//! Workers that are killed at random, and the deaths of whole programs.

use procession::{Event, Pool, Process, StartMethod};
use procession_testing::{Harness, Random, children_of, is_alive, send, state_of, trace, wait_for};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(300);
const TASKS: u64 = 10_000;
const METHODS: [StartMethod; 3] = [StartMethod::Spawn, StartMethod::ForkServer, StartMethod::Fork];

/// Marks the task as begun in a file that outlives its worker, then works for a moment.
fn work(index: u64, marks: String) -> u64 {
    use std::os::unix::fs::FileExt;
    let file = fs::OpenOptions::new().write(true).open(marks).expect("the marks can be opened");
    file.write_all_at(b"x", index).expect("the marks can be written");
    let start = Instant::now();
    while start.elapsed() < Duration::from_micros(50) {
        std::hint::spin_loop();
    }
    index * 2
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("procession-{name}-{}", std::process::id()))
}

/// Kills a random worker every 20 ms until told to stop.
fn kill_at_random(pool: &Pool, mut random: Random, stop: &AtomicBool) -> u32 {
    let mut kills = 0;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
        let pids = pool.worker_pids();
        if !pids.is_empty() {
            let pid = pids[random.below(pids.len() as u64) as usize];
            kills += u32::from(send(pid as i32, libc::SIGKILL));
        }
    }
    kills
}

#[procession::test]
fn every_task_has_one_outcome_whoever_is_killed() {
    let _harness = Harness::start("the killer", LIMIT);
    let marks = scratch("marks");
    for seed in 1..=10 {
        fs::write(&marks, vec![b'.'; TASKS as usize]).unwrap();
        let pool = Pool::new(4).unwrap();
        let stop = AtomicBool::new(false);
        let (kills, lost) = std::thread::scope(|scope| {
            let killer = scope.spawn(|| kill_at_random(&pool, Random::new(seed), &stop));
            let path = marks.display().to_string();
            let tasks: Vec<_> =
                (0..TASKS).map(|i| pool.apply_async(work, (i, path.clone()))).collect();
            let mut lost = Vec::new();
            for (index, task) in (0..).zip(tasks) {
                match task.get() {
                    Ok(value) => assert_eq!(value, index * 2),
                    Err(error) => {
                        assert!(error.is_worker_lost(), "seed {seed}, task {index}: {error}");
                        assert_eq!(error.signal(), Some(libc::SIGKILL));
                        lost.push(index as usize);
                    }
                }
            }
            stop.store(true, Ordering::Relaxed);
            (killer.join().unwrap(), lost)
        });
        println!("seed {seed}: {kills} kills, {} tasks lost, {:?}", lost.len(), pool.stats());
        // A worker that dies between claiming a task and its first instruction has begun it, too;
        // that is at most one task for a kill.
        let begun = fs::read(&marks).unwrap();
        let unmarked = lost.iter().filter(|index| begun[**index] != b'x').count();
        assert!(lost.len() <= kills as usize, "a kill loses one task at most");
        assert!(unmarked <= kills as usize / 4 + 2, "seed {seed}: {unmarked} lost before they ran");
        let stats = pool.stats();
        assert_eq!(stats.succeeded + stats.failed, TASKS);
        assert_eq!(stats.lost, lost.len() as u64);
        wait_for("four workers", Duration::from_secs(30), || pool.worker_pids().len() == 4);
        assert_eq!(pool.map(|x: u64| x, 0..100).unwrap().len(), 100);
        pool.close();
        pool.join().unwrap();
    }
    fs::remove_file(&marks).unwrap();
}

/// Traces a process for ever, or says why not.
fn hold(pid: u32) -> String {
    match trace(pid) {
        Ok(()) => sleep_for_ever(),
        Err(error) => error.to_string(),
    }
}

fn sleep_for_ever() -> String {
    loop {
        std::thread::park();
    }
}

/// Starts a tracer of this process; `None`, with the reason printed, where that is not permitted.
fn start_tracer(pid: u32) -> Option<Process<String>> {
    let mut tracer = Process::new(hold, (pid,));
    tracer.start().unwrap();
    let is_traced = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.contains(&format!("TracerPid:\t{}\n", tracer.pid().unwrap()))
    };
    wait_for("the tracer", LIMIT, || is_traced() || !tracer.is_alive());
    if tracer.is_alive() {
        return Some(tracer);
    }
    eprintln!("skipped: no process may trace another here: {}", tracer.join().unwrap());
    None
}

#[procession::test]
fn who_dies_under_a_tracer_is_lost_all_the_same() {
    let _harness = Harness::start("the dead under a tracer", LIMIT);
    let pool = Pool::builder().processes(2).start_method(StartMethod::Spawn).build().unwrap();
    let begun = [(), ()].map(|()| Event::new().unwrap());
    let begin = |begun: Event| {
        begun.set();
        sleep_for_ever()
    };
    let tasks = [0, 1].map(|index: usize| pool.apply_async(begin, (begun[index].clone(),)));
    // Each worker runs one: whoever dies loses it.
    begun.iter().for_each(Event::wait);
    let pid = pool.worker_pids()[0];
    let Some(tracer) = start_tracer(pid) else { return };
    assert!(send(pid as i32, libc::SIGKILL));
    wait_for("one task is lost", LIMIT, || tasks.iter().any(|task| task.ready()));
    let lost = tasks.into_iter().find(|task| task.ready()).unwrap();
    let error = lost.get().unwrap_err();
    assert!(error.is_worker_lost() && error.pid() == Some(pid), "{error}");
    assert!(error.to_string().contains("the process that traces it"), "{error}");
    wait_for("two workers", LIMIT, || {
        let pids = pool.worker_pids();
        pids.len() == 2 && !pids.contains(&pid)
    });
    drop(pool);

    let mut process = Process::new(sleep_for_ever, ()).start_method(StartMethod::ForkServer);
    process.start().unwrap();
    let other = start_tracer(process.pid().unwrap()).unwrap();
    process.kill().unwrap();
    let error = process.join().unwrap_err();
    assert!(error.to_string().contains("the process that traces it"), "{error}");
    // The dead are reaped when they are let go, which the harness checks.
    for mut tracer in [tracer, other] {
        tracer.kill().unwrap();
        tracer.join().unwrap_err();
    }
}

/// What lies in the folders where processes leave things: shared memory with a name, and the
/// program's own temporary folder.
fn droppings(temporary: &Path) -> Vec<String> {
    let mut names: Vec<String> = [Path::new("/dev/shm"), temporary]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten())
        .map(|entry| entry.path().display().to_string())
        .collect();
    names.sort();
    names
}

/// A program in a process group of its own, which does not outlive its test.
struct Program(Child);

impl Program {
    fn start(command: &mut Command) -> Self {
        let command = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn first_line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        line
    }

    /// What it and its workers have printed and not been read, once all have ended.
    fn rest(&mut self) -> String {
        let mut text = String::new();
        self.0.stdout.as_mut().unwrap().read_to_string(&mut text).unwrap();
        self.0.stderr.as_mut().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// Sends a signal to it, or to it and all its workers, as a terminal does.
    fn signal(&self, signal: i32, to_group: bool) {
        let pid = self.0.id() as i32;
        assert!(send(if to_group { -pid } else { pid }, signal));
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            self.signal(libc::SIGKILL, true);
            self.0.wait().expect("it was killed");
        }
    }
}

/// Starts the tree of processes; gives the pids of all but its root.
fn start_tree(temporary: &Path, method: StartMethod) -> (Program, Vec<u32>) {
    let note = temporary.join("note");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tree"));
    command.arg(&note).arg(method.to_string()).env("TMPDIR", temporary);
    let mut program = Program::start(&mut command);
    let numbers = |text: &str| -> Vec<u32> {
        text.trim().trim_matches(['[', ']']).split(", ").map(|n| n.parse().unwrap()).collect()
    };
    let mut pids = numbers(&program.first_line());
    pids.extend(numbers(&fs::read_to_string(&note).unwrap()));
    assert_eq!(pids.len(), 4 + 1 + 8, "{pids:?}");
    fs::remove_file(note).unwrap();
    (program, pids)
}

#[procession::test]
fn when_the_program_dies_nothing_of_it_is_left() {
    let _harness = Harness::start("the death of the parent", LIMIT);
    let temporary = scratch("tree");
    fs::create_dir(&temporary).unwrap();
    let before = droppings(&temporary);
    let deaths = [
        (libc::SIGKILL, false),
        (libc::SIGTERM, false),
        (libc::SIGINT, true),
        (libc::SIGABRT, false),
    ];
    for (method, (signal, to_group)) in METHODS.into_iter().flat_map(|m| deaths.map(|d| (m, d))) {
        let (mut program, pids) = start_tree(&temporary, method);
        // One that cannot notice anything by itself.
        assert!(send(pids[2] as i32, libc::SIGSTOP));
        program.signal(signal, to_group);
        let status = program.0.wait().unwrap();
        assert_eq!(status.signal(), Some(signal));
        let start = Instant::now();
        wait_for("the whole tree is gone", Duration::from_secs(20), || {
            pids.iter().all(|pid| !is_alive(*pid))
        });
        println!("{method}, signal {signal}: all gone after {:?}", start.elapsed());
        // It ends when nobody has the other ends of the streams any more, templates included.
        assert_eq!(program.rest(), "", "a quiet death");
        assert_eq!(droppings(&temporary), before);
    }
    fs::remove_dir(&temporary).unwrap();
}

/// Starts a program in the group of this process, so that the kernel does not take it for one whose last
/// stopped members are to be continued when it dies.
fn start_newborn(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_newborn"));
    command.args(arguments).stdout(Stdio::piped()).spawn().unwrap()
}

/// Kills a program, all of whose children are stopped, and waits until they are gone.
fn kill_over_the_stopped(mut program: Child, what: &str) {
    let children = children_of(program.id());
    assert!(!children.is_empty(), "{what}");
    assert!(children.iter().all(|pid| state_of(*pid) == Some('T')), "{what}");
    program.kill().unwrap();
    program.wait().unwrap();
    let is_gone = |pid: &u32| !is_alive(*pid);
    wait_for(&format!("{what}: the stopped are gone"), Duration::from_secs(20), || {
        children.iter().all(is_gone)
    });
}

#[procession::test]
fn children_that_stop_at_their_birth_die_with_the_program() {
    let _harness = Harness::start("stopped newborns", LIMIT);
    for method in ["spawn", "forkserver"] {
        let program = start_newborn(&[method]);
        wait_for("all children have stopped", LIMIT, || {
            let children = children_of(program.id());
            let are_all = method == "forkserver" && children.len() == 1 || children.len() == 2;
            are_all && children.iter().all(|pid| state_of(*pid) == Some('T'))
        });
        kill_over_the_stopped(program, method);
    }
}

#[procession::test]
fn stopped_workers_and_templates_die_with_the_program() {
    let _harness = Harness::start("stopped children", LIMIT);
    for method in METHODS {
        let mut program = start_newborn(&["none", &method.to_string()]);
        let mut line = String::new();
        BufReader::new(program.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "{method}");
        for pid in children_of(program.id()) {
            assert!(send(pid as i32, libc::SIGSTOP));
            wait_for("it stops", LIMIT, || state_of(pid) == Some('T'));
        }
        kill_over_the_stopped(program, &method.to_string());
    }
}

#[procession::test]
fn a_program_that_handles_the_interrupt_keeps_its_pool() {
    let _harness = Harness::start("a handled interrupt", LIMIT);
    for method in METHODS {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tree"));
        let mut program = Program::start(command.args(["handle", &method.to_string()]));
        assert_eq!(program.first_line(), "ready\n");
        program.signal(libc::SIGINT, true);
        assert_eq!(program.rest(), "kept\n");
        assert!(program.0.wait().unwrap().success());
    }
}

#[procession::test]
fn main_waits_for_a_process_that_was_dropped() {
    let _harness = Harness::start("a dropped process", LIMIT);
    let output = Command::new(env!("CARGO_BIN_EXE_detached")).output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "main ends\nchild ends\n");
}

#[procession::test]
fn main_does_not_wait_for_a_daemon_and_leaves_none() {
    let _harness = Harness::start("a daemon", LIMIT);
    let output = Command::new(env!("CARGO_BIN_EXE_detached")).arg("--daemon").output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "main ends\n");
}

/// The harness insists that nothing of them is left.
#[procession::test]
fn a_process_that_was_dropped_is_let_go_of_when_it_ends() {
    let _harness = Harness::start("dropped processes", LIMIT);
    for method in [StartMethod::Spawn, StartMethod::ForkServer] {
        for _ in 0..3 {
            let nap = || std::thread::sleep(Duration::from_millis(20));
            let mut process = Process::new(nap, ()).start_method(method);
            process.start().unwrap();
        }
    }
}
