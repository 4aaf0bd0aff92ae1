//! Commons that processes of the same user find by a name.
//!
//! Who makes them claims the name, and has it until it gives it up, or ends. One thread of the process
//! answers for all of its names: whoever asks gets the memory, and makes an attachment of its own of it,
//! with another id. The first name starts the thread, and the last one that goes ends it, so that a program
//! without names has neither.
//!
//! Others can take the name away, too. They say so in a word of the memory, at an offset that is the face's
//! affair, and ask: who answers looks at the word before.
//!
//! | word | meaning |
//! |---|---|
//! | [`NAMED`] | the name is good, as far as its maker lives |
//! | [`GIVEN_UP`] | it is not, for ever; written before it is free |

#[cfg(test)]
mod tests;

use super::Attachment;
use parking_lot::Mutex;
use procession_ipc::primitive::Ordering;
use procession_ipc::segment::Segment;
use procession_os::exit_watch::Watcher;
use procession_os::life;
use procession_os::name::{self, Asker, Claim};
use procession_os::own_thread::{self, OwnThread};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

/// What the word of a name says that is good.
pub const NAMED: u32 = 0;

/// What it says of one that is not.
pub const GIVEN_UP: u32 = 1;

/// Longest wait for the answer of a process that has a name.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Longest wait for the answer of a process that has a name that another one wants to have.
const PATIENCE_OF_TAKER: Duration = Duration::from_secs(1);

/// Bytes of the thread's stack.
const STACK_BYTES: usize = 128 << 10;

/// How many are answered before others than those who ask for the same name.
const AT_ONCE: usize = 64;

/// Time before another try, when the system has no descriptors for those who ask.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// A name that this process has, until it gives it up or drops this.
#[derive(Debug)]
pub struct Claimed {
    service: Arc<Service>,
    token: u64,
}

/// Those names of this process that one thread answers for.
#[derive(Debug)]
struct Service {
    /// In a forked copy there is no thread for it.
    epoch: u32,
    watcher: Watcher,
    /// Empty when it is over, and never filled again.
    entries: Mutex<HashMap<u64, Entry>>,
}

#[derive(Debug)]
struct Entry {
    claim: Claim,
    attachment: Arc<Attachment>,
    ends: Ends,
    claimed: Weak<Claimed>,
}

/// What says that nobody gets the memory any more.
#[derive(Debug)]
enum Ends {
    /// A word of the memory, at this offset.
    Word(usize),
    /// That so many have got it.
    After(Arc<Mentions>),
}

/// How many are still to get something, each once.
#[derive(Debug)]
pub(super) struct Mentions(AtomicU64);

impl Mentions {
    pub(super) fn one() -> Self {
        Self(AtomicU64::new(1))
    }

    /// One more, unless it is over.
    pub(super) fn add(&self) -> bool {
        let add = |left: u64| (left > 0).then_some(left + 1);
        self.0.try_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }

    /// One of them has got it; whether that was the last.
    pub(super) fn answer(&self) -> bool {
        let take = |left: u64| left.checked_sub(1);
        self.0.try_update(Ordering::Relaxed, Ordering::Relaxed, take) == Ok(1)
    }

    pub(super) fn are_over(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// The one that names come to now. Locked before its entries.
static SERVICE: Mutex<Option<Arc<Service>>> = Mutex::new(None);

static TOKENS: AtomicU64 = AtomicU64::new(0);

/// Takes a name for an attachment that is commons, and whose word is at this offset.
///
/// # Errors
/// As [`Claim::new`], and when the thread cannot be started.
pub fn claim(name: &str, attachment: &Arc<Attachment>, word_at: usize) -> io::Result<Arc<Claimed>> {
    serve(take(name)?, attachment, Ends::Word(word_at))
}

/// Takes a name, that nobody else comes by, for an attachment that is commons, until so many have got it.
pub(super) fn claim_for(
    name: &str,
    attachment: &Arc<Attachment>,
    mentions: &Arc<Mentions>,
) -> io::Result<Arc<Claimed>> {
    serve(Claim::new(name)?, attachment, Ends::After(mentions.clone()))
}

fn serve(claim: Claim, attachment: &Arc<Attachment>, ends: Ends) -> io::Result<Arc<Claimed>> {
    let token = TOKENS.fetch_add(1, Ordering::Relaxed);
    let mut current = SERVICE.lock();
    let own = current.clone().filter(|service| service.epoch == life::epoch());
    let is_new = own.is_none();
    let service = own.map_or_else(Service::new, Ok)?;
    service.watcher.add_claim(&claim, token)?;
    let claimed = Arc::new(Claimed { service: service.clone(), token });
    let entry =
        Entry { claim, attachment: attachment.clone(), ends, claimed: Arc::downgrade(&claimed) };
    service.entries.lock().insert(token, entry);
    if is_new {
        let run = service.clone();
        let started = own_thread::spawn("procession-name", STACK_BYTES, move |own| run.run(own));
        if let Err(error) = started {
            service.entries.lock().clear();
            drop(current);
            return Err(error);
        }
        // What was there before is another copy's.
        let before = current.replace(service);
        drop(current);
        drop(before);
    }
    Ok(claimed)
}

/// Takes a name that nobody has, or that is given up and only not free yet: who gave it up may have ended
/// before it could [remind] anybody.
fn take(name: &str) -> io::Result<Claim> {
    let taken = match Claim::new(name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => error,
        claim => return claim,
    };
    match name::ask(name, PATIENCE_OF_TAKER) {
        Ok(None) => Claim::new(name),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Claim::new(name),
        // Somebody has it, or it cannot be found out.
        Ok(Some(_)) | Err(_) => Err(taken),
    }
}

/// The name that this process has for the attachment with this id.
pub fn claimed_here(id: u64) -> Option<Arc<Claimed>> {
    let service = SERVICE.lock().clone().filter(|service| service.epoch == life::epoch())?;
    let entries = service.entries.lock();
    entries.values().find(|entry| entry.attachment.id() == id)?.claimed.upgrade()
}

/// An attachment of the memory that has this name; none if the name was given up meanwhile.
///
/// # Errors
/// As [`name::ask`], and when what comes is no memory with a roster.
pub fn find(name: &str, tag: u64) -> io::Result<Option<Arc<Attachment>>> {
    let memory = name::ask(name, PATIENCE)?;
    memory.map(|memory| Attachment::adopt_commons(tag, memory)).transpose()
}

/// Has the process that has a name look at its word; it has done so when this returns.
///
/// # Errors
/// As [`name::ask`].
pub fn remind(name: &str) -> io::Result<()> {
    name::ask(name, PATIENCE).map(drop)
}

/// Says in its word that a name is given up; `false` if it was before.
#[must_use]
pub fn give_up(segment: &Segment, word_at: usize) -> bool {
    segment.word32(word_at).swap(GIVEN_UP, Ordering::Relaxed) == NAMED
}

/// Whether the word says that the name is given up.
#[must_use]
pub fn is_given_up(segment: &Segment, word_at: usize) -> bool {
    segment.word32(word_at).load(Ordering::Relaxed) != NAMED
}

/// What came of those who asked.
#[derive(Debug)]
enum Answered {
    All,
    /// Nobody gets the memory any more; one of them asked since.
    GivenUp(Asker),
    /// The last one has got it.
    Over,
}

impl Claimed {
    /// Whether it is this process's, and not that of which this one is a forked copy.
    pub fn is_own(&self) -> bool {
        self.service.epoch == life::epoch()
    }

    /// Gives the name up: it is free when this returns. In a forked copy nothing happens.
    pub fn give_up(&self) {
        self.service.remove(self.token);
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl Service {
    fn new() -> io::Result<Arc<Self>> {
        let (epoch, watcher) = (life::epoch(), Watcher::new()?);
        Ok(Arc::new(Self { epoch, watcher, entries: Mutex::default() }))
    }

    /// Gives a name up, if it is there: for all who come to know of this it is free.
    fn remove(&self, token: u64) {
        // What a forked copy has of the watcher, and of the memory, is its original's as well.
        let is_own = self.epoch == life::epoch();
        let mut current = SERVICE.lock();
        let mut entries = self.entries.lock();
        let Some(Entry { claim, attachment, ends, .. }) = entries.remove(&token) else { return };
        if is_own {
            if let (Some(commons), Ends::Word(word_at)) = (attachment.commons(), ends) {
                // Whether somebody was faster makes no difference.
                let _ = give_up(commons.segment(), word_at);
            }
            self.watcher.remove_claim(&claim);
        }
        drop(claim);
        let is_over = entries.is_empty();
        drop(entries);
        let is_current = current.as_ref().is_some_and(|current| std::ptr::eq(&**current, self));
        let ended = if is_over && is_current { current.take() } else { None };
        drop(current);
        if is_over && is_own {
            self.watcher.wake();
        }
        drop((ended, attachment));
    }

    fn run(&self, own: &mut OwnThread) {
        let mut asked = Vec::new();
        loop {
            let waited = own.rest(|| self.watcher.wait(&mut asked, None));
            let answered = waited.and_then(|()| self.answer(&asked));
            if self.entries.lock().is_empty() {
                return;
            }
            // Those who ask wait, and are there at the next try.
            if answered.is_err() {
                own.rest(|| thread::sleep(TRY_AGAIN));
            }
        }
    }

    fn answer(&self, asked: &[u64]) -> io::Result<()> {
        for token in asked {
            match self.answer_those_of(*token)? {
                Answered::All => {}
                Answered::GivenUp(asker) => {
                    self.remove(*token);
                    // It takes the end of its connection for a sign that the name is free.
                    drop(asker);
                }
                Answered::Over => {
                    self.remove(*token);
                    super::exchange::let_go();
                }
            }
        }
        Ok(())
    }

    /// Answers those that ask for the memory with this token now.
    fn answer_those_of(&self, token: u64) -> io::Result<Answered> {
        let entries = self.entries.lock();
        let entry = entries.get(&token);
        let Some((entry, commons)) = entry.and_then(|it| Some((it, it.attachment.commons()?)))
        else {
            return Ok(Answered::All);
        };
        // There may be no end to them, and others wait for theirs.
        for _ in 0..AT_ONCE {
            let Some(asker) = entry.claim.next()? else { break };
            // Not sooner: it may be the one who wrote the word.
            if let Ends::Word(word_at) = entry.ends
                && is_given_up(commons.segment(), word_at)
            {
                return Ok(Answered::GivenUp(asker));
            }
            asker.answer(commons.handle());
            if let Ends::After(mentions) = &entry.ends
                && mentions.answer()
            {
                return Ok(Answered::Over);
            }
        }
        Ok(Answered::All)
    }
}
