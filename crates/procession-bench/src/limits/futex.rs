//! Two processes that sleep on words of a shared page.

#![allow(unsafe_code)]

use super::fork;
use super::shared::Shared;
use crate::harness::Outcome;
use crate::pace::Body;
use rustix::thread::futex::{self, Flags};
use std::sync::atomic::{AtomicU32, Ordering};

const RESPONSE_AT: usize = 128;

/// Round trips between two processes that sleep at once and are woken each time.
pub(crate) fn session(body: Body<'_>) -> Outcome<()> {
    let page = Shared::new(4096)?;
    let (request, response) = (page.word32(0), page.word32(RESPONSE_AT));
    let serve = || {
        let mut seen = 0;
        loop {
            seen = wait_beyond(request, seen);
            publish(response, seen);
        }
    };
    // SAFETY: the child only loads, stores and makes the futex calls, without the C library.
    let _child = unsafe { fork::run(serve) }?;
    body(&mut |value| {
        let seen = response.load(Ordering::Relaxed);
        publish(request, value as u32);
        Ok(u64::from(wait_beyond(response, seen)))
    })
}

fn wait_beyond(word: &AtomicU32, seen: u32) -> u32 {
    loop {
        let value = word.load(Ordering::Acquire);
        if value != seen {
            return value;
        }
        // Whatever ended it, the word is looked at again.
        let _ = futex::wait(word, Flags::empty(), seen, None);
    }
}

fn publish(word: &AtomicU32, value: u32) {
    word.store(value, Ordering::Release);
    // An aligned word in mapped memory can be woken.
    let _ = futex::wake(word, Flags::empty(), 1);
}
