//! What travels to a worker and back: a call's argument and its result, either of which may break.

use crate::asked;
use crate::case::{Fault, Moment};
use crate::deeds::{hush, strike};
use crate::marks::{Mark, Marks};
use serde::de::{Error as _, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// What a value that breaks when it is dropped says.
pub(crate) const DROPPED: &str = "dropped badly";
/// What a value that cannot be encoded or decoded says.
pub(crate) const UNREADABLE: &str = "not to be read";

/// Where in a call the fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    Argument,
    Body,
    Result,
    /// In the result, when the parent looks at it.
    Parent,
}

impl Place {
    fn of(fault: Fault, moment: Moment) -> Self {
        match (fault, moment) {
            (Fault::DecodeArgument, _) => Self::Argument,
            (Fault::EncodeResult | Fault::ResultDrop, _) => Self::Result,
            (Fault::DecodeResult, _) => Self::Parent,
            (_, Moment::Reading) => Self::Argument,
            (_, Moment::WritingSmall | Moment::WritingHuge) => Self::Result,
            _ => Self::Body,
        }
    }
}

/// That something is to break, and what must have happened before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    fault: Fault,
    place: Place,
    marks: Marks,
    cue: Cue,
}

/// What a call waits for before it breaks.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Cue {
    /// Nothing.
    Now,
    /// A mark.
    Mark(Mark),
    /// The driver's sleep.
    DriverSleeps,
    /// SIGTERM, which does not end this process. If nothing else does, it ends soon after the fault.
    Asked { ends_soon: bool },
}

impl Order {
    pub(crate) fn new(fault: Fault, moment: Moment, marks: &Marks, cue: Cue) -> Self {
        Self { fault, place: Place::of(fault, moment), marks: marks.clone(), cue }
    }

    /// Waits for the cue.
    fn wait(&self) {
        hush(self.fault);
        match self.cue {
            Cue::Now => {}
            Cue::Mark(mark) => self.marks.meet(mark),
            Cue::DriverSleeps => self.marks.meet_sleep(),
            Cue::Asked { ends_soon } => {
                asked::listen();
                self.marks.leave(Mark::Listening);
                asked::wait();
                if ends_soon {
                    asked::end_soon();
                }
            }
        }
    }

    /// Waits for the cue, then breaks here and now.
    pub(crate) fn carry_out(&self) {
        self.wait();
        strike(self.fault);
    }

    fn is_for(&self, place: Place) -> bool {
        self.place == place && is_worker()
    }
}

fn is_worker() -> bool {
    procession::current_process().parent_pid().is_some()
}

/// An argument: a number to be given back, as many bytes more as are asked for, and perhaps an order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) number: u64,
    order: ArgumentTrap,
    answer_bytes: usize,
    // After the order: when that is read, most of a large argument is still to come.
    ballast: Ballast,
}

/// A result.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) number: u64,
    head: Ballast,
    order: ResultTrap,
    tail: Ballast,
}

impl Call {
    /// A call in which nothing breaks.
    pub(crate) fn harmless(number: u64) -> Self {
        Self { number, order: ArgumentTrap(None), answer_bytes: 0, ballast: Ballast::default() }
    }

    /// A call in which something does, with values as large as the moment says.
    pub(crate) fn with(number: u64, order: Order, moment: Moment) -> Self {
        let bytes = |large| if large { LARGE_BYTES } else { 0 };
        Self {
            number,
            order: ArgumentTrap(Some(order)),
            answer_bytes: bytes(moment == Moment::WritingHuge),
            ballast: Ballast::new(bytes(moment == Moment::Reading)),
        }
    }
}

/// Many times what fits into a ring.
const LARGE_BYTES: usize = 1 << 20;

/// What every call of the table calls.
pub(crate) fn obey(mut call: Call) -> Answer {
    let order = call.order.0.clone();
    match &order {
        Some(order) if order.is_for(Place::Body) => order.carry_out(),
        Some(order) if !order.is_for(Place::Argument) => order.wait(),
        _ => {}
    }
    let ballast = std::mem::take(&mut call.ballast);
    assert!(ballast.is_whole(), "an argument came as it was sent");
    let bytes = call.answer_bytes;
    Answer {
        number: call.number,
        head: Ballast::new(bytes),
        order: ResultTrap(order),
        tail: Ballast::new(bytes),
    }
}

impl Answer {
    /// Whether it came as it was sent.
    pub(crate) fn is_right(&self, number: u64) -> bool {
        self.number == number && self.head.is_whole() && self.tail.is_whole()
    }
}

/// An order in an argument.
#[derive(Debug)]
struct ArgumentTrap(Option<Order>);

impl Serialize for ArgumentTrap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ArgumentTrap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let order = Option::<Order>::deserialize(deserializer)?;
        if let Some(order) = order.as_ref().filter(|order| order.is_for(Place::Argument)) {
            order.carry_out();
            if order.fault == Fault::DecodeArgument {
                return Err(D::Error::custom(UNREADABLE));
            }
        }
        Ok(Self(order))
    }
}

impl Drop for ArgumentTrap {
    fn drop(&mut self) {
        if is_struck(self.0.as_ref(), Fault::ArgumentDrop) {
            panic!("{DROPPED}");
        }
    }
}

/// An order in a result.
#[derive(Debug)]
struct ResultTrap(Option<Order>);

impl Serialize for ResultTrap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(order) = self.0.as_ref().filter(|order| order.is_for(Place::Result)) {
            strike(order.fault);
            if order.fault == Fault::EncodeResult {
                return Err(S::Error::custom(UNREADABLE));
            }
        }
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ResultTrap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let order = Option::<Order>::deserialize(deserializer)?;
        if order.as_ref().is_some_and(|order| order.place == Place::Parent) {
            return Err(D::Error::custom(UNREADABLE));
        }
        Ok(Self(order))
    }
}

impl Drop for ResultTrap {
    fn drop(&mut self) {
        if is_struck(self.0.as_ref(), Fault::ResultDrop) {
            panic!("{DROPPED}");
        }
    }
}

/// Whether a value breaks when it is dropped: in a worker, once.
fn is_struck(order: Option<&Order>, fault: Fault) -> bool {
    order.is_some_and(|order| order.fault == fault && is_worker() && !std::thread::panicking())
}

/// Bytes that go nowhere.
#[derive(Debug, Default)]
struct Ballast(Vec<u8>);

impl Ballast {
    fn new(bytes: usize) -> Self {
        Self(vec![0xb5; bytes])
    }

    fn is_whole(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0xb5)
    }
}

impl Serialize for Ballast {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Ballast {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Ballast;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Ballast, E> {
                Ok(Ballast(bytes.to_vec()))
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}
