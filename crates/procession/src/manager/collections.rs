//! Ready-made objects of a manager.

use super::proxy::Proxy;
use crate::codec;
use crate::queue::Item;
use procession_core::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;

/// A dictionary in a [`Manager`](crate::Manager): Python's `DictProxy`. What else can be done with a `HashMap` is done
/// by [`Proxy::call`] of its [`proxy`](Self::proxy).
///
/// ```
/// use procession::Manager;
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let manager = Manager::new()?;
///     let ages = manager.dict::<String, u32>()?;
///     ages.insert("ada".to_owned(), 36)?;
///     assert_eq!(ages.get("ada".to_owned())?, Some(36));
///     ages.proxy().call(|ages: &mut std::collections::HashMap<String, u32>, by: u32| {
///         ages.values_mut().for_each(|age| *age += by);
///     }, (1,))?;
///     assert_eq!(ages.items()?, [("ada".to_owned(), 37)]);
///     Ok(())
/// }
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "K: Key, V: Value")]
pub struct DictProxy<K, V>(pub(super) Proxy<HashMap<K, V>>);

/// A list in a [`Manager`](crate::Manager): Python's `ListProxy`. What else can be done with a `Vec` is done by
/// [`Proxy::call`] of its [`proxy`](Self::proxy).
///
/// ```
/// use procession::Manager;
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let manager = Manager::new()?;
///     let words = manager.list::<String>()?;
///     words.push("two".to_owned())?;
///     words.insert(0, "one".to_owned())?;
///     assert_eq!(words.to_vec()?, ["one", "two"]);
///     words.proxy().call(|words: &mut Vec<String>| words.sort(), ())?;
///     assert_eq!(words.get(5)?, None);
///     Ok(())
/// }
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "T: Value")]
pub struct ListProxy<T>(pub(super) Proxy<Vec<T>>);

/// Values of any types under names, in a [`Manager`](crate::Manager): Python's `Namespace`.
///
/// ```
/// use procession::Manager;
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let manager = Manager::new()?;
///     let settings = manager.namespace()?;
///     settings.set("depth", &3_u8)?;
///     settings.set("title", &"tree".to_owned())?;
///     assert_eq!(settings.get::<u8>("depth")?, Some(3));
///     assert_eq!(settings.names()?, ["depth", "title"]);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Namespace(pub(super) Proxy<BTreeMap<String, Vec<u8>>>);

/// What can be a key.
trait Key: Item + Hash + Eq + Send + Sync {}
impl<K: Item + Hash + Eq + Send + Sync> Key for K {}

/// What can be a value: it is copied to whoever asks for it.
trait Value: Item + Clone + Send + Sync {}
impl<V: Item + Clone + Send + Sync> Value for V {}

impl<K, V> Clone for DictProxy<K, V> {
    /// Another handle of the same dictionary.
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Clone for ListProxy<T> {
    /// Another handle of the same list.
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> fmt::Debug for DictProxy<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> fmt::Debug for ListProxy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Every call fails as [`Proxy::call`] does.
#[expect(clippy::missing_errors_doc, reason = "said once for all")]
impl<K: Item + Hash + Eq + Send + Sync, V: Item + Clone + Send + Sync> DictProxy<K, V> {
    /// The object.
    pub fn proxy(&self) -> &Proxy<HashMap<K, V>> {
        &self.0
    }

    /// The value of a key.
    pub fn get(&self, key: K) -> Result<Option<V>> {
        self.0.call(|dict: &HashMap<K, V>, key: K| dict.get(&key).cloned(), (key,))
    }

    /// Sets the value of a key; what it was.
    pub fn insert(&self, key: K, value: V) -> Result<Option<V>> {
        self.0.call(HashMap::insert, (key, value))
    }

    /// Takes a key out, with its value.
    pub fn remove(&self, key: K) -> Result<Option<V>> {
        self.0.call(|dict: &mut HashMap<K, V>, key: K| dict.remove(&key), (key,))
    }

    /// The value of a key, which is this one from now on if there was none. (`setdefault`.)
    pub fn get_or_insert(&self, key: K, value: V) -> Result<V> {
        let get = |dict: &mut HashMap<K, V>, key, value| dict.entry(key).or_insert(value).clone();
        self.0.call(get, (key, value))
    }

    /// Whether there is this key.
    pub fn contains_key(&self, key: K) -> Result<bool> {
        self.0.call(|dict: &HashMap<K, V>, key: K| dict.contains_key(&key), (key,))
    }

    /// How many keys there are.
    pub fn len(&self) -> Result<usize> {
        self.0.call(|dict: &HashMap<K, V>| dict.len(), ())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> Result<bool> {
        self.0.call(|dict: &HashMap<K, V>| dict.is_empty(), ())
    }

    /// All keys, in any order.
    pub fn keys(&self) -> Result<Vec<K>>
    where
        K: Clone,
    {
        self.0.call(|dict: &HashMap<K, V>| dict.keys().cloned().collect::<Vec<_>>(), ())
    }

    /// All values, in any order.
    pub fn values(&self) -> Result<Vec<V>> {
        self.0.call(|dict: &HashMap<K, V>| dict.values().cloned().collect::<Vec<_>>(), ())
    }

    /// All keys with their values, in any order.
    pub fn items(&self) -> Result<Vec<(K, V)>>
    where
        K: Clone,
    {
        let items = |dict: &HashMap<K, V>| {
            dict.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>()
        };
        self.0.call(items, ())
    }

    /// Sets the values of many keys at once.
    pub fn extend(&self, items: impl IntoIterator<Item = (K, V)>) -> Result<()> {
        let extend = |dict: &mut HashMap<K, V>, items: Vec<(K, V)>| dict.extend(items);
        self.0.call(extend, (items.into_iter().collect(),))
    }

    /// Takes everything out.
    pub fn clear(&self) -> Result<()> {
        self.0.call(|dict: &mut HashMap<K, V>| dict.clear(), ())
    }
}

/// Every call fails as [`Proxy::call`] does.
#[expect(clippy::missing_errors_doc, reason = "said once for all")]
impl<T: Item + Clone + Send + Sync> ListProxy<T> {
    /// The object.
    pub fn proxy(&self) -> &Proxy<Vec<T>> {
        &self.0
    }

    /// The item at this index.
    pub fn get(&self, index: usize) -> Result<Option<T>> {
        self.0.call(|list: &Vec<T>, index: usize| list.get(index).cloned(), (index,))
    }

    /// Sets the item at this index; what it was, or `None` if there is none.
    pub fn set(&self, index: usize, item: T) -> Result<Option<T>> {
        let set = |list: &mut Vec<T>, index: usize, item: T| {
            list.get_mut(index).map(|place| std::mem::replace(place, item))
        };
        self.0.call(set, (index, item))
    }

    /// Puts an item at the end.
    pub fn push(&self, item: T) -> Result<()> {
        self.0.call(Vec::push, (item,))
    }

    /// Takes the last item.
    pub fn pop(&self) -> Result<Option<T>> {
        self.0.call(Vec::pop, ())
    }

    /// Puts an item before the one at this index, or at the end if there are not so many.
    pub fn insert(&self, index: usize, item: T) -> Result<()> {
        let insert =
            |list: &mut Vec<T>, index: usize, item: T| list.insert(index.min(list.len()), item);
        self.0.call(insert, (index, item))
    }

    /// Takes the item at this index; `None` if there is none.
    pub fn remove(&self, index: usize) -> Result<Option<T>> {
        let remove =
            |list: &mut Vec<T>, index: usize| (index < list.len()).then(|| list.remove(index));
        self.0.call(remove, (index,))
    }

    /// Puts items at the end.
    pub fn extend(&self, items: impl IntoIterator<Item = T>) -> Result<()> {
        let extend = |list: &mut Vec<T>, items: Vec<T>| list.extend(items);
        self.0.call(extend, (items.into_iter().collect(),))
    }

    /// How many items there are.
    pub fn len(&self) -> Result<usize> {
        self.0.call(|list: &Vec<T>| list.len(), ())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> Result<bool> {
        self.0.call(|list: &Vec<T>| list.is_empty(), ())
    }

    /// All items.
    pub fn to_vec(&self) -> Result<Vec<T>> {
        self.0.call(|list: &Vec<T>| list.clone(), ())
    }

    /// Takes everything out.
    pub fn clear(&self) -> Result<()> {
        self.0.call(|list: &mut Vec<T>| list.clear(), ())
    }
}

type Names = BTreeMap<String, Vec<u8>>;

/// Every call fails as [`Proxy::call`] does.
#[expect(clippy::missing_errors_doc, reason = "said once for all")]
impl Namespace {
    /// Sets the value of a name.
    pub fn set<T: Item>(&self, name: &str, value: &T) -> Result<()> {
        let encoded = codec::encode_item(value, Vec::new());
        let (encoded, kept) = encoded.map_err(|error| Error::codec(error.to_string()))?;
        if !kept.is_empty() {
            return Err(Error::codec("a namespace has values, and no handles of shared objects"));
        }
        let set = |names: &mut Names, name: String, value: Vec<u8>| drop(names.insert(name, value));
        self.0.call(set, (name.to_owned(), encoded))
    }

    /// The value of a name, as a `T`. Of a name that was set to another type it is an error, or nonsense if
    /// the bytes mean something as a `T`.
    pub fn get<T: Item>(&self, name: &str) -> Result<Option<T>> {
        let get = |names: &Names, name: String| names.get(&name).cloned();
        let found = self.0.call(get, (name.to_owned(),))?;
        found.map(|bytes| codec::decode_item(&bytes)).transpose()
    }

    /// Takes a name out; whether it was there.
    pub fn remove(&self, name: &str) -> Result<bool> {
        let remove = |names: &mut Names, name: String| names.remove(&name).is_some();
        self.0.call(remove, (name.to_owned(),))
    }

    /// All names, in order.
    pub fn names(&self) -> Result<Vec<String>> {
        self.0.call(|names: &Names| names.keys().cloned().collect::<Vec<_>>(), ())
    }
}
