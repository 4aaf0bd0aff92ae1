//! Memory that is shared with every process that gets to hear of it.
//!
//! An attachment is memory with an id: [frozen](procession_os::frozen), written once and read where it lies;
//! or [commons], which all who have it write. A payload mentions it by the id
//! alone; whoever sends that payload has it with it, as [`Attachments`], and makes sure that the memory
//! itself has gone to the process before, once, over the control channel. There it stands in the
//! registry, for all payloads to come, until its maker says that the last handle is gone.

pub mod arena;
pub mod commons;
pub mod exchange;
pub mod named;
mod registry;

pub(crate) use registry::{Source, connect, note_loss, receive, release};
pub use registry::{Unknown, find};

use crate::start::Link;
use commons::Commons;
use parking_lot::Mutex;
use procession_os::frozen::Frozen;
use procession_os::handle::{BorrowedHandle, Handle};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// Most attachments that one request may mention, those that they mention included: as many as surely
/// fit into a control channel that nobody reads yet.
pub const ATTACHMENTS_MAX: usize = 256;

/// What the face makes of an attachment; see [`Attachment::value`].
pub type FaceValue = Arc<dyn Any + Send + Sync>;

/// Memory with an id.
#[derive(Debug)]
pub struct Attachment {
    id: u64,
    tag: u64,
    content: Content,
    /// The process that made it; `None` where it was received.
    maker: Option<u32>,
    /// What its contents mention, and what that mentions: goes ahead of it.
    nested: Vec<Arc<Attachment>>,
    /// What the face has made of the contents, as long as somebody has it.
    value: Mutex<Option<Weak<dyn Any + Send + Sync>>>,
    /// Who has it, to be told of its end.
    receivers: Mutex<Vec<Weak<Link>>>,
}

/// What an attachment is.
#[derive(Debug)]
enum Content {
    /// So many bytes that never change.
    Frozen(Frozen, usize),
    /// Memory that everybody may write.
    Commons(Commons),
    /// None: something that is dropped when what mentions it is over.
    Guard(Mutex<Option<Guard>>),
}

/// Something that is dropped when what mentions it is over: its outcome is known, or its process has ended.
pub type Guard = Box<dyn Any + Send + Sync>;

impl Attachment {
    /// Makes an attachment of `bytes`, which may be none, that `fill` writes. What its contents mention
    /// is `nested`. `tag` is the face's: it says what the contents are.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors, or the contents mention too much.
    pub fn create(
        tag: u64,
        bytes: usize,
        nested: &[Arc<Self>],
        fill: impl FnOnce(&mut [u8]),
    ) -> io::Result<Arc<Self>> {
        let nested = with_what_they_mention(nested);
        if nested.len() >= ATTACHMENTS_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, TOO_MANY));
        }
        // Memory cannot be empty, contents can.
        let memory = Frozen::create("procession-shared", bytes.max(1), |all| {
            fill(&mut all[..bytes]);
        })?;
        Ok(Self::enter(tag, Content::Frozen(memory, bytes), nested))
    }

    /// Makes an attachment of so many zeros that all who have it may write, behind the
    /// [roster](procession_ipc::roster) of those who do; other handles of the system go with it.
    ///
    /// # Errors
    /// When the system is out of memory or descriptors, or there are too many handles.
    pub fn create_commons(tag: u64, bytes: usize, handles: Vec<Handle>) -> io::Result<Arc<Self>> {
        let commons = Commons::create(bytes, handles)?;
        Ok(Self::enter(tag, Content::Commons(commons), Vec::new()))
    }

    /// Makes an attachment of this process's own of memory that came as a handle alone: commons, as another
    /// process has made them.
    ///
    /// # Errors
    /// When it is no such memory, or the system is out of memory.
    fn adopt_commons(tag: u64, memory: Handle) -> io::Result<Arc<Self>> {
        let commons = Commons::accept(memory, Vec::new())?;
        Ok(Self::enter(tag, Content::Commons(commons), Vec::new()))
    }

    /// One that is no memory, and is not sent: a guard of what mentions it.
    pub fn guard(guard: Guard) -> Arc<Self> {
        let content = Content::Guard(Mutex::new(Some(guard)));
        Arc::new(Self::new(fresh_id(), 0, content, None, Vec::new()))
    }

    fn is_guard(&self) -> bool {
        matches!(self.content, Content::Guard(_))
    }

    /// Makes one known that this process has made.
    fn enter(tag: u64, content: Content, nested: Vec<Arc<Self>>) -> Arc<Self> {
        Self::enter_as(fresh_id(), tag, content, nested)
    }

    /// Makes one known that no parent has sent.
    fn enter_as(id: u64, tag: u64, content: Content, nested: Vec<Arc<Self>>) -> Arc<Self> {
        let maker = Some(std::process::id());
        let attachment = Arc::new(Self::new(id, tag, content, maker, nested));
        registry::enter(&attachment);
        attachment
    }

    fn new(
        id: u64,
        tag: u64,
        content: Content,
        maker: Option<u32>,
        nested: Vec<Arc<Self>>,
    ) -> Self {
        let (value, receivers) = (Mutex::default(), Mutex::default());
        Self { id, tag, content, maker, nested, value, receivers }
    }

    /// By what payloads mention it: no other attachment of the program, of its workers, or of those
    /// that it is a worker of, has the same.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What the contents are, to the face.
    pub fn tag(&self) -> u64 {
        self.tag
    }

    /// The contents, from the start of a page on, which never change; nothing where they may.
    pub fn contents(&self) -> &[u8] {
        match &self.content {
            Content::Frozen(memory, bytes) => &memory.as_slice()[..*bytes],
            Content::Commons(_) | Content::Guard(_) => &[],
        }
    }

    /// The contents, if everybody may write them.
    pub fn commons(&self) -> Option<&Commons> {
        match &self.content {
            Content::Frozen(..) | Content::Guard(_) => None,
            Content::Commons(commons) => Some(commons),
        }
    }

    /// Whether the process that this one works for knows it: it has sent it, or was this very process
    /// when it was made, before a fork.
    pub fn is_known_to_parent(&self) -> bool {
        self.maker != Some(std::process::id())
    }

    /// What the face has made of the contents, by `make` if nobody has it any more. Others who ask wait
    /// meanwhile. Where the attachment was received, it stays until the maker's last handle is gone.
    ///
    /// # Errors
    /// What `make` returns.
    pub fn value<E>(&self, make: impl FnOnce() -> Result<FaceValue, E>) -> Result<FaceValue, E> {
        let mut place = self.value.lock();
        if let Some(value) = place.as_ref().and_then(Weak::upgrade) {
            return Ok(value);
        }
        let value = make()?;
        *place = Some(Arc::downgrade(&value));
        registry::keep(self.id, &value);
        Ok(value)
    }

    /// All that must go ahead of it, then itself.
    pub(crate) fn with_nested(self: &Arc<Self>) -> impl Iterator<Item = &Arc<Self>> {
        self.nested.iter().chain([self])
    }

    /// How a parcel speaks of it.
    pub(crate) fn label(&self) -> Label {
        let nested = self.nested.iter().map(|attachment| attachment.id).collect();
        let (bytes, more) = match &self.content {
            Content::Frozen(_, bytes) => (*bytes as u64, None),
            Content::Commons(commons) => (0, Some(commons.handles().len())),
            Content::Guard(_) => (0, None),
        };
        Label { id: self.id, tag: self.tag, bytes, more, nested }
    }

    /// What is to be sent: the memory first.
    pub(crate) fn handles(&self) -> Vec<BorrowedHandle<'_>> {
        match &self.content {
            Content::Frozen(memory, _) => vec![memory.handle()],
            Content::Commons(commons) => commons.all_handles().collect(),
            Content::Guard(_) => Vec::new(),
        }
    }

    /// Notes a process that has it now.
    pub(crate) fn add_receiver(&self, link: &Arc<Link>) {
        let mut receivers = self.receivers.lock();
        receivers.retain(|receiver| receiver.strong_count() > 0);
        receivers.push(Arc::downgrade(link));
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        registry::leave(self.id);
        for receiver in self.receivers.get_mut().drain(..) {
            if let Some(link) = receiver.upgrade() {
                link.forget_attachment(self.id);
            }
        }
    }
}

/// What a parcel says of an attachment, whose memory comes beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its id.
    pub id: u64,
    /// What its contents are, to the face.
    pub tag: u64,
    /// How many bytes, if they never change.
    pub bytes: u64,
    /// How many handles come behind the memory's; `None` if it is frozen.
    pub more: Option<usize>,
    /// The ids of all that its contents mention; they went ahead.
    pub nested: Vec<u64>,
}

/// What to say of a request with more than [`ATTACHMENTS_MAX`] attachments.
pub const TOO_MANY: &str = "more than 256 pieces of shared data are mentioned, each of which costs every \
                            process a descriptor; put them together into fewer";

/// Numbers the attachments of this process.
static MADE: AtomicU64 = AtomicU64::new(1);

/// An id that no other attachment has which this process, its children, or those that it is a child of
/// will ever see. They count by themselves, and a worker passes on what it got under the same id, so a
/// counter alone will not do; and since it is random, a worker can name nothing that it was not given.
fn fresh_id() -> u64 {
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    // In a copy of this process the keys are the same, but the process is not.
    RandomState::new().hash_one((std::process::id(), number))
}

/// These attachments and all that they mention, each once and behind what it mentions.
fn with_what_they_mention(attachments: &[Arc<Attachment>]) -> Vec<Arc<Attachment>> {
    let mut all: Vec<Arc<Attachment>> = Vec::new();
    for attachment in attachments.iter().flat_map(Attachment::with_nested) {
        if all.iter().all(|known| known.id != attachment.id) {
            all.push(attachment.clone());
        }
    }
    all
}

/// The attachments that a payload mentions: mostly none, which costs nothing.
#[derive(Debug, Clone, Default)]
pub struct Attachments(Option<Arc<Vec<Arc<Attachment>>>>);

impl Attachments {
    /// These, and what they mention.
    pub fn new(attachments: &[Arc<Attachment>]) -> Self {
        if attachments.is_empty() {
            return Self(None);
        }
        Self(Some(Arc::new(with_what_they_mention(attachments))))
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How many, with what they mention.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Those that are memory, which is to be sent.
    pub(crate) fn to_send(&self) -> impl Iterator<Item = &Arc<Attachment>> {
        self.as_slice().iter().filter(|attachment| !attachment.is_guard())
    }

    /// Drops the guards: what mentions them is over, though somebody may still have these.
    pub(crate) fn release_guards(&self) {
        for attachment in self.as_slice() {
            if let Content::Guard(guard) = &attachment.content {
                let released = guard.lock().take();
                drop(released);
            }
        }
    }

    /// Each behind what it mentions.
    pub(crate) fn as_slice(&self) -> &[Arc<Attachment>] {
        self.0.as_ref().map_or(&[], |all| all)
    }

    /// Takes in those of another payload that travels with this one; `false`, with nothing changed, when
    /// they are too many together.
    #[must_use]
    pub(crate) fn join(&mut self, other: &Self) -> bool {
        let (Some(own), Some(others)) = (&self.0, &other.0) else {
            if self.is_empty() {
                *self = other.clone();
            }
            return true;
        };
        if Arc::ptr_eq(own, others) {
            return true;
        }
        let is_new = |new: &&Arc<Attachment>| own.iter().all(|known| known.id != new.id);
        let new: Vec<_> = others.iter().filter(is_new).cloned().collect();
        if new.is_empty() {
            return true;
        }
        if own.len() + new.len() > ATTACHMENTS_MAX {
            return false;
        }
        let all = own.iter().cloned().chain(new).collect();
        self.0 = Some(Arc::new(all));
        true
    }
}
