//! What a task does, and so what may become of it.

use crate::tally::Kind;
use procession::{Error, Shared, SharedSlice};
use procession_testing::{Random, send};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::time::Duration;

/// Exit code of a task that exits.
pub(crate) const EXIT_CODE: i32 = 17;
/// Message of a task that panics.
const PANIC: &str = "as asked";
/// Most bytes of a payload that is common, and of one that is not.
const BYTES_MAX: u64 = 256 << 10;
const HUGE_BYTES_MAX: u64 = 16 << 20;

/// One task: its number, and what it does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) ticket: u64,
    pub(crate) deed: Deed,
}

/// What a task does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Deed {
    /// A tiny one.
    Square(u64),
    /// Gives back what it was given.
    Echo(Vec<u8>),
    /// Makes so many bytes from nothing.
    Fill(u64),
    /// Takes bytes and gives a number.
    Sum(Vec<u8>),
    /// Sleeps for so many microseconds.
    Nap(u64),
    /// Reads what is shared with all.
    Read(SharedSlice<u64>, Shared<String>),
    /// Gets an argument of this kind.
    Take(Token),
    /// Returns a value of this kind.
    Return(u8),
    Panic,
    /// Panics with something that is no text.
    PanicOddly,
    Exit,
    Abort,
    Kill,
}

/// What became of a task: its number, and its value.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    ticket: u64,
    value: Value,
}

impl Answer {
    /// The number of its task.
    pub(crate) fn ticket(&self) -> u64 {
        self.ticket
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Value {
    Number(u64),
    Bytes(Vec<u8>),
    Token(Token),
}

/// A value that cannot be encoded, or not be decoded, or can.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Token(u8);

const UNWRITABLE: u8 = 0;
const UNREADABLE: u8 = 1;

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == UNWRITABLE {
            return Err(ser::Error::custom("cannot be written"));
        }
        serializer.serialize_u8(self.0)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            UNREADABLE => Err(de::Error::custom("cannot be read")),
            token => Ok(Self(token)),
        }
    }
}

/// What many tasks share.
#[derive(Debug, Clone)]
pub(crate) struct Commons {
    pub(crate) slice: SharedSlice<u64>,
    pub(crate) text: Shared<String>,
}

impl Commons {
    pub(crate) fn new(random: &mut Random) -> procession::Result<Self> {
        let items: Vec<u64> = (0..1 + random.below(50_000)).collect();
        let text = "common ".repeat(random.below(10_000) as usize);
        Ok(Self { slice: SharedSlice::new(&items)?, text: Shared::new(text)? })
    }
}

/// What the tasks of a pool may do to each other, and what is done to the pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// Tasks run on threads of this program: nothing is encoded, and none may end its process.
    pub(crate) here: bool,
    /// Several tasks run in one process.
    pub(crate) shared: bool,
    /// Workers are killed.
    pub(crate) bullied: bool,
}

impl Deed {
    /// Chooses one that does no harm to the program.
    pub(crate) fn choose(random: &mut Random, terms: Terms, commons: &Commons) -> Self {
        match random.below(1_000) {
            0..560 => Self::Square(random.below(1 << 20)),
            560..650 => Self::Echo(bytes(random, BYTES_MAX)),
            650..655 => Self::Echo(bytes(random, HUGE_BYTES_MAX)),
            655..660 => Self::Fill(random.below(HUGE_BYTES_MAX)),
            660..665 => Self::Sum(bytes(random, HUGE_BYTES_MAX)),
            665..770 => Self::Nap(random.below(3_000)),
            770..776 => Self::Nap(random.below(300_000)),
            776..860 => Self::Read(commons.slice.clone(), commons.text.clone()),
            860..880 => Self::Take(Token(random.below(4) as u8)),
            880..900 => Self::Return(random.below(4) as u8),
            900..960 => Self::Panic,
            960..970 => Self::PanicOddly,
            _ if terms.here => Self::Square(random.below(1 << 20)),
            970..982 => Self::Exit,
            982..991 => Self::Abort,
            _ => Self::Kill,
        }
    }

    /// Whether it can be an item of a map: one that cannot be encoded ends the map.
    pub(crate) fn can_be_sent(&self) -> bool {
        !matches!(self, Self::Take(Token(UNWRITABLE)))
    }

    /// The value that it gives, if it gives one.
    fn value(&self) -> Option<Value> {
        Some(match self {
            Self::Square(x) => Value::Number(x * x),
            Self::Echo(bytes) => Value::Bytes(bytes.clone()),
            Self::Fill(count) => Value::Bytes(filled(*count)),
            Self::Sum(bytes) => Value::Number(sum(bytes)),
            Self::Nap(micros) => Value::Number(*micros),
            Self::Read(slice, text) => Value::Number(slice.iter().sum::<u64>() + text.len() as u64),
            Self::Take(token) => Value::Number(token.0.into()),
            Self::Return(token) => Value::Token(Token(*token)),
            Self::Panic | Self::PanicOddly | Self::Exit | Self::Abort | Self::Kill => return None,
        })
    }

    /// Whether something of it cannot be encoded or decoded.
    fn breaks_codec(&self) -> bool {
        match self {
            Self::Take(Token(token)) | Self::Return(token) => *token <= UNREADABLE,
            _ => false,
        }
    }
}

/// Runs in a worker.
pub(crate) fn run(task: Task) -> Answer {
    match &task.deed {
        Deed::Nap(micros) => std::thread::sleep(Duration::from_micros(*micros)),
        Deed::Panic => panic!("{PANIC}"),
        Deed::PanicOddly => std::panic::panic_any(task.ticket),
        Deed::Exit => std::process::exit(EXIT_CODE),
        Deed::Abort => std::process::abort(),
        Deed::Kill => {
            send(std::process::id() as i32, libc::SIGKILL);
        }
        _ => {}
    }
    let value = task.deed.value().expect("the others have ended this process");
    Answer { ticket: task.ticket, value }
}

fn bytes(random: &mut Random, most: u64) -> Vec<u8> {
    let first = random.number();
    (first..first + random.below(most)).map(|n| n as u8).collect()
}

fn filled(count: u64) -> Vec<u8> {
    (0..count).map(|n| (n ^ count) as u8).collect()
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte)).sum()
}

impl Task {
    /// What kind of outcome this is, if it can have become of this task.
    pub(crate) fn judge(
        &self,
        outcome: &procession::Result<Answer>,
        terms: Terms,
    ) -> Result<Kind, String> {
        let kind = match outcome {
            Ok(answer) => {
                let is_right = answer.ticket == self.ticket
                    && Some(&answer.value) == self.deed.value().as_ref()
                    && (terms.here || !self.deed.breaks_codec());
                return if is_right { Ok(Kind::Value) } else { Err(self.wrong("a wrong value")) };
            }
            Err(error) => Kind::of(error),
        };
        let Err(error) = outcome else { unreachable!("values are judged above") };
        let is_possible = match kind {
            Kind::Panicked => match self.deed {
                Deed::Panic => error.panic_message() == Some(PANIC),
                Deed::PanicOddly => error.panic_message().is_some_and(|text| text != PANIC),
                _ => false,
            },
            Kind::Codec => !terms.here && self.deed.breaks_codec(),
            Kind::Lost => self.can_be_lost(error, terms),
            // Whether the pool has ended is known to whoever ended it.
            Kind::Terminated | Kind::Closed => true,
            Kind::Value | Kind::Other => false,
        };
        if is_possible { Ok(kind) } else { Err(self.wrong(&format!("{error}"))) }
    }

    /// Whether it can have been lost with this evidence.
    fn can_be_lost(&self, error: &Error, terms: Terms) -> bool {
        if terms.here {
            return false;
        }
        let own = match self.deed {
            Deed::Exit => error.exit_code() == Some(EXIT_CODE),
            Deed::Abort => error.signal() == Some(libc::SIGABRT),
            Deed::Kill => error.signal() == Some(libc::SIGKILL),
            _ => false,
        };
        let neighbours = terms.shared
            && (error.exit_code() == Some(EXIT_CODE)
                || matches!(error.signal(), Some(libc::SIGABRT | libc::SIGKILL)));
        own || neighbours || terms.bullied && error.signal() == Some(libc::SIGKILL)
    }

    fn wrong(&self, what: &str) -> String {
        let deed = match &self.deed {
            Deed::Echo(bytes) => format!("Echo of {} bytes", bytes.len()),
            Deed::Sum(bytes) => format!("Sum of {} bytes", bytes.len()),
            Deed::Read(..) => "Read".to_owned(),
            deed => format!("{deed:?}"),
        };
        format!("task {} ({deed}) became: {what}", self.ticket)
    }
}
