//! How a process gets commons that somebody else than its parent mentions to it.
//!
//! What mentions them may go anywhere: an item of a queue is taken by whoever is first. So who puts it keeps
//! what it mentions, and answers for it under a [name](super::named) of its own, which the item tells; who takes
//! the item asks, and is answered once for each mention. Then nothing is kept any more. (Python's
//! `resource_sharer` does so with descriptors.) The number in the name is random and 64 bits long, and names
//! are those of one user, so nobody gets what was not mentioned to it.
//!
//! What was mentioned in an item that nobody ever takes, or whose taker died before it had asked, is kept as long
//! as this process lives; and if this process ends first, it is lost with it.

use super::arena;
use super::named::{self, Claimed, Mentions};
use super::registry::{Unknown, find};
use super::{Attachment, Content, commons::Commons, fresh_id};
use parking_lot::Mutex;
use procession_os::life;
use procession_os::name;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// What an item says of where to ask for what it mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeper(pub u64);

/// Something that is kept.
struct Kept {
    keeper: Keeper,
    attachment: Arc<Attachment>,
    mentions: Arc<Mentions>,
    /// Answers as long as it is there.
    _claimed: Arc<Claimed>,
}

/// What this process keeps, by the attachment's id.
struct All {
    /// Whose it is: a forked copy answers for nothing.
    epoch: u32,
    kept: Option<HashMap<u64, Kept>>,
}

static ALL: Mutex<All> = Mutex::new(All { epoch: 0, kept: None });

/// Held by who asks, so that nobody else makes another attachment of the same meanwhile.
static ASKING: Mutex<()> = Mutex::new(());

fn name_of(keeper: Keeper) -> String {
    format!("procession-kept-{:016x}", keeper.0)
}

/// Keeps commons for whoever takes what is about to mention them, once more.
///
/// # Errors
/// When it is other memory than that of a shared object, or the system is out of descriptors or threads.
pub fn keep(attachment: &Arc<Attachment>) -> io::Result<Keeper> {
    if attachment.tag() != arena::TAG || attachment.commons().is_none() {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "shared data that is only read travels with a task only",
        ));
    }
    let mut all = ALL.lock();
    let mut before = None;
    if all.epoch != life::epoch() {
        all.epoch = life::epoch();
        // Another process's, which goes on to answer for it.
        before = all.kept.take();
    }
    let kept = all.kept.get_or_insert_default();
    if let Some(known) = kept.get(&attachment.id())
        && known.mentions.add()
    {
        return Ok(known.keeper);
    }
    let (keeper, mentions) = (Keeper(fresh_id()), Arc::new(Mentions::one()));
    let claimed = named::claim_for(&name_of(keeper), attachment, &mentions)?;
    let entry = Kept { keeper, attachment: attachment.clone(), mentions, _claimed: claimed };
    let old = kept.insert(attachment.id(), entry);
    drop(all);
    drop((old, before));
    Ok(keeper)
}

/// Takes one mention back: what was to mention it has not been sent.
pub fn take_back(attachment: &Attachment) {
    let mut all = ALL.lock();
    let Some(kept) = all.kept.as_mut() else { return };
    let is_last = kept.get(&attachment.id()).is_some_and(|known| known.mentions.answer());
    let last = if is_last { kept.remove(&attachment.id()) } else { None };
    drop(all);
    drop(last);
}

/// Lets go of what all have asked for.
pub(super) fn let_go() {
    let mut all = ALL.lock();
    let Some(kept) = all.kept.as_mut() else { return };
    let over: Vec<_> = kept.extract_if(|_, kept| kept.mentions.are_over()).collect();
    drop(all);
    drop(over);
}

/// The commons with this id, which an item has mentioned.
///
/// # Errors
/// When nobody answers for them any more.
pub fn get(id: u64, keeper: Keeper) -> Result<Arc<Attachment>, Unknown> {
    if let Some(own) = kept_here(id, keeper) {
        take_back(&own);
        return Ok(own);
    }
    let lost = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unknown::Id,
        _ => Unknown::Lost(error.to_string()),
    };
    let _asking = ASKING.lock();
    // Also what is known is asked for: so the keeper learns that it has come.
    let memory = name::ask(&name_of(keeper), named::PATIENCE).map_err(lost);
    match (find(id), memory) {
        (Ok(known), _) => Ok(known),
        (Err(_), memory) => {
            let commons = Commons::accept(memory?.ok_or(Unknown::Id)?, Vec::new()).map_err(lost)?;
            Ok(Attachment::enter_as(id, arena::TAG, Content::Commons(commons), Vec::new()))
        }
    }
}

fn kept_here(id: u64, keeper: Keeper) -> Option<Arc<Attachment>> {
    let all = ALL.lock();
    let kept = all.kept.as_ref().filter(|_| all.epoch == life::epoch())?.get(&id)?;
    (kept.keeper == keeper).then(|| kept.attachment.clone())
}
