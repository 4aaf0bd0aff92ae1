//! Values on their way between processes.

mod joinable;
mod simple;

pub use joinable::JoinableQueue;
pub use simple::SimpleQueue;

use crate::codec;
use crate::sync::place::{Object, Place, cannot, travels};
use procession_core::{Error, Result};
use procession_ipc::queue::{self as ipc, Got, Put, QUEUE_BYTES};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::type_name;
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

const CANNOT_PUT: &str = "cannot put into a shared queue";
const CANNOT_GET: &str = "cannot take from a shared queue";

/// Address space that a queue takes in each process, if there is so much; only what lies in it takes
/// memory.
const RESERVES: [usize; 4] = [1 << 36, 1 << 32, 1 << 28, 1 << 24];

/// Memory of a thread for one item is kept up to this size.
const SCRATCH_BYTES_MAX: usize = 1 << 20;

thread_local! {
    /// One item, encoded.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A value that can lie in a queue or a pipe. Implemented for all that qualify.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot lie in a queue between processes",
    note = "an item implements `serde::Serialize` and `serde::de::DeserializeOwned`, and borrows nothing"
)]
pub trait Item: Serialize + DeserializeOwned + 'static {}

impl<T: Serialize + DeserializeOwned + 'static> Item for T {}

/// A queue that any number of processes and threads put items into and take items from: Python's `Queue`.
///
/// A handle that is cloned, or passed to a task, is another handle of the same queue. Items are encoded in
/// the thread that puts and decoded in the thread that takes; each goes to exactly one taker, in the order
/// in which they were put. They lie in shared memory, which grows with them: nobody writes them out of a
/// buffer of its own later, so nothing is lost when a process ends, and no process waits at its end for
/// somebody to take them.
///
/// If a process dies, however it dies, everybody else goes on: an item is put whole or not at all, and what
/// was not taken stays for the others.
///
/// ```
/// use procession::{Process, Queue};
///
/// fn square(numbers: Queue<u64>, squares: Queue<u64>) -> procession::Result<()> {
///     for number in numbers.iter() {
///         squares.put(&number?.pow(2))?;
///     }
///     squares.close()
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let (numbers, squares) = (Queue::new()?, Queue::bounded(8)?);
///     let mut worker = Process::new(square, (numbers.clone(), squares.clone()));
///     worker.start()?;
///     for number in 1..=4 {
///         numbers.put(&number)?;
///     }
///     numbers.close()?;
///     let squares: Vec<_> = squares.iter().collect::<procession::Result<_>>()?;
///     assert_eq!(squares, [1, 4, 9, 16]);
///     worker.join()?
/// }
/// ```
pub struct Queue<T> {
    place: Place,
    queue: ipc::Queue,
    item: PhantomData<fn(T) -> T>,
}

impl<T: Item> Object for Queue<T> {
    fn at_place(place: Place) -> std::result::Result<Self, String> {
        if !ipc::Queue::fits(place.segment(), place.at()) {
            return Err("a shared queue is cut off".to_owned());
        }
        let queue = ipc::Queue::new(place.roster().clone(), place.at());
        Ok(Self { place, queue, item: PhantomData })
    }

    fn place(&self) -> &Place {
        &self.place
    }
}

travels!(Queue<T: Item>);

impl<T> Clone for Queue<T> {
    /// Another handle of the same queue.
    fn clone(&self) -> Self {
        Self { place: self.place.clone(), queue: self.queue.clone(), item: PhantomData }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("items", &type_name::<T>())
            .field("qsize", &self.qsize())
            .finish_non_exhaustive()
    }
}

/// Makes the memory of a queue, with as much room as this process can have.
fn make<T: Item>() -> Result<Queue<T>> {
    let mut refusal = None;
    for reserve in RESERVES {
        match Place::new::<Queue<T>>(reserve) {
            Ok(place) => return Queue::at_place(place).map_err(Error::usage),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal.unwrap_or_else(|| Error::usage("no room for a queue")))
}

const _: () = assert!(QUEUE_BYTES < RESERVES[3]);

impl<T: Item> Queue<T> {
    /// Makes an empty queue that holds any number of items, as far as there is memory.
    ///
    /// # Errors
    /// When the system is out of memory, address space or descriptors.
    pub fn new() -> Result<Self> {
        make()
    }

    /// Makes an empty queue that holds at most so many items; who puts more waits. (`Queue(maxsize)`.) Of 0
    /// it holds any number, as in Python.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn bounded(maxsize: usize) -> Result<Self> {
        let made = make::<T>()?;
        made.queue.begin(maxsize as u64);
        Ok(made)
    }

    fn put_within(&self, item: &T, timeout: Option<Duration>) -> Result<bool> {
        // Not borrowed while the item is encoded: its `Serialize` may put something itself.
        let encoded = codec::encode_item(item, take_scratch());
        let (encoded, kept) = encoded.map_err(|error| Error::codec(error.to_string()))?;
        let put = self.queue.put(&encoded, timeout).map_err(cannot(CANNOT_PUT));
        keep_scratch(encoded);
        match put? {
            Put::Done => {
                kept.sent();
                Ok(true)
            }
            Put::Full => Ok(false),
            Put::Closed => {
                Err(Error::closed("the queue is closed: nothing more can be put into it"))
            }
            Put::TooLarge(most) => Err(Error::usage(format!(
                "an item of a queue has at most {most} bytes, which this one exceeds"
            ))),
        }
    }

    fn get_within(&self, timeout: Option<Duration>) -> Result<Option<T>> {
        let mut encoded = take_scratch();
        let got = self.queue.get(&mut encoded, timeout).map_err(cannot(CANNOT_GET));
        let decoded = match got {
            Ok(Got::Item) => codec::decode_item::<T>(&encoded).map(Some),
            Ok(Got::Empty) => Ok(None),
            Ok(Got::Closed) => Err(Error::closed("the queue is closed, and nothing is left in it")),
            Err(error) => Err(error),
        };
        keep_scratch(encoded);
        decoded
    }

    /// Puts an item, waiting for room if the queue is bounded and full.
    ///
    /// Woken by whoever takes an item, and by [`close`](Self::close).
    ///
    /// # Errors
    /// [`Error::is_closed`] when the queue is closed; [`Error::is_codec`] when the item cannot be encoded;
    /// when it is larger than the queue's memory, or this process cannot take part.
    pub fn put(&self, item: &T) -> Result<()> {
        while !self.put_within(item, None)? {}
        Ok(())
    }

    /// As [`put`](Self::put), waiting for room for at most so long; `false` when there was none.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_timeout(&self, item: &T, timeout: Duration) -> Result<bool> {
        self.put_within(item, Some(timeout))
    }

    /// As [`put`](Self::put), without waiting for room; `false` when there was none. (`put_nowait`.)
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn try_put(&self, item: &T) -> Result<bool> {
        self.put_within(item, Some(Duration::ZERO))
    }

    /// Takes the first item, waiting until there is one.
    ///
    /// Woken by whoever puts an item, and by [`close`](Self::close). If all who might put something are gone,
    /// and none of them has closed the queue, it waits for ever: they may come back.
    ///
    /// # Errors
    /// [`Error::is_closed`] when the queue is closed and nothing is left in it; [`Error::is_codec`] when the
    /// item cannot be decoded: it is taken then; when this process cannot take part, or has no memory for
    /// it.
    pub fn get(&self) -> Result<T> {
        loop {
            if let Some(item) = self.get_within(None)? {
                return Ok(item);
            }
        }
    }

    /// As [`get`](Self::get), waiting for at most so long; `None` when there was nothing.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_timeout(&self, timeout: Duration) -> Result<Option<T>> {
        self.get_within(Some(timeout))
    }

    /// As [`get`](Self::get), without waiting; `None` when there was nothing. (`get_nowait`.)
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn try_get(&self) -> Result<Option<T>> {
        self.get_within(Some(Duration::ZERO))
    }

    /// Takes items until the queue is closed and nothing is left in it.
    pub fn iter(&self) -> QueueIter<'_, T> {
        QueueIter(self)
    }

    /// Closes the queue, for all who have it: nothing more can be put, and when nothing is left in it,
    /// whoever takes is told. What is in it stays. Again, it does nothing.
    ///
    /// # Errors
    /// When this process cannot take part.
    pub fn close(&self) -> Result<()> {
        self.queue.close().map_err(cannot("cannot close a shared queue"))
    }

    /// Whether it was [closed](Self::close).
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

impl<T> Queue<T> {
    /// How many items lie in it; another number a moment later.
    pub fn qsize(&self) -> usize {
        usize::try_from(self.queue.len()).unwrap_or(usize::MAX)
    }

    /// Whether nothing lies in it; otherwise a moment later.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether as many items lie in it as may; otherwise a moment later.
    pub fn is_full(&self) -> bool {
        self.queue.is_full()
    }
}

/// Memory for an item of this thread's.
pub(crate) fn take_scratch() -> Vec<u8> {
    SCRATCH.take()
}

/// Keeps the memory of an item for the next one of this thread.
pub(crate) fn keep_scratch(encoded: Vec<u8>) {
    if encoded.capacity() <= SCRATCH_BYTES_MAX {
        SCRATCH.set(encoded);
    }
}

/// Takes items from a [`Queue`]; see [`Queue::iter`].
#[derive(Debug)]
pub struct QueueIter<'a, T>(&'a Queue<T>);

impl<T: Item> Iterator for QueueIter<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        match self.0.get() {
            Err(error) if error.is_closed() => None,
            got => Some(got),
        }
    }
}

impl<'a, T: Item> IntoIterator for &'a Queue<T> {
    type Item = Result<T>;
    type IntoIter = QueueIter<'a, T>;

    fn into_iter(self) -> QueueIter<'a, T> {
        self.iter()
    }
}
