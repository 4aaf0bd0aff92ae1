//! The life of one pool: how it is made, who works with it, how it ends, and whether its counts add up.

use crate::board::Board;
use crate::bully;
use crate::deed::{Commons, Terms};
use crate::submit::{Open, Submitter};
use crate::tally::{Kind, Tally};
use procession::{Error, Pool, StartMethod};
use procession_testing::Random;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How a pool ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// Closed and joined after the last task was submitted, with results untaken.
    Joined,
    /// Closed while tasks are submitted, then joined.
    Closed,
    /// Terminated while tasks are submitted.
    Terminated,
    /// Dropped after the last task was submitted, with results untaken.
    Dropped,
}

/// What the threads of one pool share.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) terms: Terms,
    pub(crate) commons: Commons,
    /// The pool takes no more tasks, or soon will not.
    pub(crate) closing: AtomicBool,
    /// The pool is terminated, or soon will be.
    pub(crate) ending: AtomicBool,
    /// How it is called in reports.
    pub(crate) name: String,
}

impl Life {
    /// Judges an outcome for when the pool is at least at this point of its end.
    pub(crate) fn allows(&self, kind: Kind) -> bool {
        match kind {
            Kind::Terminated => self.ending.load(Ordering::SeqCst),
            Kind::Closed => self.closing.load(Ordering::SeqCst),
            _ => true,
        }
    }
}

/// How a pool's workers are laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// 0 for threads of this program.
    processes: usize,
    threads: usize,
    method: Option<StartMethod>,
}

impl Shape {
    fn choose(random: &mut Random) -> Self {
        let some = |random: &mut Random| 1 + random.below(3) as usize;
        let method = match random.below(3) {
            0 => Some(StartMethod::Spawn),
            1 => Some(StartMethod::ForkServer),
            _ => None,
        };
        match random.below(10) {
            0..6 => Self { processes: some(random), threads: 1, method },
            6..9 => Self { processes: 1 + random.below(2) as usize, threads: some(random), method },
            _ => Self { processes: 0, threads: some(random), method: None },
        }
    }

    /// One of each kind.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let methods = [Some(StartMethod::Spawn), Some(StartMethod::ForkServer), None];
        let of = |processes, threads| move |method| Self { processes, threads, method };
        let of_processes = methods.into_iter().map(of(3, 1));
        of_processes.chain(methods.into_iter().map(of(2, 3))).chain([of(0, 3)(None)])
    }

    fn pool(self, name: &str) -> procession::Result<Pool> {
        if self.processes == 0 {
            return Ok(Pool::threads(self.threads)?.into());
        }
        let mut builder = Pool::builder().processes(self.processes).threads(self.threads);
        if let Some(method) = self.method {
            builder = builder.start_method(method);
        }
        builder.name(name).build()
    }
}

/// Makes pools one after the other until time is up.
pub(crate) fn live(tally: &Tally, board: &Board, mut random: Random) {
    while !tally.is_over() {
        let shape = Shape::choose(&mut random);
        let most = 1 << (5 + random.below(7));
        let span = Duration::from_millis(20 + random.below(most));
        if let Err(error) = live_once(tally, board, &mut random, shape, span) {
            tally.accuse(format!("a pool of {shape:?} could not be made: {error}"));
        }
    }
}

/// One pool, from its making to its end.
pub(crate) fn live_once(
    tally: &Tally,
    board: &Board,
    random: &mut Random,
    shape: Shape,
    span: Duration,
) -> procession::Result<()> {
    let end = match random.below(8) {
        0..3 => End::Joined,
        3 => End::Closed,
        4..6 => End::Terminated,
        _ => End::Dropped,
    };
    let bullied = shape.processes > 0 && random.below(4) > 0;
    let number = tally.pools.fetch_add(1, Ordering::Relaxed);
    let life = Life {
        terms: Terms { here: shape.processes == 0, shared: shape.threads > 1, bullied },
        commons: Commons::new(random)?,
        closing: AtomicBool::new(false),
        ending: AtomicBool::new(false),
        name: format!("pool {number} ({shape:?}, {end:?}, bullied: {bullied})"),
    };
    let pool = Arc::new(shape.pool(&format!("soak{number}"))?);
    let _listed = board.list(&life.name, &pool);
    let over = AtomicBool::new(false);
    let (life, over, until) = (&life, &over, Instant::now() + span);
    let open = std::thread::scope(|scope| {
        let submitters: Vec<_> = (0..1 + random.below(3))
            .map(|_| {
                let (pool, random) = (&*pool, Random::new(random.number()));
                scope.spawn(move || Submitter::new(tally, life, pool, random).work(until))
            })
            .collect();
        if bullied {
            let (pool, random) = (&*pool, Random::new(random.number()));
            scope.spawn(move || bully::haunt(tally, pool, random, over));
        }
        if matches!(end, End::Closed | End::Terminated) {
            std::thread::sleep(span * random.below(100) as u32 / 100);
            life.closing.store(true, Ordering::SeqCst);
            match end {
                End::Closed => pool.close(),
                _ => {
                    life.ending.store(true, Ordering::SeqCst);
                    pool.terminate();
                }
            }
        }
        let open: Vec<Open> =
            submitters.into_iter().flat_map(|one| one.join().expect("a submitter")).collect();
        if matches!(end, End::Joined | End::Closed) {
            life.closing.store(true, Ordering::SeqCst);
            pool.close();
            judge_join(tally, life, pool.join());
        }
        over.store(true, Ordering::SeqCst);
        open
    });
    finish(tally, life, pool, end, open, random);
    Ok(())
}

/// Ends a pool, takes what was left untaken, and looks at its counts.
fn finish(
    tally: &Tally,
    life: &Life,
    pool: Arc<Pool>,
    end: End,
    open: Vec<Open>,
    random: &mut Random,
) {
    life.closing.store(true, Ordering::SeqCst);
    life.ending.store(true, Ordering::SeqCst);
    if end == End::Dropped {
        tally.respawns.fetch_add(pool.stats().respawns, Ordering::Relaxed);
        drop(pool);
        take_all(tally, life, open, random);
        return;
    }
    take_all(tally, life, open, random);
    let stats = pool.stats();
    tally.respawns.fetch_add(stats.respawns, Ordering::Relaxed);
    let ended = stats.succeeded + stats.failed + stats.dropped;
    if ended != stats.submitted || stats.lost > stats.failed || stats.workers > 0 {
        tally.accuse(format!("{}: the counts do not add up: {stats:?}", life.name));
    }
}

fn take_all(tally: &Tally, life: &Life, open: Vec<Open>, random: &mut Random) {
    for open in open {
        open.take(tally, life, random);
    }
}

/// A failure that nobody has looked at is what `join` is for, be it that the pool was closed by then, of a
/// handle that was dropped; that the pool broke is none.
fn judge_join(tally: &Tally, life: &Life, joined: Result<(), Error>) {
    let is_told = |kind| match kind {
        Kind::Panicked | Kind::Lost | Kind::Codec => true,
        Kind::Closed => life.allows(kind),
        _ => false,
    };
    if let Err(error) = joined
        && !is_told(Kind::of(&error))
    {
        tally.accuse(format!("{}: join failed: {error}", life.name));
    }
}
