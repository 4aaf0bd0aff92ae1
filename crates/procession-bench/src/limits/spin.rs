//! Two processes that spin on a shared page.

#![allow(unsafe_code)]

use super::fork;
use super::shared::Shared;
use crate::harness::Outcome;
use crate::pace::Body;
use std::hint::spin_loop;
use std::sync::atomic::Ordering;

/// Request and response lie two cache lines apart, because processors fetch lines in pairs.
const RESPONSE_AT: usize = 128;

/// Round trips between two processes that never sleep.
pub(crate) fn session(body: Body<'_>) -> Outcome<()> {
    let page = Shared::new(4096)?;
    let request = &page.words(0, 1)[0];
    let response = &page.words(RESPONSE_AT, 1)[0];
    let serve = || {
        let mut seen = 0;
        loop {
            let value = request.load(Ordering::Acquire);
            if value == seen {
                spin_loop();
            } else {
                seen = value;
                response.store(value, Ordering::Release);
            }
        }
    };
    // SAFETY: the child only loads, stores and spins.
    let _child = unsafe { fork::run(serve) }?;
    body(&mut |value| {
        request.store(value, Ordering::Release);
        while response.load(Ordering::Acquire) != value {
            spin_loop();
        }
        Ok(value)
    })
}
