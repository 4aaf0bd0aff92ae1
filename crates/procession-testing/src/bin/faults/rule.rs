//! Which combinations there are none of, and why.

use crate::case::{Case, Fault, Layout, Moment};
use procession::StartMethod;
use std::fmt;

/// Why a combination is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    NoSuchMoment,
    ValueElsewhere,
    NobodyReads,
    NoUnwinding,
    NoLimitYet,
    TooLong,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchMoment => {
                "a process by itself has no initializer, is never idle, runs no chunks, has no \
                 other worker beside it, and is not closed"
            }
            Self::ValueElsewhere => "at this moment there is no such value, or it does not break",
            Self::NobodyReads => "what an initializer returns is decoded by nobody",
            Self::NoLimitYet => "before the hello a child has no memory limit of the pool's",
            Self::TooLong => "a template that only a process by itself waits for has a minute",
            Self::NoUnwinding => "a handler that the C library calls at a fork cannot unwind",
        })
    }
}

/// Why there is no such case, if there is none.
pub(crate) fn impossible(case: &Case) -> Option<Reason> {
    let Case { fault, moment, method, layout } = *case;
    let has_moment = !matches!(
        moment,
        Moment::Initializer | Moment::Idle | Moment::MidChunk | Moment::TakingBack | Moment::Close
    );
    if layout == Layout::Process && !has_moment {
        return Some(Reason::NoSuchMoment);
    }
    if fault.is_in_a_value() && !has_value(fault, moment) {
        return Some(Reason::ValueElsewhere);
    }
    if fault == Fault::DecodeResult && moment == Moment::Initializer {
        return Some(Reason::NobodyReads);
    }
    if fault.panics() && moment == Moment::BeforeHello && method == StartMethod::Fork {
        return Some(Reason::NoUnwinding);
    }
    if fault == Fault::OutOfMemory && moment == Moment::BeforeHello {
        return Some(Reason::NoLimitYet);
    }
    let by_template = method == StartMethod::ForkServer && layout == Layout::Process;
    if fault.hangs() && moment == Moment::BeforeHello && by_template {
        return Some(Reason::TooLong);
    }
    None
}

/// Whether a value that breaks can break at this moment.
fn has_value(fault: Fault, moment: Moment) -> bool {
    match moment {
        // No call is made, so there are no values.
        Moment::BeforeHello | Moment::Idle => false,
        Moment::Reading => fault == Fault::DecodeArgument,
        Moment::Running => fault == Fault::ArgumentDrop,
        Moment::WritingSmall | Moment::WritingHuge => {
            matches!(fault, Fault::EncodeResult | Fault::ResultDrop | Fault::DecodeResult)
        }
        // Whole calls, with all that belongs to one.
        Moment::Initializer
        | Moment::MidChunk
        | Moment::TakingBack
        | Moment::Close
        | Moment::Join
        | Moment::Terminate => true,
    }
}
