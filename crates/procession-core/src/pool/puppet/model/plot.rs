//! What happens in a play, by chance.

use super::ledger::Answer;
use crate::message::Retirement;
use crate::task::Terms;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::time::Duration;

/// A pool, and what happens to it.
#[derive(Debug, Clone)]
pub(super) struct Plot {
    pub(super) workers: usize,
    pub(super) threads: usize,
    pub(super) retirement: Retirement,
    /// Nanoseconds that workers say that a call has taken.
    pub(super) ns: u64,
    /// Of the order in which threads take their turns.
    pub(super) seed: u64,
    /// How many of 256 times a thread gives its turn away that need not.
    pub(super) unrest: u8,
    pub(super) acts: Vec<Act>,
    pub(super) ending: Ending,
}

/// One thing that happens. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Submit(Terms),
    /// `chunk` 0 leaves the size to the pool; a map that is not `whole` may get more items.
    Map {
        count: u64,
        chunk: usize,
        terms: Terms,
        whole: bool,
    },
    /// More items for a map that is not whole; none makes it whole.
    Feed {
        which: usize,
        count: u64,
    },
    /// A lane does what comes next, short of ending what it runs.
    Step(usize),
    Finish(usize, Answer),
    Publish(usize),
    /// All lanes do what comes next, and end what they run.
    Work,
    Die(usize),
    Unfit(usize),
    /// Whoever was killed, asked or told to stop ends.
    Reap,
    Cancel {
        which: usize,
        running: bool,
    },
    Abandon(usize),
    /// The caller lets go of a task, which runs all the same.
    Forget(usize),
    /// The system has no process to give, so many times.
    Refuse(usize),
    Wait {
        which: usize,
        ms: Option<u64>,
        whole: bool,
    },
    Poll(usize),
    StopPolling(usize),
    Collect,
    /// The caller looks at what has come.
    Look,
    PassTime(u64),
    /// All threads go on until they rest.
    GoOn,
    Close,
    /// A thread joins the pool, which is closed for that.
    Join,
    /// A thread terminates the pool.
    Terminate,
}

/// How a play ends, whatever is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Join,
    /// Workers end when they are asked to, or only when they are killed.
    Terminate {
        stubborn: bool,
    },
    /// Somebody joins, and meanwhile somebody else terminates.
    JoinAndTerminate,
}

fn terms() -> impl Strategy<Value = Terms> {
    let timeout = prop_oneof![
        4 => Just(None),
        1 => prop_oneof![Just(0), Just(5), Just(60), Just(3000)].prop_map(Some),
    ];
    let retries = prop_oneof![3 => Just(0), 1 => 1..3_u32];
    (timeout, retries).prop_map(|(timeout, retries)| Terms {
        timeout: timeout.map(Duration::from_millis),
        retries,
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![5 => Just(Answer::Value), 1 => Just(Answer::Panic)]
}

fn act() -> impl Strategy<Value = Act> {
    let some = 0..64_usize;
    prop_oneof![
        12 => terms().prop_map(Act::Submit),
        6 => (1..12_u64, 0..5_usize, terms(), prop::bool::weighted(0.8))
            .prop_map(|(count, chunk, terms, whole)| Act::Map { count, chunk, terms, whole }),
        3 => (some.clone(), 0..5_u64).prop_map(|(which, count)| Act::Feed { which, count }),
        16 => some.clone().prop_map(Act::Step),
        12 => (some.clone(), answer()).prop_map(|(lane, answer)| Act::Finish(lane, answer)),
        3 => some.clone().prop_map(Act::Publish),
        6 => Just(Act::Work),
        4 => some.clone().prop_map(Act::Die),
        2 => some.clone().prop_map(Act::Unfit),
        6 => Just(Act::Reap),
        5 => (some.clone(), any::<bool>()).prop_map(|(which, running)| Act::Cancel { which, running }),
        1 => some.clone().prop_map(Act::Abandon),
        1 => some.clone().prop_map(Act::Forget),
        1 => (1..4_usize).prop_map(Act::Refuse),
        4 => (some.clone(), option::of(1..200_u64), any::<bool>())
            .prop_map(|(which, ms, whole)| Act::Wait { which, ms, whole }),
        2 => some.clone().prop_map(Act::Poll),
        1 => some.prop_map(Act::StopPolling),
        3 => Just(Act::Collect),
        3 => Just(Act::Look),
        5 => prop_oneof![1..8_u64, 40..90_u64, 400..4000_u64].prop_map(Act::PassTime),
        8 => Just(Act::GoOn),
        1 => prop_oneof![3 => Just(Act::Close), 2 => Just(Act::Join), 1 => Just(Act::Terminate)],
    ]
}

/// Any plot.
pub(super) fn plot() -> impl Strategy<Value = Plot> {
    let retirement = (option::weighted(0.4, 1..7_u64), any::<bool>(), any::<bool>()).prop_map(
        |(tasks_max, has_memory, on_panic)| Retirement {
            tasks_max,
            memory_bytes_max: has_memory.then_some(1 << 30),
            on_panic,
        },
    );
    let ending = prop_oneof![
        4 => Just(Ending::Join),
        1 => any::<bool>().prop_map(|stubborn| Ending::Terminate { stubborn }),
        1 => Just(Ending::JoinAndTerminate),
    ];
    let threads = prop_oneof![3 => Just(1), 1 => Just(2)];
    let ns = prop_oneof![Just(100), Just(60_000), Just(5_000_000)];
    let unrest = prop_oneof![Just(0), Just(30), Just(160)];
    let retirement = prop_oneof![Just(Retirement::default()), retirement];
    (1..4_usize, threads, retirement, ns, any::<u64>(), unrest, vec(act(), 1..70), ending).prop_map(
        |(workers, threads, retirement, ns, seed, unrest, acts, ending)| Plot {
            workers,
            threads,
            retirement,
            ns,
            seed,
            unrest,
            acts,
            ending,
        },
    )
}
