//! Shared data that a value mentions while it is encoded.
//!
//! serde hands a value's `Serialize` nothing but the serializer. So what a handle of shared data has to
//! say while it is encoded goes by the thread: the codec listens around each encoding, and takes what it
//! heard with the bytes.

use procession_core::attachment::Attachment;
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

    #[inline]
    fn start(encoding: Encoding) -> Self {
        let outer = ENCODING.replace(encoding);
        let outer_mentioned =
            if outer == Encoding::Mentioning { MENTIONED.take() } else { Vec::new() };
        Self { outer, outer_mentioned }
    }

    /// What was mentioned.
    #[inline]
    pub(super) fn heard(&self) -> Vec<Arc<Attachment>> {
        if ENCODING.get() == Encoding::Mentioning { MENTIONED.take() } else { Vec::new() }
    }
}

impl Drop for Listener {
    #[inline]
    fn drop(&mut self) {
        if ENCODING.replace(self.outer) == Encoding::Mentioning {
            MENTIONED.take();
        }
        if self.outer == Encoding::Mentioning {
            MENTIONED.set(std::mem::take(&mut self.outer_mentioned));
        }
    }
}

/// Notes that the value which is being encoded mentions an attachment.
///
/// # Errors
/// When it cannot, in words for the user.
pub(crate) fn mention(attachment: &Arc<Attachment>) -> Result<(), &'static str> {
    match ENCODING.get() {
        Encoding::Arguments | Encoding::Mentioning => {
            ENCODING.set(Encoding::Mentioning);
            MENTIONED.with_borrow_mut(|mentioned| {
                if mentioned.iter().all(|known| known.id() != attachment.id()) {
                    mentioned.push(attachment.clone());
                }
            });
            Ok(())
        }
        Encoding::Result if attachment.is_known_to_parent() => Ok(()),
        Encoding::Result => {
            Err("shared data that was made in a worker cannot be its result: make it \
                                 in the program and pass it to the task, or return the values \
                                 themselves")
        }
        Encoding::Nothing => Err("shared data travels only with a task, in its arguments or its \
                                  result: elsewhere encode the values themselves"),
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
