//! The pool, those who use it, and its workers.

use super::super::super::config::Config;
use super::super::super::handle::Pool;
use super::super::super::shared::Shared;
use super::super::super::supervisor;
use super::super::super::wait::{Waitable, Whole};
use super::super::stage::outcomes_of;
use super::ledger::{Answer, Came, Ledger};
use super::player::{Process, Source, Troupe};
use super::plot::{Act, Plot};
use crate::payload::Finished;
use crate::rest;
use crate::rest::turns::{Director, Play};
use crate::task::{Batch, Subscribers, TaskCell, Terms};
use procession_os::own_thread;
use procession_os::process::Exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

/// How workers end that are killed.
const KILLED: Exit = Exit::Signal { number: 9, core_dumped: false };
/// Most workers that die in a play by nobody's doing: more in a row may be the pool's end.
const DEATHS_MAX: usize = 6;
/// Most threads that wait at a time.
const WAITERS_MAX: usize = 4;
/// Steps in which time passes.
const JUMPS: u32 = 16;

/// A task, as its owner holds it.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) number: u64,
    pub(super) cell: Arc<TaskCell>,
    pub(super) waker: Option<Arc<Woken>>,
}

/// A map, as its owner holds it.
#[derive(Debug)]
pub(super) struct Map {
    batch: Arc<Batch>,
    /// The numbers of its items, in their order.
    numbers: Vec<u64>,
    terms: Terms,
    is_whole: bool,
}

/// Somebody who waits.
pub(super) struct Waiter {
    pub(super) seat: usize,
    /// For what.
    pub(super) goal: Arc<dyn Waitable + Send + Sync>,
}

/// Every item of a map.
struct Entire(Arc<Batch>);

impl Waitable for Entire {
    fn is_over(&self) -> bool {
        Whole(&self.0).is_over()
    }

    fn subscribe(&self, change: &mut dyn FnMut(&mut Subscribers)) -> bool {
        Whole(&self.0).subscribe(change)
    }
}

/// Counts how often it was woken.
#[derive(Debug, Default)]
pub(super) struct Woken(pub(super) AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        // Users' code takes its time, and others go on meanwhile.
        rest::before_lock();
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A pool and all around it.
pub(super) struct World {
    pub(super) director: Director,
    pub(super) pool: Pool,
    pub(super) shared: Arc<Shared>,
    pub(super) troupe: Troupe,
    pub(super) ledger: Ledger,
    pub(super) supervisor: usize,
    pub(super) waiters: Vec<Waiter>,
    /// Who joins the pool, and who terminates it.
    pub(super) joining: Option<usize>,
    pub(super) terminating: Option<usize>,
    pub(super) threads: usize,
    ns: u64,
    pub(super) tasks: Vec<Task>,
    pub(super) maps: Vec<Map>,
    deaths: usize,
}

impl World {
    /// A pool whose workers were just launched.
    pub(super) fn new(plot: &Plot) -> Self {
        let director = Play::begin(plot.seed, plot.unrest);
        let troupe = Troupe::default();
        troupe.lock().places.resize_with(plot.workers, || None);
        let config = Config {
            workers: plot.workers,
            threads: plot.threads,
            retirement: plot.retirement,
            // So long that whoever is only saved by it comes too late.
            start_timeout: Duration::from_secs(100_000),
            ..Config::default()
        };
        let shared = Arc::new(Shared::new(config, Box::new(Source(troupe.clone()))));
        shared.launch_all(&mut shared.lock()).expect("players are always to be had");
        let (play, supervisor) = director.seat();
        let seen = shared.clone();
        let supervise = move |own: &mut own_thread::OwnThread| {
            play.play_in(supervisor, || supervisor::run(&seen, own));
        };
        own_thread::spawn("played-supervisor", 1 << 20, supervise).expect("a thread");
        Self {
            director,
            pool: Pool::of(shared.clone()),
            shared,
            troupe,
            ledger: Ledger::default(),
            supervisor,
            waiters: Vec::new(),
            joining: None,
            terminating: None,
            threads: plot.threads,
            ns: plot.ns,
            tasks: Vec::new(),
            maps: Vec::new(),
            deaths: 0,
        }
    }

    /// A thread that uses the pool.
    pub(super) fn enlist(&self, part: impl FnOnce(&Pool) + Send + 'static) -> usize {
        let (play, number) = self.director.seat();
        let pool = self.pool.clone();
        std::thread::spawn(move || play.play_in(number, || part(&pool)));
        number
    }

    /// Something happens.
    pub(super) fn perform(&mut self, act: &Act) {
        match *act {
            Act::Submit(terms) => self.submit(terms),
            Act::Map { count, chunk, terms, whole } => {
                let batch = Arc::new(Batch::new(9, terms, (chunk > 0).then_some(chunk)));
                self.maps.push(Map { batch, numbers: Vec::new(), terms, is_whole: false });
                self.feed(self.maps.len() - 1, count);
                if whole {
                    self.feed(self.maps.len() - 1, 0);
                }
            }
            Act::Feed { which, count } if !self.maps.is_empty() => {
                self.feed(which % self.maps.len(), count);
            }
            Act::Step(lane) => {
                self.with_lane(lane, |process, thread, ledger| process.step(thread, ledger));
            }
            Act::Finish(lane, answer) => self.finish(lane, answer),
            Act::Publish(lane) => {
                let ns = self.ns;
                self.with_lane(lane, |process, thread, _| process.publish(thread, ns));
            }
            Act::Work => {
                self.work();
            }
            Act::Die(process) if self.deaths < DEATHS_MAX => {
                let count = self.troupe.lock().places.len();
                self.deaths += 1;
                self.end(process % count);
            }
            Act::Unfit(process) if self.shared.config.retirement.memory_bytes_max.is_some() => {
                let troupe = &mut self.troupe.lock().places;
                let count = troupe.len();
                troupe[process % count].as_mut().into_iter().for_each(Process::become_unfit);
            }
            Act::Reap => {
                self.reap(Process::is_to_end);
            }
            Act::Cancel { which, running } => self.cancel(which, running),
            Act::Abandon(which) if !self.maps.is_empty() => {
                self.abandon(which % self.maps.len());
            }
            Act::Forget(which) if !self.tasks.is_empty() => {
                let task = self.tasks.swap_remove(which % self.tasks.len());
                if !self.ledger.is_settled(task.number) {
                    self.ledger.forget(task.number);
                }
            }
            Act::Refuse(times) => {
                self.troupe.lock().refusals += times;
                self.ledger.may_break = true;
            }
            Act::Wait { which, ms, whole } => self.wait(which, ms, whole),
            Act::Poll(which) if !self.tasks.is_empty() => self.poll(which % self.tasks.len()),
            Act::StopPolling(which) if !self.tasks.is_empty() => {
                let which = which % self.tasks.len();
                let task = &mut self.tasks[which];
                if task.waker.take().is_some() {
                    self.pool.stop_polling(&*task.cell);
                }
            }
            Act::Collect => self.pool.collect(),
            Act::Look => self.look(),
            Act::PassTime(ms) => self.pass_time(Duration::from_millis(ms)),
            Act::GoOn => self.go_on(),
            Act::Close => self.close(),
            Act::Join => self.join(),
            Act::Terminate => self.terminate(),
            Act::Feed { .. }
            | Act::Die(_)
            | Act::Unfit(_)
            | Act::Abandon(_)
            | Act::Forget(_)
            | Act::Poll(_)
            | Act::StopPolling(_) => {}
        }
    }

    fn close(&mut self) {
        self.pool.close();
        self.ledger.is_closed = true;
    }

    /// A thread joins the pool, once.
    pub(super) fn join(&mut self) {
        self.close();
        if self.joining.is_none() {
            // Its error is that of a task, or that the pool was terminated.
            self.joining = Some(self.enlist(|pool| drop(pool.join())));
        }
    }

    /// A thread terminates the pool, once.
    pub(super) fn terminate(&mut self) {
        self.ledger.is_terminated = true;
        if self.terminating.is_none() {
            self.terminating = Some(self.enlist(Pool::terminate));
        }
    }

    fn submit(&mut self, terms: Terms) {
        let number = self.ledger.hand_in(1, terms);
        let finished = Finished::Private(number.to_le_bytes().to_vec());
        let before = self.pool.stats().submitted;
        let (cell, _) = self.shared.submit(7, &terms, finished, Default::default());
        self.ledger.count(number, self.pool.stats().submitted - before);
        self.tasks.push(Task { number, cell, waker: None });
    }

    /// Gives a map more items; none makes it whole.
    fn feed(&mut self, which: usize, count: u64) {
        let map = &mut self.maps[which];
        if map.is_whole {
            return;
        }
        if count == 0 {
            map.is_whole = true;
            map.batch.seal();
            return;
        }
        if map.batch.given_up().is_some() {
            return;
        }
        let first = self.ledger.hand_in(count, map.terms);
        self.ledger.count(first, count);
        let mut bytes = Vec::new();
        for number in first..first + count {
            bytes.extend_from_slice(&8_u32.to_le_bytes());
            bytes.extend_from_slice(&number.to_le_bytes());
            map.numbers.push(number);
        }
        let pushed = map.batch.push(&bytes, &vec![12; count as usize], &mut Vec::new());
        assert_eq!(pushed, count);
        self.pool.kick(&map.batch, count);
    }

    /// Has a lane do something, if it is there; gives what came of it.
    fn with_lane<T>(
        &mut self,
        lane: usize,
        act: impl FnOnce(&mut Process, usize, &mut Ledger) -> T,
    ) -> Option<T> {
        let troupe = &mut self.troupe.lock().places;
        let count = troupe.len();
        let process = troupe[lane / self.threads % count].as_mut()?;
        Some(act(process, lane % self.threads, &mut self.ledger))
    }

    fn finish(&mut self, lane: usize, answer: Answer) {
        let (ns, on_panic) = (self.ns, self.shared.config.retirement.on_panic);
        self.with_lane(lane, |process, thread, ledger| {
            if answer == Answer::Panic && on_panic && process.runs(thread).is_some() {
                process.become_unfit();
            }
            process.finish(thread, answer, ns, ledger);
        });
    }

    /// All lanes do what comes next, and end what they run; `false` if there was nothing.
    pub(super) fn work(&mut self) -> bool {
        let mut any = false;
        let lanes = self.troupe.lock().places.len() * self.threads;
        for lane in 0..lanes {
            any |= self
                .with_lane(lane, |process, thread, ledger| {
                    process.step(thread, ledger) || process.runs(thread).is_some()
                })
                .unwrap_or(false);
            self.finish(lane, Answer::Value);
        }
        any
    }

    fn end(&mut self, place: usize) {
        let process = self.troupe.lock().places[place].take();
        if let Some(process) = process {
            process.end(KILLED, &mut self.ledger);
        }
    }

    /// Ends the processes of which a condition holds; whether there were any.
    pub(super) fn reap(&mut self, is_to_end: impl Fn(&Process) -> bool) -> bool {
        let which = |process: &Option<Process>| process.as_ref().is_some_and(&is_to_end);
        let places: Vec<_> = self.troupe.lock().places.iter().map(which).collect();
        let places = (0..places.len()).filter(|place| places[*place]);
        places.fold(false, |_, place| {
            self.end(place);
            true
        })
    }

    /// Whether a process that there is has claimed it.
    fn is_claimed(&self, number: u64) -> bool {
        self.troupe.lock().places.iter().flatten().any(|process| process.has_claimed(number))
    }

    fn cancel(&mut self, which: usize, running: bool) {
        let count = self.tasks.len() + self.maps.len();
        if count == 0 {
            return;
        }
        let which = which % count;
        if let Some(task) = self.tasks.get(which) {
            let (number, is_running) = (task.number, self.ledger.is_running(task.number));
            if running && is_running {
                self.ledger.may_cancel(number);
            }
            if self.pool.cancel(&task.cell, running) {
                assert!(running || !is_running, "{number} was cancelled while it ran");
                self.ledger.cancel(number, true);
            } else if !task.cell.is_done() {
                assert!(!self.ledger.is_untouched(number), "{number} could be cancelled");
            }
            return;
        }
        self.look();
        let map = &self.maps[which - self.tasks.len()];
        let (claimed, free): (Vec<u64>, Vec<u64>) =
            map.numbers.iter().partition(|number| self.is_claimed(**number));
        let untouched: Vec<_> =
            free.iter().copied().filter(|number| self.ledger.is_untouched(*number)).collect();
        if self.pool.cancel_batch(&map.batch, running) {
            free.iter().for_each(|number| self.ledger.cancel(*number, untouched.contains(number)));
            claimed.iter().for_each(|number| self.ledger.may_cancel(*number));
        } else {
            // It may have come to its end just then.
            let has_ended = self.shared.lock().state.has_ended();
            assert!(untouched.is_empty() || has_ended, "{untouched:?} could be cancelled");
        }
    }

    fn abandon(&mut self, which: usize) {
        // What was refused has come by now.
        self.look();
        let map = &mut self.maps[which];
        map.is_whole = true;
        let taken = map.numbers.iter().filter(|number| !self.ledger.is_settled(**number));
        let uncut: Vec<u64> = taken.rev().take(map.batch.uncut()).copied().collect();
        uncut.into_iter().for_each(|number| self.ledger.drop_task(number));
        self.pool.abandon(&map.batch);
    }

    fn wait(&mut self, which: usize, ms: Option<u64>, whole: bool) {
        self.waiters.retain(|waiter| !self.director.is_gone(waiter.seat));
        let count = self.tasks.len() + self.maps.len();
        if count == 0 || self.waiters.len() >= WAITERS_MAX {
            return;
        }
        let which = which % count;
        let goal: Arc<dyn Waitable + Send + Sync> = match self.tasks.get(which) {
            Some(task) => task.cell.clone(),
            None => {
                let map = &self.maps[which - self.tasks.len()];
                // Who waits for more of a map that may grow feeds it first.
                if !map.is_whole {
                    return;
                }
                let batch = map.batch.clone();
                if whole { Arc::new(Entire(batch)) } else { batch }
            }
        };
        let (awaited, deadline) =
            (goal.clone(), ms.map(|ms| rest::now() + Duration::from_millis(ms)));
        let seat = self.enlist(move |pool| {
            let is_over = pool.wait_until(&*awaited, deadline);
            let is_late = deadline.is_some_and(|time| rest::now() >= time);
            assert!(is_over || is_late, "a wait has ended early");
        });
        self.waiters.push(Waiter { seat, goal });
    }

    fn poll(&mut self, which: usize) {
        let task = &mut self.tasks[which];
        let woken = Arc::<Woken>::default();
        if self.pool.poll(&*task.cell, &Waker::from(woken.clone())) {
            task.waker = Some(woken);
        } else {
            assert!(task.cell.is_done());
            // The waker may be known all the same, and is of no use any more.
            task.waker = None;
        }
    }

    /// Takes what has come, and checks it.
    pub(super) fn look(&mut self) {
        let now = rest::now();
        for task in &self.tasks {
            if task.cell.is_done() && !self.ledger.is_settled(task.number) {
                let came = match task.cell.take().expect("it is there") {
                    Ok(value) => Came::Value(value.input().slice().expect("small").to_vec()),
                    Err(error) => Came::Error(error),
                };
                self.ledger.check(task.number, &came, now);
            }
        }
        for map in &self.maps {
            while let Some(delivery) = map.batch.take_delivery() {
                for (index, came) in outcomes_of(&delivery) {
                    let came = match came {
                        Ok(bytes) => Came::Value(bytes.expect("small")),
                        Err(error) => Came::Error(error),
                    };
                    self.ledger.check(map.numbers[index as usize], &came, now);
                }
            }
        }
    }

    fn pass_time(&mut self, time: Duration) {
        for _ in 0..JUMPS {
            self.director.pass_time(time / JUMPS);
            self.go_on();
        }
        if time >= Duration::from_millis(40) {
            self.check_idle();
        }
        self.check_limits(time / JUMPS);
    }

    /// Everything is handed in that ever will be.
    pub(super) fn make_whole(&mut self) {
        (0..self.maps.len()).for_each(|which| self.feed(which, 0));
    }

    /// How many tasks were handed in.
    pub(super) fn tasks_handed_in(&self) -> u64 {
        self.tasks.len() as u64 + 1
    }

    /// Whether no worker has had anything to do with a task.
    pub(super) fn is_untouched(&self, number: u64) -> bool {
        self.ledger.is_untouched(number)
    }

    /// Whether everything has its outcome.
    pub(super) fn is_all_done(&self) -> bool {
        self.tasks.iter().all(|task| task.cell.is_done())
            && self.maps.iter().all(|map| map.batch.is_done())
    }
}
