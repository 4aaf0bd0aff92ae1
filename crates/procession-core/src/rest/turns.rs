//! Threads that take turns, and a clock of their own, so that a test decides who goes on and how late it is.
//!
//! Each thread of a play has a *seat*; one of them has the turn, the others wait for it. A thread gives its
//! turn away where it would [rest](super), and where it is about to take the pool's lock. One that rests is
//! asked whether it has a reason to wake only after somebody else has done something: when all have been asked
//! and none has a reason, the play stands still, until its director (the thread in the first seat) does
//! something, or lets time pass.
//!
//! Whose turn it is, is decided by seeded chance. Nothing wakes a thread for no reason, so a wake-up that is
//! lost is a play that stands still too early.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Thread, ThreadId};
use std::time::{Duration, Instant};

thread_local! {
    /// This thread's seat in a play.
    static SEAT: RefCell<Option<Seat>> = const { RefCell::new(None) };
}

/// Most rests until all threads rest: there must be an end to what the director has begun.
const RESTS_MAX: u32 = 10_000;

/// The director's seat.
const DIRECTOR: usize = 0;

/// What ends a thread whose play has ended; said to nobody.
struct PlayOver;

#[derive(Clone)]
struct Seat {
    play: Arc<Play>,
    number: usize,
}

/// Threads that take turns.
pub(crate) struct Play {
    table: Mutex<Table>,
    turned: Condvar,
}

struct Table {
    turn: usize,
    players: Vec<Player>,
    now: Instant,
    chance: Chance,
    /// How many of 256 times a thread that could go on gives its turn away.
    unrest: u8,
    /// Rests since the director did something.
    rests: u32,
    is_over: bool,
    failure: Option<String>,
}

struct Player {
    thread: Option<ThreadId>,
    state: State,
    /// It was unparked since it parked last.
    is_unparked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Goes on when it has the turn.
    Ready,
    /// Rests, until then if not for ever; was asked since somebody did something.
    Resting { deadline: Option<Instant>, is_asked: bool },
    /// Has ended.
    Gone,
}

/// Seeded chance (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % count as u64) as usize
    }
}

fn seat() -> Option<Seat> {
    SEAT.with_borrow(Clone::clone)
}

impl Table {
    /// Those whose turn it may be.
    fn candidates(&self, but: usize) -> Vec<usize> {
        let may = |player: &Player| match player.state {
            State::Ready => true,
            State::Resting { is_asked, .. } => !is_asked,
            State::Gone => false,
        };
        (0..self.players.len()).filter(|seat| *seat != but && may(&self.players[*seat])).collect()
    }

    /// Gives the turn to one of the others, or, without any, to the director.
    fn hand_over(&mut self, from: usize) {
        let others: Vec<_> =
            self.candidates(from).into_iter().filter(|seat| *seat != DIRECTOR).collect();
        self.turn = match others.len() {
            0 => DIRECTOR,
            count => others[self.chance.below(count)],
        };
    }

    /// Somebody has done something: whoever rests may have a reason to wake.
    fn something_done(&mut self) {
        for player in &mut self.players {
            if let State::Resting { is_asked, .. } = &mut player.state {
                *is_asked = false;
            }
        }
    }
}

impl Play {
    /// A play directed by this thread, until the [`Director`] is dropped.
    pub(crate) fn begin(seed: u64, unrest: u8) -> Director {
        let play = Arc::new(Self {
            table: Mutex::new(Table {
                turn: DIRECTOR,
                players: Vec::new(),
                now: Instant::now(),
                chance: Chance(seed),
                unrest,
                rests: 0,
                is_over: false,
                failure: None,
            }),
            turned: Condvar::new(),
        });
        play.take_seat();
        Director { play }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_player(&self) -> usize {
        let mut table = self.lock();
        table.players.push(Player { thread: None, state: State::Ready, is_unparked: false });
        table.players.len() - 1
    }

    fn take_seat(self: &Arc<Self>) {
        let number = self.add_player();
        self.sit_down(number);
    }

    fn sit_down(self: &Arc<Self>, number: usize) {
        self.lock().players[number].thread = Some(std::thread::current().id());
        SEAT.set(Some(Seat { play: self.clone(), number }));
    }

    /// Waits for the turn; ends the thread if the play is over.
    fn wait_for_turn<'a>(
        &'a self,
        mut table: MutexGuard<'a, Table>,
        number: usize,
    ) -> MutexGuard<'a, Table> {
        self.turned.notify_all();
        while table.turn != number && !table.is_over {
            table = self.turned.wait(table).unwrap_or_else(PoisonError::into_inner);
        }
        if table.is_over && number != DIRECTOR && !std::thread::panicking() {
            drop(table);
            resume_unwind(Box::new(PlayOver));
        }
        table
    }

    /// Rests until there is a reason to wake, or the time has passed.
    fn rest(&self, number: usize, timeout: Option<Duration>, has_reason: &dyn Fn() -> bool) {
        let mut table = self.lock();
        table.something_done();
        table.rests += 1;
        if table.rests > RESTS_MAX && !std::thread::panicking() {
            drop(table);
            panic!("a thread does not come to rest");
        }
        let deadline = timeout.map(|timeout| table.now + timeout);
        loop {
            if table.is_over && std::thread::panicking() {
                return;
            }
            let is_unparked = std::mem::take(&mut table.players[number].is_unparked);
            if is_unparked || has_reason() || deadline.is_some_and(|time| time <= table.now) {
                table.players[number].state = State::Ready;
                return;
            }
            table.players[number].state = State::Resting { deadline, is_asked: true };
            table.hand_over(number);
            table = self.wait_for_turn(table, number);
        }
    }

    /// Gives the turn away now and then.
    fn pass(&self, number: usize) {
        let mut table = self.lock();
        table.something_done();
        let stays = table.chance.below(256) >= table.unrest.into();
        if stays || table.is_over && std::thread::panicking() {
            return;
        }
        let others = table.candidates(number);
        if others.is_empty() {
            return;
        }
        table.turn = others[table.chance.below(others.len())];
        drop(self.wait_for_turn(table, number));
    }

    /// Runs on a thread of its own, in this seat.
    pub(crate) fn play_in(self: &Arc<Self>, number: usize, part: impl FnOnce()) {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            self.sit_down(number);
            drop(self.wait_for_turn(self.lock(), number));
            part();
        }));
        let mut table = self.lock();
        table.players[number].state = State::Gone;
        table.something_done();
        if let Err(payload) = ended
            && !payload.is::<PlayOver>()
        {
            let text = payload.downcast_ref::<String>().cloned();
            let text = text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string));
            table.failure.get_or_insert(text.unwrap_or_else(|| "a thread panicked".into()));
        }
        table.hand_over(number);
        drop(table);
        self.turned.notify_all();
        SEAT.set(None);
    }
}

/// Who has the first seat, and decides what happens.
pub(crate) struct Director {
    play: Arc<Play>,
}

impl Director {
    /// A seat for one more thread: where it [plays](Play::play_in).
    pub(crate) fn seat(&self) -> (Arc<Play>, usize) {
        (self.play.clone(), self.play.add_player())
    }

    /// Lets the others go on until none of them has a reason to.
    ///
    /// # Panics
    /// When one of them has.
    pub(crate) fn let_go_on(&self) {
        let mut table = self.play.lock();
        table.something_done();
        table.rests = 0;
        loop {
            if let Some(failure) = table.failure.take() {
                drop(table);
                panic!("{failure}");
            }
            table.hand_over(DIRECTOR);
            if table.turn == DIRECTOR {
                return;
            }
            table = self.play.wait_for_turn(table, DIRECTOR);
        }
    }

    /// Whether the thread in this seat has ended.
    pub(crate) fn is_gone(&self, number: usize) -> bool {
        self.play.lock().players[number].state == State::Gone
    }

    /// When the next of those that rest wakes by itself.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let deadline = |player: &Player| match player.state {
            State::Resting { deadline, .. } => deadline,
            State::Ready | State::Gone => None,
        };
        self.play.lock().players.iter().filter_map(deadline).min()
    }

    /// Lets time pass; nobody has noticed yet.
    pub(crate) fn pass_time(&self, time: Duration) {
        self.play.lock().now += time;
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        let mut table = self.play.lock();
        table.is_over = true;
        self.play.turned.notify_all();
        let is_gone = |player: &Player| player.state == State::Gone;
        while !table.players[1..].iter().all(is_gone) {
            table = self.play.turned.wait(table).unwrap_or_else(PoisonError::into_inner);
        }
        SEAT.set(None);
    }
}

/// What time it is in this thread's play.
pub(crate) fn now() -> Option<Instant> {
    seat().map(|seat| seat.play.lock().now)
}

/// Gives the turn away now and then, if this thread is in a play.
pub(crate) fn pass() {
    if let Some(seat) = seat() {
        seat.play.pass(seat.number);
    }
}

/// Parks this thread, if it is in a play.
pub(crate) fn park(timeout: Option<Duration>) -> bool {
    let seat = seat();
    seat.inspect(|seat| seat.play.rest(seat.number, timeout, &|| false)).is_some()
}

/// Unparks a thread that is in this one's play.
pub(crate) fn unpark(thread: &Thread) -> bool {
    let Some(seat) = seat() else { return false };
    let mut table = seat.play.lock();
    let mut players = table.players.iter_mut();
    let player = players.find(|player| player.thread == Some(thread.id()));
    player.map(|player| player.is_unparked = true).is_some()
}

/// Waits until one of the words is not as expected, or the time has passed, if this thread is in a play.
pub(crate) fn wait_any(words: &[(&AtomicU32, u32)], timeout: Option<Duration>) -> bool {
    let has_reason = || words.iter().any(|(word, seen)| word.load(Ordering::SeqCst) != *seen);
    let seat = seat();
    seat.inspect(|seat| seat.play.rest(seat.number, timeout, &has_reason)).is_some()
}
