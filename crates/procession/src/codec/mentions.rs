//! Shared data that a value mentions while it is encoded.
//!
//! serde hands a value's `Serialize` nothing but the serializer. So what a handle of shared data has to
//! say while it is encoded goes by the thread: the codec listens around each encoding, and takes what it
//! heard with the bytes.

use procession_core::attachment::Attachment;
use procession_core::attachment::exchange::{self, Keeper};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// What this thread encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// Nothing of ours.
    Nothing,
    /// Arguments, which may mention anything.
    Arguments,
    /// Arguments that have mentioned something.
    Mentioning,
    /// A result, which may mention what its receiver has.
    Result,
    /// An item of a queue or a pipe, which may mention what others can write.
    Item,
    /// An item that has mentioned something.
    MentioningItem,
}

thread_local! {
    static ENCODING: Cell<Encoding> = const { Cell::new(Encoding::Nothing) };
    /// What has been mentioned.
    static MENTIONED: RefCell<Vec<Arc<Attachment>>> = const { RefCell::new(Vec::new()) };
    /// Why a handle could not be decoded: postcard drops what the type says.
    static REFUSAL: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Listens as long as it lives.
#[derive(Debug)]
pub(super) struct Listener {
    outer: Encoding,
    /// What an encoding around this one has mentioned: a `Serialize` may do anything.
    outer_mentioned: Vec<Arc<Attachment>>,
}

impl Listener {
    /// Listens to arguments.
    #[inline]
    pub(super) fn to_arguments() -> Self {
        Self::start(Encoding::Arguments)
    }

    /// Listens to a result.
    #[inline]
    pub(super) fn to_result() -> Self {
        Self::start(Encoding::Result)
    }

    /// Listens to an item.
    #[inline]
    pub(super) fn to_item() -> Self {
        Self::start(Encoding::Item)
    }

    #[inline]
    fn start(encoding: Encoding) -> Self {
        let outer = ENCODING.replace(encoding);
        let outer_mentioned = if outer.has_mentioned() { MENTIONED.take() } else { Vec::new() };
        Self { outer, outer_mentioned }
    }

    /// What was mentioned.
    #[inline]
    pub(super) fn heard(&self) -> Vec<Arc<Attachment>> {
        if ENCODING.get().has_mentioned() { MENTIONED.take() } else { Vec::new() }
    }
}

impl Drop for Listener {
    #[inline]
    fn drop(&mut self) {
        match ENCODING.replace(self.outer) {
            Encoding::Mentioning => drop(MENTIONED.take()),
            // The item was not encoded, or what it mentions was handed over.
            Encoding::MentioningItem => drop(Kept(MENTIONED.take())),
            _ => {}
        }
        if self.outer.has_mentioned() {
            MENTIONED.set(std::mem::take(&mut self.outer_mentioned));
        }
    }
}

impl Encoding {
    fn has_mentioned(self) -> bool {
        matches!(self, Self::Mentioning | Self::MentioningItem)
    }
}

/// What an item mentions, kept for its taker; taken back if the item is not sent.
#[derive(Debug)]
#[must_use]
pub(crate) struct Kept(pub(super) Vec<Arc<Attachment>>);

impl Kept {
    /// Whether it mentions nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The item was sent.
    pub(crate) fn sent(mut self) {
        self.0.clear();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.iter().for_each(|attachment| exchange::take_back(attachment));
    }
}

/// Where the receiver finds what is mentioned: at a keeper, or where it was sent ahead.
pub(crate) type Origin = Option<Keeper>;

/// Notes that the value which is being encoded mentions an attachment; gives where its receiver will find it.
///
/// # Errors
/// When it cannot, in words for the user.
pub(crate) fn mention(attachment: &Arc<Attachment>) -> Result<Origin, String> {
    match ENCODING.get() {
        Encoding::Arguments | Encoding::Mentioning => {
            ENCODING.set(Encoding::Mentioning);
            MENTIONED.with_borrow_mut(|mentioned| {
                if mentioned.iter().all(|known| known.id() != attachment.id()) {
                    mentioned.push(attachment.clone());
                }
            });
            Ok(None)
        }
        Encoding::Item | Encoding::MentioningItem => {
            let keeper = exchange::keep(attachment).map_err(|error| error.to_string())?;
            ENCODING.set(Encoding::MentioningItem);
            MENTIONED.with_borrow_mut(|mentioned| mentioned.push(attachment.clone()));
            Ok(Some(keeper))
        }
        Encoding::Result if attachment.is_known_to_parent() => Ok(None),
        Encoding::Result => Err("shared data that was made in a worker cannot be its result: make it \
                                 in the program and pass it to the task, or return the values \
                                 themselves"
            .to_owned()),
        Encoding::Nothing => Err("shared data travels only with a task, in its arguments or its \
                                  result, or an item of a queue or a pipe: elsewhere encode the values \
                                  themselves"
            .to_owned()),
    }
}

/// Has something dropped when the arguments that are being encoded have arrived or never will, if arguments
/// are being encoded: when the task is over, or its process has ended.
pub(crate) fn guard<G: Any + Send + Sync>(make: impl FnOnce() -> G) {
    if let Encoding::Arguments | Encoding::Mentioning = ENCODING.get() {
        ENCODING.set(Encoding::Mentioning);
        let guard = Attachment::guard(Box::new(make()));
        MENTIONED.with_borrow_mut(|mentioned| mentioned.push(guard));
    }
}

/// Notes why a handle cannot be decoded, for the error of the value that it is in.
pub(crate) fn refuse(why: &str) {
    REFUSAL.set(Some(why.to_owned()));
}

/// Why the last handle could not be decoded, if that was not asked for since.
pub(super) fn take_refusal() -> Option<String> {
    REFUSAL.take()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment() -> Arc<Attachment> {
        Attachment::create(1, 4, &[], |bytes| bytes.fill(1)).unwrap()
    }

    #[test]
    fn what_is_mentioned_is_heard_once_by_the_innermost_listener() {
        let (one, other) = (attachment(), attachment());
        assert!(mention(&one).is_err());
        let outer = Listener::to_arguments();
        mention(&one).unwrap();
        mention(&one).unwrap();
        {
            let inner = Listener::to_arguments();
            mention(&other).unwrap();
            let heard = inner.heard();
            assert_eq!(heard.iter().map(|each| each.id()).collect::<Vec<_>>(), [other.id()]);
        }
        let heard = outer.heard();
        assert_eq!(heard.iter().map(|each| each.id()).collect::<Vec<_>>(), [one.id()]);
        drop(outer);
        assert!(mention(&one).is_err());
    }

    #[test]
    fn a_listener_that_is_dropped_forgets_what_it_did_not_hand_over() {
        let one = attachment();
        let listener = Listener::to_arguments();
        mention(&one).unwrap();
        drop(listener);
        assert_eq!(Arc::strong_count(&one), 1);
    }

    #[test]
    fn a_result_does_not_mention_what_was_made_by_its_own_process() {
        let one = attachment();
        let _listener = Listener::to_result();
        assert!(mention(&one).unwrap_err().contains("made in a worker"));
    }
}
