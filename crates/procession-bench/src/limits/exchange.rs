//! Two processes that exchange bytes through shared memory.

#![allow(unsafe_code)]

use super::fork;
use super::shared::Shared;
use crate::harness::Outcome;
use crate::pace::Pace;
use rustix::thread::futex::{self, Flags};
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU32, Ordering};

const RESPONSE_AT: usize = 128;
const BYTES_AT: usize = 4096;

/// How a side waits for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    Spinning,
    Sleeping,
}

impl Wait {
    /// Waits until the word has another value, and gives that.
    fn beyond(self, word: &AtomicU32, seen: u32) -> u32 {
        loop {
            let value = word.load(Ordering::Acquire);
            if value != seen {
                return value;
            }
            match self {
                Self::Spinning => spin_loop(),
                Self::Sleeping => {
                    // Whatever ended it, the word is looked at again.
                    let _ = futex::wait(word, Flags::empty(), seen, None);
                }
            }
        }
    }

    fn publish(self, word: &AtomicU32, value: u32) {
        word.store(value, Ordering::Release);
        if self == Self::Sleeping {
            // An aligned word in mapped memory can be woken.
            let _ = futex::wake(word, Flags::empty(), 1);
        }
    }
}

/// A payload there and back: copied into shared memory, out and in again by the other side, and out.
pub(crate) fn bytes(size: usize, pace: Pace, wait: Wait) -> Outcome<Vec<f64>> {
    let memory = Shared::new(BYTES_AT + 2 * size)?;
    let (request, response) = (memory.word32(0), memory.word32(RESPONSE_AT));
    let (argument, result) = (BYTES_AT, BYTES_AT + size);
    let mut theirs = vec![0; size];
    let serve = || {
        let mut seen = 0;
        loop {
            seen = wait.beyond(request, seen);
            // SAFETY: the parent neither reads nor writes payloads between request and response.
            unsafe { memory.copy_out(argument, &mut theirs) };
            // SAFETY: as above.
            unsafe { memory.copy_in(result, &theirs) };
            wait.publish(response, seen);
        }
    };
    // SAFETY: the child only copies, loads, stores and makes the futex calls, without the C library's
    // locks; all its memory is there already.
    let _child = unsafe { fork::run(serve) }?;
    let mut ours = vec![1; size];
    let mut turn = 0_u32;
    pace.time(|| {
        turn = turn.wrapping_add(1);
        ours[0] = turn as u8;
        // SAFETY: the child touches payloads only between a request and its response.
        unsafe { memory.copy_in(argument, &ours) };
        wait.publish(request, turn);
        wait.beyond(response, turn.wrapping_sub(1));
        // SAFETY: as above.
        unsafe { memory.copy_out(result, &mut ours) };
        if ours[0] == turn as u8 { Ok(()) } else { Err("other bytes than were sent".into()) }
    })
}
