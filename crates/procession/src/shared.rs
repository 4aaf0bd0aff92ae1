//! A value that every worker is sent once.

use crate::codec::mentions::{self, mention};
use crate::codec::{self, CodecError};
use procession_core::attachment::{self, Attachment, FaceValue, Unknown};
use procession_core::payload::{Input, Output};
use procession_core::{Error, Result};
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::any::{TypeId, type_name};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A value that is encoded once, sent to each worker process once, and decoded there once, however many
/// tasks have it: what they all need to know.
///
/// It is an argument like any other, alone or inside of others, and is as cheap as a number there.
/// Cloning it costs nothing. In the program it is the value that was put; in a worker process it is a
/// decoded copy that all tasks and threads there share, from the first task on that has it until the
/// program has dropped its last handle and no task has one that waits or runs. Changes that its type
/// allows inside (a lock, an atomic) stay in their process. A task may hand on what it got: to a pool of
/// its own, and back as its result.
///
/// It may have a [`SharedSlice`](crate::SharedSlice) inside, which is not decoded, nor copied, at all.
/// On the threads of a [`ThreadPool`](crate::ThreadPool) it is simply shared.
///
/// Costs, besides the value in each process, its encoded bytes in shared memory, and a descriptor and a
/// mapping of them in every process that has it.
///
/// ```
/// use procession::{Pool, Shared};
/// use std::collections::HashMap;
///
/// type Dictionary = HashMap<String, usize>;
///
/// fn look_up(words: Shared<Dictionary>, word: &str) -> Option<usize> {
///     words.get(word).copied()
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let words = Shared::new(Dictionary::from([("one".to_owned(), 1), ("two".to_owned(), 2)]))?;
///     let pool = Pool::new(2)?;
///     let call = |words, word: String| look_up(words, &word);
///     assert_eq!(pool.apply(call, (words.clone(), "two".to_owned()))?, Some(2));
///     Ok(())
/// }
/// ```
pub struct Shared<T> {
    attachment: Arc<Attachment>,
    value: Arc<T>,
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Shared<T> {
    /// Encodes a value and puts it into shared memory.
    ///
    /// # Errors
    /// When it cannot be encoded, or the system is out of memory or descriptors.
    pub fn new(value: T) -> Result<Self> {
        let mut output = Output::new(Vec::new(), None);
        codec::encode_argument(&value, &mut output)
            .map_err(|error| Error::codec(error.to_string()))?;
        let nested = std::mem::take(output.attachments());
        let bytes = std::mem::take(output.bytes());
        let fill = |shared: &mut [u8]| shared.copy_from_slice(&bytes);
        let attachment = Attachment::create(tag_of::<Self>(), bytes.len(), &nested, fill);
        let attachment = attachment
            .map_err(|source| Error::system("cannot put a value into shared memory", source))?;
        let value: FaceValue = Arc::new(value);
        let value = attachment.value::<CodecError>(|| Ok(value));
        let value = value.map_err(|error| Error::codec(error.to_string()))?;
        Self::of(attachment, value).map_err(Error::codec)
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    fn of(attachment: Arc<Attachment>, value: FaceValue) -> std::result::Result<Self, String> {
        match value.downcast() {
            Ok(value) => Ok(Self { attachment, value }),
            Err(_) => Err(another_type::<Self>()),
        }
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Shared<T> {
    /// The handle of an attachment that somebody mentions.
    fn find(id: u64) -> std::result::Result<Self, String> {
        let attachment = found::<Self>(id)?;
        let decode = || -> std::result::Result<FaceValue, CodecError> {
            let mut input = Input::Slice(attachment.contents());
            let value = codec::decode_value::<T>(&mut input)?;
            codec::finish::<T>(&input)?;
            Ok(Arc::new(value))
        };
        let value = attachment.value(decode).map_err(|error| error.to_string())?;
        Self::of(attachment, value)
    }
}

impl<T> Clone for Shared<T> {
    /// Another handle of the same value.
    fn clone(&self) -> Self {
        Self { attachment: self.attachment.clone(), value: self.value.clone() }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> AsRef<T> for Shared<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&self.value).finish()
    }
}

impl<T> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        mention(&self.attachment).map_err(S::Error::custom)?;
        serializer.serialize_u64(self.attachment.id())
    }
}

impl<'de, T: DeserializeOwned + Send + Sync + 'static> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::find(u64::deserialize(deserializer)?).map_err(|why| {
            mentions::refuse(&why);
            D::Error::custom(why)
        })
    }
}

/// What tells the contents of an attachment of one type from those of another, in all processes of one
/// build.
pub(crate) fn tag_of<T: 'static>() -> u64 {
    // Its keys are fixed, unlike those of a map.
    let mut hasher = DefaultHasher::new();
    TypeId::of::<T>().hash(&mut hasher);
    hasher.finish()
}

/// The attachment that a handle of type `T` mentions.
pub(crate) fn found<T: 'static>(id: u64) -> std::result::Result<Arc<Attachment>, String> {
    let attachment = attachment::find(id).map_err(|unknown| match unknown {
        Unknown::Id => format!(
            "no shared data of this process has the id {id:#x} that was sent for a `{}`: its last \
             handle is gone, or it was never here",
            type_name::<T>()
        ),
        Unknown::Lost(why) => format!("the shared data of a `{}` is lost: {why}", type_name::<T>()),
    })?;
    if attachment.tag() == tag_of::<T>() { Ok(attachment) } else { Err(another_type::<T>()) }
}

#[cold]
fn another_type<T>() -> String {
    format!("the shared data that was sent for a `{}` is of another type", type_name::<T>())
}
