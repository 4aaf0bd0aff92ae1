//! What maps are over.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// An item of a map, its work, and how many words of memory it has.
pub(crate) trait Item:
    Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync + 'static
{
    const WORDS: u64;

    /// The item with this number.
    fn make(number: u64) -> Self;

    /// What is done with it.
    fn work(self) -> Self;
}

/// The work of an item, as a function that another process can be told of.
pub(crate) fn work_on<T: Item>(item: T) -> T {
    item.work()
}

/// The work of many items that travel together.
pub(crate) fn work_on_all<T: Item>(items: Vec<T>) -> Vec<T> {
    items.into_iter().map(T::work).collect()
}

/// So many items.
pub(crate) fn items<T: Item>(count: u64) -> Vec<T> {
    (0..count).map(T::make).collect()
}

/// Whether these are the results of so many items, in order.
pub(crate) fn is_right<T: Item>(count: u64, results: &[T]) -> bool {
    results.len() as u64 == count
        && (0..count).zip(results).all(|(number, result)| T::make(number).work() == *result)
}

impl Item for u64 {
    const WORDS: u64 = 1;

    fn make(number: u64) -> Self {
        number
    }

    fn work(self) -> Self {
        self.wrapping_mul(self)
    }
}

/// A small struct.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    id: u64,
    x: f64,
    y: f64,
}

impl Item for Point {
    const WORDS: u64 = 3;

    fn make(number: u64) -> Self {
        Self { id: number, x: number as f64, y: 0.5 }
    }

    fn work(self) -> Self {
        Self { id: self.id, x: self.y, y: self.x }
    }
}

/// A text of twenty letters: three words for itself and three for what it owns.
impl Item for String {
    const WORDS: u64 = 6;

    fn make(number: u64) -> Self {
        format!("item number {number:>8}")
    }

    fn work(mut self) -> Self {
        self.make_ascii_uppercase();
        self
    }
}
