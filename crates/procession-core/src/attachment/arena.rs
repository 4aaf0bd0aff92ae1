//! Places for small shared objects.
//!
//! A lock takes a few bytes, and memory of its own would cost it a descriptor and a mapping in every process.
//! So small objects lie side by side in an *arena*, which is one attachment, and a process that gets one
//! of them gets the arena. Places are given out one after the other and never twice: other processes may
//! still have what this one has let go of. An arena goes with the last object in it.

use super::Attachment;
use parking_lot::Mutex;
use procession_ipc::roster::ROSTER_BYTES;
use std::io;
use std::sync::{Arc, Weak};

/// What says that an attachment is an arena.
pub const TAG: u64 = u64::from_le_bytes(*b"p-arena1");

/// Bytes of an arena without its roster. What is not used takes no memory.
const ARENA_BYTES: usize = 256 << 10;

/// Most bytes that lie in an arena.
pub const PLACE_BYTES_MAX: usize = 32 << 10;

/// What a place begins at a multiple of, so that two have no cache line in common.
pub const PLACE_ALIGNMENT: usize = 64;

/// The arena that places come from now.
#[derive(Debug)]
struct Current {
    arena: Weak<Attachment>,
    /// The process that gives out its places: a forked copy has to begin another one.
    owner: u32,
    used: usize,
}

static CURRENT: Mutex<Current> = Mutex::new(Current { arena: Weak::new(), owner: 0, used: 0 });

/// Where the first place of an arena begins.
pub const START: usize = ROSTER_BYTES;

/// As [`allot`], in an arena that has no other place.
///
/// # Errors
/// As [`allot`].
pub fn allot_alone(bytes: usize) -> io::Result<(Arc<Attachment>, usize)> {
    Ok((Attachment::create_commons(TAG, bytes, Vec::new())?, START))
}

/// A place of so many bytes, which are zeros: the attachment that it lies in, and where. What is larger
/// than [`PLACE_BYTES_MAX`] gets an arena to itself.
///
/// # Errors
/// When the system is out of memory or descriptors.
pub fn allot(bytes: usize) -> io::Result<(Arc<Attachment>, usize)> {
    if bytes > PLACE_BYTES_MAX {
        return allot_alone(bytes);
    }
    let bytes = bytes.next_multiple_of(PLACE_ALIGNMENT);
    let mut current = CURRENT.lock();
    if let Some(arena) = current.arena.upgrade()
        && current.owner == std::process::id()
        && current.used + bytes <= ARENA_BYTES
    {
        let at = START + current.used;
        current.used += bytes;
        return Ok((arena, at));
    }
    let arena = Attachment::create_commons(TAG, ARENA_BYTES, Vec::new())?;
    *current = Current { arena: Arc::downgrade(&arena), owner: std::process::id(), used: bytes };
    Ok((arena, START))
}
