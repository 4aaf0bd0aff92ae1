//! How each moment is brought about: one function for each.

use crate::case::{Case, Fault, Layout, Moment};
use crate::declared::{Cause, Declared, End, Fate, declare};
use crate::deeds::MEMORY_LIMIT_BYTES;
use crate::early::Ambush;
use crate::marks::{Mark, Marks};
use crate::order::{Answer, Call, Cue, Order, obey};
use procession::{AsyncResult, Error, Pool, PoolBuilder, Process, Result};
use procession_testing::{state_of, wait_for};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Longest time that a worker may take to start where one is to fail at that.
const START_TIMEOUT: Duration = Duration::from_millis(250);

/// What a call that hangs may take, and the grace that its worker has then.
const TASK_TIMEOUT: Duration = Duration::from_millis(100);
const TASK_GRACE: Duration = Duration::from_millis(30);

/// The same where calls that do not hang have the limit, too: long for a machine that is busy.
const LONG_TASK_TIMEOUT: Duration = Duration::from_millis(400);

/// Longest wait for what must come of itself; the case's own bound is the stricter one.
const PATIENCE: Duration = Duration::from_secs(60);

/// The number of the call that breaks.
const STRUCK: u64 = 77;

/// More than fits into a ring.
const LARGE_BYTES: usize = 200_000;
/// More than fits into the segments that were made for that: others must be sent.
const LARGER_BYTES: usize = 2 << 20;

/// A case that is being played.
struct Scene<'a> {
    case: &'a Case,
    declared: Declared,
    marks: &'a Marks,
}

/// Plays a case.
///
/// # Panics
/// When it does not come out as declared.
pub(crate) fn play(case: &Case, marks: &Marks) {
    let scene = Scene { case, declared: declare(case), marks };
    match (case.layout, case.moment) {
        (Layout::Process, _) => scene.alone(),
        (_, Moment::BeforeHello) => {
            let ambush = Ambush::new(case);
            scene.start(scene.builder());
            drop(ambush);
        }
        (_, Moment::Initializer) => {
            let call = scene.call(Cue::Now);
            scene.start(scene.builder().initializer(obey, (call,)));
        }
        (_, Moment::Idle) => scene.idle(),
        (_, Moment::MidChunk) => scene.in_a_chunk(),
        (_, Moment::Join) => scene.in_join(),
        (_, Moment::Terminate) => scene.in_terminate(),
        _ => scene.in_a_task(),
    }
}

/// Runs on the other worker for as long as it is told to.
fn stand(number: u64, marks: Marks) -> u64 {
    marks.leave(Mark::Standing);
    marks.meet(Mark::Open);
    number
}

/// Leaves a thread behind that breaks later, when no task runs.
fn arm(order: Order, marks: Marks) {
    let strike = move || {
        marks.leave(Mark::Striking);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| order.carry_out())) {
            // It may panic when it is dropped.
            std::mem::forget(payload);
        }
        marks.leave(Mark::Struck);
    };
    std::thread::spawn(strike);
}

impl Scene<'_> {
    fn builder(&self) -> PoolBuilder {
        let mut builder = Pool::builder().start_method(self.case.method).task_grace(TASK_GRACE);
        if self.case.fault == Fault::OutOfMemory {
            builder = builder.memory_limit(MEMORY_LIMIT_BYTES);
        }
        if self.case.fault.hangs() {
            builder = builder.start_timeout(START_TIMEOUT);
        }
        match self.case.layout {
            Layout::Team => builder.processes(1).threads(2),
            Layout::Pool | Layout::Process => builder.processes(2),
        }
    }

    /// A pool whose workers are there and have done something, and their pids.
    fn pool(&self) -> (Pool, Vec<u32>) {
        let builder = self.builder().start_timeout(PATIENCE);
        let pool = builder.build().expect("a pool starts");
        work(&pool, LARGE_BYTES);
        let pids = pool.worker_pids();
        assert_eq!(pids.len(), pool.processes());
        (pool, pids)
    }

    fn order(&self, cue: Cue) -> Order {
        Order::new(self.case.fault, self.case.moment, self.marks, cue)
    }

    fn call(&self, cue: Cue) -> Call {
        Call::with(STRUCK, self.order(cue), self.case.moment)
    }

    /// Makes the call that breaks.
    fn submit(&self, pool: &Pool, cue: Cue) -> AsyncResult<Answer> {
        let call = self.call(cue);
        if self.case.fault.hangs() {
            pool.task_timeout(TASK_TIMEOUT).apply_async(obey, (call,))
        } else {
            pool.apply_async(obey, (call,))
        }
    }

    /// What breaks while workers start breaks the pool, or nothing.
    fn start(&self, builder: PoolBuilder) {
        let fate = self.declared.call;
        let Fate::Broken(_) = fate else {
            let pool = builder.start_timeout(PATIENCE).build().expect("a pool starts");
            return self.finish(pool);
        };
        let pool = match builder.build() {
            Ok(pool) => pool,
            Err(error) => return assert!(fate.is(&error, &[]), "build: {error}"),
        };
        let error = pool.apply(|| 1, ()).expect_err("no worker starts");
        assert!(fate.is(&error, &[]), "apply: {error}");
        let error = pool.map(|x: u8| x, 0..9).expect_err("the pool is broken");
        assert!(fate.is(&error, &[]), "map: {error}");
        let stats = pool.stats();
        assert!(stats.respawns <= fate.failed_starts_max(), "{fate:?} declared: {stats:?}");
        pool.close();
        let error = pool.join().expect_err("the pool is broken");
        assert!(fate.is(&error, &[]), "join: {error}");
    }

    fn in_a_task(&self) {
        let (pool, pids) = self.pool();
        let neighbour = pool.apply_async(stand, (1, self.marks.clone()));
        let taken_back = if self.case.moment == Moment::TakingBack { 12 } else { 0 };
        let before = harmless(&pool, taken_back);
        let cue = match self.case.moment {
            Moment::Close => Mark::Closed,
            _ => Mark::Standing,
        };
        let call = self.submit(&pool, Cue::Mark(cue));
        let after = harmless(&pool, taken_back + 3);
        if self.case.moment == Moment::Close {
            pool.close();
            self.marks.meet(Mark::Standing);
            self.marks.leave(Mark::Closed);
        }
        check(self.declared.call, call.get(), STRUCK, &pids);
        check_all(before);
        check_all(after);
        self.end_of_neighbour(neighbour, &pids);
        self.check_counts(&pool);
        self.check_places(&pool, &pids);
        self.finish(pool);
    }

    fn end_of_neighbour(&self, neighbour: AsyncResult<u64>, pids: &[u32]) {
        if self.declared.neighbour == Fate::Value {
            self.marks.leave(Mark::Open);
        }
        match neighbour.get() {
            Ok(number) => assert_eq!((number, self.declared.neighbour), (1, Fate::Value)),
            Err(error) => {
                assert!(self.declared.neighbour.is(&error, pids), "the neighbour: {error}");
            }
        }
    }

    /// Every place has its first worker still, but for those that have others.
    fn check_places(&self, pool: &Pool, before: &[u32]) {
        if self.case.fault.hangs() && self.case.moment != Moment::Close {
            wait_for("the end of a worker's grace", PATIENCE, || {
                self.declared.respawns.contains(&pool.stats().respawns)
            });
        }
        let now = pool.worker_pids();
        let replaced = before.iter().filter(|pid| !now.contains(pid)).count() as u64;
        assert_eq!(replaced, pool.stats().respawns, "{before:?}, {now:?}");
        self.check_respawns(pool);
    }

    fn in_a_chunk(&self) {
        let (pool, pids) = self.pool();
        let neighbour = pool.apply_async(stand, (1, self.marks.clone()));
        let calls = (0..18).map(|number| match number {
            3 => Call::with(3, self.order(Cue::Mark(Mark::Standing)), self.case.moment),
            number => Call::harmless(number),
        });
        let mut pieces = pool.chunksize(6);
        if self.case.fault.hangs() {
            pieces = pieces.task_timeout(LONG_TASK_TIMEOUT);
        }
        let results: Vec<_> = pieces.imap(obey, calls).collect();
        assert_eq!(results.len(), 18);
        for (number, result) in (0..).zip(results) {
            let fate = if number == 3 { self.declared.call } else { Fate::Value };
            check(fate, result, number, &pids);
        }
        self.end_of_neighbour(neighbour, &pids);
        self.check_counts(&pool);
        self.check_places(&pool, &pids);
        self.finish(pool);
    }

    fn idle(&self) {
        let (pool, pids) = self.pool();
        let order = self.order(Cue::Mark(Mark::Strike));
        pool.apply(arm, (order, self.marks.clone())).expect("a thread starts");
        self.marks.leave(Mark::Strike);
        if self.case.fault.ends_the_process() {
            wait_for("another worker", PATIENCE, || {
                let now = pool.worker_pids();
                now.len() == pids.len() && now != pids
            });
        } else if self.case.fault.hangs() {
            self.marks.meet(Mark::Striking);
        } else {
            self.marks.meet(Mark::Struck);
        }
        if self.case.fault == Fault::Stop {
            wait_for("a worker that stands still", PATIENCE, || {
                pids.iter().any(|pid| is_stopped(*pid))
            });
        }
        let calls = (0..6).map(|number| {
            pool.task_timeout(LONG_TASK_TIMEOUT).apply_async(obey, (Call::harmless(number),))
        });
        check_all(calls.collect());
        self.check_places(&pool, &pids);
        if self.case.fault == Fault::Stop {
            for pid in pids {
                procession_testing::send(pid.cast_signed(), libc::SIGCONT);
            }
        }
        self.finish(pool);
    }

    fn in_join(&self) {
        let (pool, pids) = self.pool();
        let unread = harmless(&pool, 4);
        unread.iter().for_each(AsyncResult::wait);
        let call = self.submit(&pool, Cue::DriverSleeps);
        pool.close();
        let joined = pool.join();
        match (self.declared.call, joined) {
            // The worker has done its part, and nobody has decoded it yet.
            (Fate::Value, joined) => joined.expect("nothing went wrong"),
            (Fate::Codec(_), Ok(())) => {
                assert!(self.case.fault == Fault::DecodeResult)
            }
            (fate, joined) => {
                let error = joined.expect_err("somebody must hear of it");
                assert!(fate.is(&error, &pids), "join: {error}");
                assert_eq!(error.failure_count(), 1, "join: {error}");
            }
        }
        check(self.declared.call, call.get(), STRUCK, &pids);
        check_all(unread);
        self.check_counts(&pool);
        pool.join().expect("everybody has been told by now");
        self.check_respawns(&pool);
    }

    /// What has failed is counted as what it was, and all that was handed in has ended.
    fn check_counts(&self, pool: &Pool) {
        let stats = pool.stats();
        let counted = [stats.failed, stats.lost, stats.timed_out];
        let declared = self.declared.counts(self.case);
        assert_eq!(counted, declared, "failed, lost and timed out: {stats:?}");
        assert_eq!(stats.submitted, stats.succeeded + stats.failed, "{stats:?}");
        assert_eq!([stats.retried, stats.cancelled, stats.dropped], [0, 0, 0], "{stats:?}");
    }

    fn check_respawns(&self, pool: &Pool) {
        let stats = pool.stats();
        let declared = &self.declared.respawns;
        assert!(declared.contains(&stats.respawns), "{declared:?} declared, {stats:?}");
    }

    /// The pool goes on, and ends as it should.
    fn finish(&self, pool: Pool) {
        if pool.apply(|| 1, ()).is_err_and(|error| error.is_closed()) {
            return pool.join().expect("everybody has been told");
        }
        work(&pool, LARGER_BYTES);
        self.check_respawns(&pool);
        pool.close();
        pool.join().expect("everybody has been told");
    }

    fn in_terminate(&self) {
        let (pool, pids) = self.pool();
        let neighbour = pool.apply_async(stand, (1, self.marks.clone()));
        self.marks.meet(Mark::Standing);
        let ends_soon = !self.case.fault.ends_the_process() && !self.case.fault.hangs();
        let call = pool.apply_async(obey, (self.call(Cue::Asked { ends_soon }),));
        self.marks.meet(Mark::Listening);
        let behind: Vec<_> =
            (0..4).map(|i| pool.apply_async(stand, (i, self.marks.clone()))).collect();
        pool.terminate();
        check(self.declared.call, call.get(), STRUCK, &pids);
        for task in behind.into_iter().chain([neighbour]) {
            let error = task.get().expect_err("nothing let it go on");
            assert!(error.is_terminated(), "{error}");
        }
        for pid in pids {
            assert!(!procession_testing::send(pid.cast_signed(), 0), "{pid} has outlived its pool");
        }
        pool.join().expect("it was terminated, and everybody has been told");
        assert!(pool.apply(|| 1, ()).expect_err("it is over").is_terminated());
    }

    fn alone(&self) {
        let ambush = (self.case.moment == Moment::BeforeHello).then(|| Ambush::new(self.case));
        let cue = match self.case.moment {
            Moment::BeforeHello => Cue::Now,
            Moment::Terminate => Cue::Asked { ends_soon: false },
            _ => Cue::DriverSleeps,
        };
        let call = match ambush {
            Some(_) => Call::harmless(STRUCK),
            None => self.call(cue),
        };
        let mut process = Process::new(obey, (call,)).start_method(self.case.method);
        if self.case.fault == Fault::OutOfMemory {
            process = process.memory_limit(MEMORY_LIMIT_BYTES);
        }
        if let Err(error) = process.start() {
            return assert!(self.declared.call.is(&error, &[]), "start: {error}");
        }
        let pids = [process.pid().expect("it was started")];
        if self.case.moment == Moment::Terminate {
            self.marks.meet(Mark::Listening);
            process.terminate().expect("it can be asked");
        }
        if self.case.fault.hangs() {
            let joined = process.join_timeout(Duration::from_millis(30)).expect("it runs");
            assert!(joined.is_none(), "it hangs");
            process.kill().expect("it can be killed");
        }
        check(self.declared.call, process.join(), STRUCK, &pids);
        let code = process.exit_code();
        assert!(exits_as(self.declared.call, code), "{code:?}");
        drop(ambush);
    }
}

/// Whether a process that had this fate ends like this.
fn exits_as(fate: Fate, code: Option<i32>) -> bool {
    match fate {
        Fate::Lost(End::Code(declared)) | Fate::Broken(Cause::End(End::Code(declared))) => {
            code == Some(declared)
        }
        Fate::Lost(_) | Fate::Broken(Cause::End(_)) => code.is_some_and(|code| code < 0),
        Fate::Panicked(_) => code == Some(1),
        Fate::Value | Fate::Codec(_) => code == Some(0),
        Fate::Broken(_) | Fate::Terminated | Fate::TimedOut => false,
    }
}

fn is_stopped(pid: u32) -> bool {
    state_of(pid) == Some('T')
}

fn harmless(pool: &Pool, count: u64) -> Vec<AsyncResult<Answer>> {
    (0..count).map(|number| pool.apply_async(obey, (Call::harmless(number),))).collect()
}

fn check_all(calls: Vec<AsyncResult<Answer>>) {
    for (number, call) in (0..).zip(calls) {
        check(Fate::Value, call.get(), number, &[]);
    }
}

fn check(fate: Fate, outcome: Result<Answer>, number: u64, pids: &[u32]) {
    let is_right = match &outcome {
        Ok(answer) => fate == Fate::Value && answer.is_right(number),
        Err(error) => fate.is(error, pids),
    };
    let outcome: std::result::Result<u64, Error> = outcome.map(|answer| answer.number);
    assert!(is_right, "call {number} is {outcome:?}, declared is {fate:?}");
}

/// Small and large work, all of it right.
fn work(pool: &Pool, bytes: usize) {
    assert_eq!(pool.map(|x: u32| x + 1, 0..20).expect("a map"), (1..21).collect::<Vec<_>>());
    let large = vec![0x5a_u8; bytes];
    let same = pool.apply(|bytes: Vec<u8>| bytes, (large.clone(),)).expect("a large call");
    assert!(same == large, "a large value comes back as it went");
}
