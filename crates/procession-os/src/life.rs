//! Marks of life: words in shared memory that the system changes when the process that holds them ends.
//!
//! Who waits for a lock wants to know whether its holder still lives, and cannot ask for that at each
//! turn. So a process *takes* a mark in the memory that the lock lies in; and when the process ends,
//! however it ends, the system marks it as gone and wakes a sleeper of that word. Looking at a mark is one
//! load.
//!
//! A shared memory object with marks begins with [`MARKS`] of them, [`MARK_BYTES`] apart; the four bytes
//! behind each mark are the layers' above. Mark 0 is nobody's.
//!
//! | a mark | |
//! |---|---|
//! | nobody's | 0, or whatever else [`is_free`] says |
//! | [taken](take), not [announced](announce) | it is somebody's, and does not count as alive |
//! | [announced](announce) | [`is_alive`] |
//! | its process ended, or [left](leave) | as nobody's |
//!
//! The words are shared memory, so any process that has it may write anything into them: then that memory's
//! locks do not hold, which is all that such a process can do anyway.
//!
//! **A moment of doubt.** The threads of a process that is killed do not stop at the same instant. One
//! may run on for the few microseconds that an interrupt takes, while the mark already says that all is over.
//! Who takes over what a dead process held waits [`SETTLING`] before that.

use std::io;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::memory::Mapping;
use crate::sys;

/// Marks in one shared memory object.
pub const MARKS: usize = 1024;

/// Bytes from one mark to the next.
pub const MARK_BYTES: usize = 8;

/// How long after its mark says that a process is gone the last of its threads surely runs no more.
pub const SETTLING: Duration = Duration::from_millis(1);

/// Whether the process that holds this mark lives, and has said that it is there.
#[inline]
#[must_use]
pub fn is_alive(mark: u32) -> bool {
    sys::life::is_alive(mark)
}

/// Whether a mark can be taken.
#[inline]
#[must_use]
pub fn is_free(mark: u32) -> bool {
    sys::life::is_free(mark)
}

/// The value of a living process's mark on which somebody may sleep, who is woken when the process ends.
/// Anything else than the value of a living one comes back as it was.
pub fn prepare_to_sleep(mark: &AtomicU32) -> u32 {
    sys::life::prepare_to_sleep(mark)
}

/// Which life of this program it is: another number in each forked copy of a process that has taken a mark, or
/// [claimed](crate::name::Claim) a name. What was taken in another one is not this process's.
#[inline]
#[must_use]
pub fn epoch() -> u32 {
    sys::life::epoch()
}

/// Takes a mark for this process; `false` when it is somebody's. It does not count as alive before it is
/// [announced](announce).
///
/// # Errors
/// When the thread that the marks hang on cannot be started.
///
/// # Panics
/// When the mapping has no [marks](crate::memory::Memory::map_with_marks), or the mark is none of its.
pub fn take(mapping: &Mapping, mark: usize) -> io::Result<bool> {
    check(mark);
    sys::life::take(mapping.sys(), mark * MARK_BYTES)
}

/// Says that the holder of a mark that this process took lives.
///
/// # Panics
/// As [`take`].
pub fn announce(mapping: &Mapping, mark: usize) {
    check(mark);
    sys::life::announce(mapping.sys(), mark * MARK_BYTES);
}

/// Gives a mark up that this process took in this [`epoch`]. A mapping that goes gives up all of its marks.
///
/// # Panics
/// As [`take`].
pub fn leave(mapping: &Mapping, mark: usize) {
    check(mark);
    sys::life::leave(mapping.sys(), mark * MARK_BYTES);
}

fn check(mark: usize) {
    assert!((1..MARKS).contains(&mark), "{mark} is not a mark");
}
