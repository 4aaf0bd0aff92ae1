//! The two ends of a pipe, and of what connects processes that are not related.

mod auth;
mod frames;
mod listener;

pub(crate) use frames::Frames as Dialled;
pub(crate) use listener::dial;
pub use listener::{Address, Client, Listener};

use crate::codec;
use crate::codec::mentions::guard;
use crate::queue::{Item, keep_scratch, take_scratch};
use crate::sync::place::{self, Object, Place, cannot};
use frames::Frames;
use procession_core::{Error, Result};
use procession_ipc::pipe as ipc;
use procession_ipc::queue::{Got, Put};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::any::type_name;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

const CANNOT_SEND: &str = "cannot send over a pipe";
const CANNOT_RECV: &str = "cannot receive over a pipe";

/// Address space that a pipe takes in each process, if there is so much.
const RESERVES: [usize; 3] = [1 << 32, 1 << 28, 1 << 24];

/// What is sent over an end that sends nothing: there is no value of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nothing {}

/// The end of a one-way [`pipe`](pipe_one_way) that receives.
pub type Receiver<T> = Connection<Nothing, T>;

/// The end of a one-way [`pipe`](pipe_one_way) that sends.
pub type Sender<T> = Connection<T, Nothing>;

/// Makes a pipe for both directions: Python's `Pipe()`. What one end sends the other receives; each may send
/// items of a type of its own.
///
/// ```
/// use procession::{Connection, Process, pipe};
///
/// fn upper(words: Connection<String, String>) -> procession::Result<()> {
///     while let Some(word) = words.recv_or_end()? {
///         words.send(&word.to_uppercase())?;
///     }
///     Ok(())
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let (here, there) = pipe::<String, String>()?;
///     let mut child = Process::new(upper, (there,));
///     child.start()?;
///     here.send(&"loud".to_owned())?;
///     assert_eq!(here.recv()?, "LOUD");
///     drop(here); // the other end learns of it
///     child.join()?
/// }
/// ```
///
/// # Errors
/// When the system is out of memory, address space or descriptors.
pub fn pipe<T: Item, U: Item>() -> Result<(Connection<T, U>, Connection<U, T>)> {
    let place = make()?;
    let there = Connection::of(place.clone(), 1)?;
    Ok((Connection::of(place, 0)?, there))
}

/// Makes a pipe for one direction: Python's `Pipe(duplex=False)`, the receiving end first, as there.
///
/// # Errors
/// As [`pipe`].
pub fn pipe_one_way<T: Item>() -> Result<(Receiver<T>, Sender<T>)> {
    pipe()
}

/// What the memory of a pipe is, whatever is sent over it.
struct Pipe(Place);

impl Object for Pipe {
    fn at_place(place: Place) -> std::result::Result<Self, String> {
        if ipc::End::fits(place.segment(), place.at(), place.bytes()) {
            Ok(Self(place))
        } else {
            Err("a shared pipe is cut off".to_owned())
        }
    }

    fn place(&self) -> &Place {
        &self.0
    }
}

/// Makes the memory of a pipe, with as much room as this process can have.
fn make() -> Result<Place> {
    let mut refusal = None;
    for reserve in RESERVES {
        match Place::new::<Pipe>(reserve) {
            Ok(place) => return Ok(place),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal.unwrap_or_else(|| Error::usage("no room for a pipe")))
}

/// One end of a [`pipe`], or of what a [`Listener`] and a [`Client`] have between them, over which items of type `S` are sent and of type `R` received: Python's
/// `Connection`.
///
/// A handle that is cloned, or passed to a task, is another handle of the same end, and each item goes to
/// exactly one of those who receive. Items lie in shared memory until they are received; sending never waits
/// for a receiver.
///
/// When the last handle of an end is gone, dropped or gone with its process, the other end receives what is
/// left, and is told then. A handle that was put into a queue whose items nobody takes keeps its end as long as this
/// process lives; so does one that a closure has captured which was [forked](crate::Process::fork): pass
/// it as an argument.
pub struct Connection<S, R> {
    way: Way,
    items: PhantomData<fn(S) -> R>,
}

/// Over what the items go.
enum Way {
    Pipe(PipeEnd),
    Stream(Arc<Frames>),
}

/// A handle of one end of a pipe.
struct PipeEnd {
    place: Place,
    end: ipc::End,
    /// Which of the two.
    number: u8,
}

impl Way {
    fn send(&self, item: &[u8], timeout: Option<Duration>) -> io::Result<Put> {
        match self {
            Self::Pipe(pipe) => pipe.end.send(item, timeout),
            Self::Stream(frames) => frames.send(item),
        }
    }

    fn recv(&self, item: &mut Vec<u8>, timeout: Option<Duration>) -> io::Result<Got> {
        match self {
            Self::Pipe(pipe) => pipe.end.recv(item, timeout),
            Self::Stream(frames) => frames.recv(item, timeout),
        }
    }

    fn poll(&self, timeout: Duration) -> io::Result<Got> {
        match self {
            Self::Pipe(pipe) => pipe.end.poll(Some(timeout)),
            Self::Stream(frames) => frames.poll(timeout),
        }
    }
}

impl<S: Item, R: Item> Connection<S, R> {
    fn of(place: Place, number: u8) -> Result<Self> {
        let end = ipc::End::new(place.roster(), place.at(), place.bytes(), number.into());
        end.holders().hold().map_err(cannot("cannot take part in a shared pipe"))?;
        Ok(Self { way: Way::Pipe(PipeEnd { place, end, number }), items: PhantomData })
    }

    fn over(frames: Frames) -> Self {
        Self { way: Way::Stream(Arc::new(frames)), items: PhantomData }
    }

    fn send_within(&self, item: &S, timeout: Option<Duration>) -> Result<bool> {
        let encoded = codec::encode_item(item, take_scratch());
        let (encoded, kept) = encoded.map_err(|error| Error::codec(error.to_string()))?;
        let put = self.way.send(&encoded, timeout).map_err(cannot(CANNOT_SEND));
        keep_scratch(encoded);
        match put? {
            Put::Done => {
                kept.sent();
                Ok(true)
            }
            Put::Full => Ok(false),
            Put::Closed => {
                Err(Error::closed("nobody has the other end of the connection any more"))
            }
            Put::TooLarge(most) => Err(Error::usage(format!(
                "an item that is sent over a pipe has at most {most} bytes, which this one exceeds"
            ))),
        }
    }

    fn recv_within(&self, timeout: Option<Duration>) -> Result<Option<R>> {
        let mut encoded = take_scratch();
        let got = self.way.recv(&mut encoded, timeout).map_err(cannot(CANNOT_RECV));
        let decoded = match got {
            Ok(Got::Item) => codec::decode_item::<R>(&encoded).map(Some),
            Ok(Got::Empty) => Ok(None),
            Ok(Got::Closed) => Err(Error::closed(
                "nobody has the other end of the connection any more, and nothing is left in it",
            )),
            Err(error) => Err(error),
        };
        keep_scratch(encoded);
        decoded
    }

    /// Sends an item. Waits only when the pipe's memory is full; woken when it has room again, or nobody has
    /// the other end any more.
    ///
    /// # Errors
    /// [`Error::is_closed`] when nobody has the other end any more; [`Error::is_codec`] when the item cannot
    /// be encoded; when it is larger than the pipe's memory, or this process cannot take part.
    pub fn send(&self, item: &S) -> Result<()> {
        while !self.send_within(item, None)? {}
        Ok(())
    }

    /// Receives the next item, waiting until there is one.
    ///
    /// Woken by whoever sends an item, and when the last handle of the other end is gone.
    ///
    /// # Errors
    /// [`Error::is_closed`] when nobody has the other end any more and nothing is left, Python's `EOFError`;
    /// [`Error::is_codec`] when the item cannot be decoded: it is taken then; when this process cannot take
    /// part, or has no memory for it.
    pub fn recv(&self) -> Result<R> {
        loop {
            if let Some(item) = self.recv_within(None)? {
                return Ok(item);
            }
        }
    }

    /// As [`recv`](Self::recv); `None` when nobody has the other end any more and nothing is left.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), but for that.
    pub fn recv_or_end(&self) -> Result<Option<R>> {
        match self.recv() {
            Err(error) if error.is_closed() => Ok(None),
            received => received.map(Some),
        }
    }

    /// As [`recv`](Self::recv), waiting for at most so long; `None` when there was nothing.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<R>> {
        self.recv_within(Some(timeout))
    }

    /// As [`recv`](Self::recv), without waiting; `None` when there is nothing.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<Option<R>> {
        self.recv_within(Some(Duration::ZERO))
    }

    /// Waits until there is an item to receive, for at most so long; whether there is one, or the other end
    /// is gone: then [`recv`](Self::recv) does not wait, unless somebody else is faster. Woken by either.
    ///
    /// # Errors
    /// When this process cannot take part.
    pub fn poll(&self, timeout: Duration) -> Result<bool> {
        let got = self.way.poll(timeout).map_err(cannot(CANNOT_RECV))?;
        Ok(got != Got::Empty)
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.end.let_go();
    }
}

impl Clone for PipeEnd {
    fn clone(&self) -> Self {
        // This process has one already, so it takes part and has a place.
        let _ = self.end.holders().hold();
        Self { place: self.place.clone(), end: self.end.clone(), number: self.number }
    }
}

impl<S, R> Clone for Connection<S, R> {
    /// Another handle of the same end.
    fn clone(&self) -> Self {
        let way = match &self.way {
            Way::Pipe(pipe) => Way::Pipe(pipe.clone()),
            Way::Stream(frames) => Way::Stream(frames.clone()),
        };
        Self { way, items: PhantomData }
    }
}

impl<S, R> fmt::Debug for Connection<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("sends", &type_name::<S>())
            .field("receives", &type_name::<R>())
            .finish_non_exhaustive()
    }
}

/// A handle that was sent, as long as it may still arrive.
struct OnItsWay(#[expect(dead_code, reason = "it keeps the memory")] Place, ipc::End);

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.1.note_over();
    }
}

/// A handle on its way: who has sent it, which end it is, and the memory.
#[derive(Serialize, Deserialize)]
struct Sent {
    sender: u32,
    number: u8,
    /// What is sent and received over it.
    types: (u64, u64),
}

impl<S: Item, R: Item> Connection<S, R> {
    fn types() -> (u64, u64) {
        (crate::shared::tag_of::<S>(), crate::shared::tag_of::<R>())
    }
}

impl<S: Item, R: Item> Serialize for Connection<S, R> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> std::result::Result<Z::Ok, Z::Error> {
        let Way::Pipe(pipe) = &self.way else {
            return Err(Z::Error::custom(
                "a connection of a listener stays in its process: pass its address, and connect there",
            ));
        };
        let sender = pipe.end.holders().note_sent().map_err(Z::Error::custom)?;
        guard(|| OnItsWay(pipe.place.clone(), pipe.end.clone()));
        let sent = Sent { sender, number: pipe.number, types: Self::types() };
        (sent, place::Mention(&Pipe(pipe.place.clone()))).serialize(serializer)
    }
}

impl<'de, S: Item, R: Item> Deserialize<'de> for Connection<S, R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let (sent, place::Found(Pipe(place))) =
            <(Sent, place::Found<Pipe>)>::deserialize(deserializer)?;
        let another = || "what was sent as an end of a pipe is something else".to_owned();
        if sent.types != Self::types() || sent.number > 1 {
            return Err(place::refuse(&another()));
        }
        let end = ipc::End::new(place.roster(), place.at(), place.bytes(), sent.number.into());
        let arrived = end.holders().note_arrived(sent.sender);
        arrived.map_err(|error| place::refuse(&error.to_string()))?;
        let pipe = PipeEnd { place, end, number: sent.number };
        Ok(Self { way: Way::Pipe(pipe), items: PhantomData })
    }
}
