//! Which attachments this process knows, by their ids: those that it made, as long as somebody has
//! them, and those that it was sent, until it is told that they are gone.

use super::commons::Commons;
use super::{Attachment, Content, FaceValue, Label};
use parking_lot::Mutex;
use procession_os::frozen::Frozen;
use procession_os::handle::Handle;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Weak};

/// What is known of an id.
#[derive(Debug)]
struct Entry {
    attachment: Weak<Attachment>,
    /// Where it was received.
    received: Option<Received>,
}

/// What is kept of an attachment that was received.
#[derive(Debug)]
struct Received {
    /// Or why its memory could not be taken in.
    attachment: Result<Arc<Attachment>, String>,
    /// What the face has made of it.
    value: Option<FaceValue>,
}

static REGISTRY: LazyLock<Mutex<HashMap<u64, Entry>>> = LazyLock::new(Mutex::default);

/// Where attachments come from in a worker.
pub(crate) trait Source: fmt::Debug + Send + Sync {
    /// Takes in all that has been sent by now.
    fn read(&self);
}

/// Whether a message was lost that may have brought attachments.
static HAS_LOST: AtomicBool = AtomicBool::new(false);

static SOURCE: Mutex<Option<Arc<dyn Source>>> = Mutex::new(None);

/// Why there is no attachment for an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// This process neither made nor was sent it, or its last handle is gone.
    Id,
    /// It was sent, and could not be taken in.
    Lost(String),
}

/// The attachment with this id. In a worker everything counts that was sent before now, so a request may
/// mention what went ahead of it. Does not wait for anything.
///
/// # Errors
/// When there is none.
pub fn find(id: u64) -> Result<Arc<Attachment>, Unknown> {
    match look_up(id) {
        Err(Unknown::Id) => {
            let source = SOURCE.lock().clone().ok_or(Unknown::Id)?;
            source.read();
            look_up(id).map_err(|unknown| match unknown {
                Unknown::Id if HAS_LOST.load(Ordering::Relaxed) => Unknown::Lost(OUT.to_owned()),
                other => other,
            })
        }
        found => found,
    }
}

/// What takes attachments away from a process.
const OUT: &str = "its memory did not arrive: this process is out of descriptors, of which each piece \
                   of shared data takes one";

/// Notes that a message was lost which may have brought attachments.
pub(crate) fn note_loss() {
    HAS_LOST.store(true, Ordering::Relaxed);
}

fn look_up(id: u64) -> Result<Arc<Attachment>, Unknown> {
    let registry = REGISTRY.lock();
    let entry = registry.get(&id).ok_or(Unknown::Id)?;
    match &entry.received {
        Some(Received { attachment: Err(why), .. }) => Err(Unknown::Lost(why.clone())),
        _ => entry.attachment.upgrade().ok_or(Unknown::Id),
    }
}

/// From now on attachments come from this source.
pub(crate) fn connect(source: Arc<dyn Source>) {
    let before = SOURCE.lock().replace(source);
    // A copy of a worker has inherited one that is not its own.
    drop(before);
}

/// Makes an attachment known that was made here.
pub(super) fn enter(attachment: &Arc<Attachment>) {
    let entry = Entry { attachment: Arc::downgrade(attachment), received: None };
    REGISTRY.lock().insert(attachment.id, entry);
}

/// Forgets an attachment that nobody has any more.
pub(super) fn leave(id: u64) {
    let mut registry = REGISTRY.lock();
    if registry.get(&id).is_some_and(|entry| entry.attachment.strong_count() == 0) {
        let entry = registry.remove(&id);
        drop(registry);
        drop(entry);
    }
}

/// Makes an attachment known that was sent here.
pub(crate) fn receive(label: Label, handles: Vec<Handle>) {
    let id = label.id;
    let taken = look_up(id).or_else(|_| take_in(label, handles));
    let attachment = taken.as_ref().map_or_else(|_| Weak::new(), Arc::downgrade);
    let received = Some(Received { attachment: taken, value: None });
    let before = REGISTRY.lock().insert(id, Entry { attachment, received });
    drop(before);
}

fn take_in(label: Label, handles: Vec<Handle>) -> Result<Arc<Attachment>, String> {
    let mut handles = handles.into_iter();
    let memory = handles.next().ok_or(OUT)?;
    let content = match label.more {
        None => accept_frozen(&label, memory)?,
        Some(more) if handles.len() != more => return Err(OUT.to_owned()),
        Some(_) => {
            let commons = Commons::accept(memory, handles.collect());
            Content::Commons(commons.map_err(|error| error.to_string())?)
        }
    };
    // What was lost is missed where it is looked for.
    let nested = label.nested.iter().filter_map(|id| look_up(*id).ok()).collect();
    Ok(Arc::new(Attachment::new(label.id, label.tag, content, None, nested)))
}

fn accept_frozen(label: &Label, memory: Handle) -> Result<Content, String> {
    let memory = Frozen::accept(memory).map_err(|error| error.to_string())?;
    let bytes = usize::try_from(label.bytes).ok().filter(|bytes| *bytes <= memory.as_slice().len());
    let bytes = bytes.ok_or("its memory is smaller than it should be")?;
    Ok(Content::Frozen(memory, bytes))
}

/// Keeps what the face has made of an attachment that was received.
pub(super) fn keep(id: u64, value: &FaceValue) {
    let mut registry = REGISTRY.lock();
    let received = registry.get_mut(&id).and_then(|entry| entry.received.as_mut());
    let before = received.and_then(|received| received.value.replace(value.clone()));
    drop(registry);
    drop(before);
}

/// Lets go of an attachment that was received: its maker has dropped it. Handles here stay good.
///
/// What the face has made of it comes back, to be dropped where the user's code may run.
#[must_use]
pub(crate) fn release(id: u64) -> Option<FaceValue> {
    let received = REGISTRY.lock().get_mut(&id).and_then(|entry| entry.received.take());
    let Received { attachment, value } = received?;
    if attachment.is_err() {
        REGISTRY.lock().remove(&id);
    }
    // It leaves the registry by itself, if this was the last of it.
    drop(attachment);
    value
}
