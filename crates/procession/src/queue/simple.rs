//! A queue with nothing but both ends.

use super::{Item, Queue};
use procession_core::Result;
use serde::{Deserialize, Serialize};

/// A [`Queue`] with little more than `put` and `get`: Python's `SimpleQueue`.
///
/// ```
/// let queue = procession::SimpleQueue::new()?;
/// queue.put(&"one".to_owned())?;
/// assert_eq!(queue.get()?, "one");
/// assert!(queue.is_empty());
/// # Ok::<(), procession::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "T: Item")]
pub struct SimpleQueue<T>(Queue<T>);

impl<T: Item> SimpleQueue<T> {
    /// Makes an empty queue.
    ///
    /// # Errors
    /// As [`Queue::new`].
    pub fn new() -> Result<Self> {
        Queue::new().map(Self)
    }

    /// Puts an item. Never waits.
    ///
    /// # Errors
    /// As [`Queue::put`].
    pub fn put(&self, item: &T) -> Result<()> {
        self.0.put(item)
    }

    /// Takes the first item, waiting until there is one.
    ///
    /// # Errors
    /// As [`Queue::get`].
    pub fn get(&self) -> Result<T> {
        self.0.get()
    }

    /// Whether nothing lies in it; otherwise a moment later.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As [`Queue::close`].
    ///
    /// # Errors
    /// As [`Queue::close`].
    pub fn close(&self) -> Result<()> {
        self.0.close()
    }
}
