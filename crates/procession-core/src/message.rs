//! What parent and worker say to each other: kinds of frames on the lane, and messages on the
//! control channel.
//!
//! The control channel's first bytes are stable over all builds, so that a child of another build
//! can be told apart and refused by name; see [`Parcel`].

use crate::attachment::Label;
use crate::authkey::AuthKey;
use crate::face::Code;
use crate::limits::WorkerLimits;
use serde::{Deserialize, Serialize};

/// Frames from the parent.
pub mod request {
    /// Calls `word` with the payload's arguments; `extra` as from [`extra`] for no items.
    pub const TASK: u16 = 1;
    /// Calls `word` for each of the items in the payload, each behind its length (`u32`); `extra` says
    /// how many, see [`extra`].
    pub const CHUNK: u16 = 2;
    /// Calls `word` once before any task; the worker is ready when it returns.
    pub const INITIALIZE: u16 = 3;
    /// The worker is ready without an initializer.
    pub const BEGIN: u16 = 4;
    /// Exit.
    pub const STOP: u16 = 5;

    /// What stands in `extra`: how many items, and how many attempts there were before this one.
    pub fn extra(items: u64, attempts_before: u32) -> u64 {
        u64::from(attempts_before) << 32 | items & 0xffff_ffff
    }

    /// What [`extra`] was made of.
    pub fn split_extra(extra: u64) -> (u64, u32) {
        (extra & 0xffff_ffff, (extra >> 32) as u32)
    }

    /// Something has gone ahead over the control channel that the frame's payload mentions.
    pub const FLAG_PARCEL: u16 = 2;
}

/// Frames from the worker.
pub mod response {
    /// The worker runs and is the build that it says; payload: its identity.
    pub const HELLO: u16 = 1;
    /// The initializer has returned.
    pub const READY: u16 = 2;
    /// The initializer failed; `word` and payload as in `DONE`.
    pub const INITIALIZER_FAILED: u16 = 3;
    /// A task's outcome; `word` is a status, `extra` the nanoseconds that a task took of
    /// late, or 0 if that is not known anew.
    pub const DONE: u16 = 4;
    /// Results of the next `word` items of a chunk, as records; `extra` the nanoseconds they took.
    pub const PART: u16 = 5;
    /// The result of the next item of a chunk, alone, in a bulk segment.
    pub const ITEM: u16 = 6;
    /// The worker is to be replaced, and begins nothing more on this lane. What is left of the chunk
    /// whose sequence this is was not begun either; none if that is 0.
    pub const RETIRE: u16 = 7;

    /// The worker was asked to begin no further item of the chunk whose sequence this is, and has not: what
    /// is left of it is nobody's.
    pub const ENDED: u16 = 8;

    /// The frame's chunk is finished with it.
    pub const FLAG_LAST: u16 = 2;
}

/// Statuses of outcomes.
pub mod status {
    /// A value.
    pub const VALUE: u64 = 0;
    /// A panic; the payload is a [`PanicReport`](super::PanicReport).
    pub const PANIC: u64 = 1;
    /// Arguments or result could not be decoded or encoded; the payload is the message.
    pub const CODEC: u64 = 2;
}

/// How a panic travels.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PanicReport {
    /// The panic's message, or what kind of payload it had instead.
    pub message: String,
    /// File, line and column.
    pub location: Option<String>,
    /// The backtrace, if backtraces are on.
    pub backtrace: Option<String>,
}

/// One result in a part: its status and its bytes, behind a word of `bytes << 2 | status`.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// A [`status`].
    pub status: u64,
    /// The encoded value, or what the status says.
    pub bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// The word before a record.
    #[inline]
    pub fn head(status: u64, bytes: usize) -> [u8; 4] {
        ((bytes as u32) << 2 | status as u32).to_le_bytes()
    }

    /// Takes the first record off a part's payload; `None` when there is none, whole.
    #[inline]
    pub fn split_first(part: &mut &'a [u8]) -> Option<Self> {
        let (head, rest) = part.split_first_chunk::<4>()?;
        let head = u32::from_le_bytes(*head);
        let (bytes, rest) = rest.split_at_checked((head >> 2) as usize)?;
        *part = rest;
        Some(Self { status: u64::from(head & 3), bytes })
    }
}

/// When a worker of a pool is replaced although nothing is wrong with its process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retirement {
    /// After so many tasks: never are more than that run in one process.
    pub tasks_max: Option<u64>,
    /// Once it has more private memory than this between two tasks.
    pub memory_bytes_max: Option<u64>,
    /// After a task that panicked.
    pub on_panic: bool,
}

impl Retirement {
    /// Whether a worker may ever be replaced for one of these reasons.
    pub fn is_possible(&self) -> bool {
        *self != Self::default()
    }
}

/// What kind of child this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// A worker of a pool: runs tasks until it is stopped.
    PoolWorker,
    /// A `Process`: runs one target and exits.
    Process,
}

/// The first message to a child, with the memory objects of its first lane and its leash beside it. A
/// [`Lane`](Parcel::Lane) follows for each further thread.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Boot {
    /// What kind of child this is.
    pub role: Role,
    /// The child's name.
    pub name: String,
    /// Place in the pool, from 0.
    pub index: u32,
    /// Which life in that place, from 1.
    pub generation: u32,
    /// How many threads run tasks, each on a lane of its own; at least 1.
    pub threads: u32,
    /// What it may use of the machine.
    pub limits: WorkerLimits,
    /// When it is to be replaced, as far as it sees that itself.
    pub retirement: Retirement,
    /// The name of the process that has started it.
    pub parent: String,
    /// By what it proves to other processes that it is of this program.
    pub authkey: AuthKey,
}

/// What an order to a template says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderHead {
    /// Which standard streams the program has open: a bit for each. Their handles come last.
    pub streams: u8,
}

const MAGIC: [u8; 8] = *b"procesn\x01";
const BOOT: u8 = 1;
const REFUSAL: u8 = 2;
const BULK: u8 = 3;
const BULK_GONE: u8 = 4;
const TEMPLATE: u8 = 5;
const READY: u8 = 6;
const ORDER: u8 = 7;
const FORKED: u8 = 8;
const NOT_FORKED: u8 = 9;
const LANE: u8 = 10;
const ATTACHMENTS: u8 = 11;
const ATTACHMENTS_GONE: u8 = 12;

/// A message on the control channel: magic, kind, the sender's image identity, then the kind's own.
#[derive(Debug, Clone)]
pub enum Parcel {
    /// To a child: who it is.
    Boot(Boot),
    /// From a child that will not work: why.
    Refusal(String),
    /// A bulk segment of the sender's, its descriptor beside it.
    Bulk(u64),
    /// A bulk segment will not be used any more.
    BulkGone(u64),
    /// To a child: attachments that payloads will mention, their memory beside it, in this order.
    Attachments(Vec<Label>),
    /// To a child: these attachments will not be mentioned any more.
    AttachmentsGone(Vec<u64>),
    /// To a child: another lane, the memory objects beside it.
    Lane,
    /// To a child: it is a template, and calls this before it is forked. Its leash is beside it.
    Template(Option<Code>),
    /// From a template: it can be forked.
    Ready,
    /// To a template: fork a child. Beside it the handles of the child's end of its control channel,
    /// of its leash, and of what is different around the program by now, which is also in the bytes.
    Order(OrderHead, Vec<u8>),
    /// From a template: the process id of the child.
    Forked(u32),
    /// From a template: why there is no child.
    NotForked(String),
}

/// A parcel as it came: the sender's build, and what it says if the build is ours.
#[derive(Debug)]
pub struct Received {
    /// The sender's image identity.
    pub identity: [u8; 32],
    /// What it says; `None` when it makes no sense to this build.
    pub parcel: Option<Parcel>,
}

impl Parcel {
    /// The message's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let kind = match self {
            Self::Boot(_) => BOOT,
            Self::Refusal(_) => REFUSAL,
            Self::Bulk(_) => BULK,
            Self::BulkGone(_) => BULK_GONE,
            Self::Template(_) => TEMPLATE,
            Self::Ready => READY,
            Self::Lane => LANE,
            Self::Attachments(_) => ATTACHMENTS,
            Self::AttachmentsGone(_) => ATTACHMENTS_GONE,
            Self::Order(..) => ORDER,
            Self::Forked(_) => FORKED,
            Self::NotForked(_) => NOT_FORKED,
        };
        bytes.push(kind);
        bytes.extend_from_slice(procession_os::image::identity().as_bytes());
        match self {
            Self::Boot(boot) => {
                bytes = postcard::to_extend(boot, bytes).expect("a boot parcel is plain data");
            }
            Self::Attachments(labels) => {
                bytes = postcard::to_extend(labels, bytes).expect("a label is plain data");
            }
            Self::AttachmentsGone(ids) => {
                bytes = postcard::to_extend(ids, bytes).expect("an id is a number");
            }
            Self::Refusal(why) | Self::NotForked(why) => bytes.extend_from_slice(why.as_bytes()),
            Self::Template(None) | Self::Ready | Self::Lane => {}
            Self::Template(Some(code)) => bytes.extend_from_slice(&code.to_le_bytes()),
            Self::Order(head, surroundings) => {
                bytes.push(head.streams);
                bytes.extend_from_slice(surroundings);
            }
            Self::Forked(pid) => bytes.extend_from_slice(&pid.to_le_bytes()),
            Self::Bulk(id) | Self::BulkGone(id) => bytes.extend_from_slice(&id.to_le_bytes()),
        }
        bytes
    }

    /// Reads a message; `None` when it is none of procession's.
    pub fn from_bytes(bytes: &[u8]) -> Option<Received> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (kind, rest) = rest.split_first()?;
        let (identity, rest) = rest.split_first_chunk::<32>()?;
        let id = || rest.try_into().ok().map(u64::from_le_bytes);
        let parcel = match *kind {
            BOOT => postcard::from_bytes(rest).ok().map(Self::Boot),
            REFUSAL => Some(Self::Refusal(String::from_utf8_lossy(rest).into_owned())),
            BULK => id().map(Self::Bulk),
            BULK_GONE => id().map(Self::BulkGone),
            TEMPLATE if rest.is_empty() => Some(Self::Template(None)),
            TEMPLATE => id().map(|code| Self::Template(Some(code))),
            READY => Some(Self::Ready),
            LANE => Some(Self::Lane),
            ATTACHMENTS => postcard::from_bytes(rest).ok().map(Self::Attachments),
            ATTACHMENTS_GONE => postcard::from_bytes(rest).ok().map(Self::AttachmentsGone),
            ORDER => rest.split_first().map(|(streams, surroundings)| {
                Self::Order(OrderHead { streams: *streams }, surroundings.to_vec())
            }),
            FORKED => rest.try_into().ok().map(u32::from_le_bytes).map(Self::Forked),
            NOT_FORKED => Some(Self::NotForked(String::from_utf8_lossy(rest).into_owned())),
            _ => None,
        };
        Some(Received { identity: *identity, parcel })
    }
}
