//! The link between the parent and one worker thread.
//!
//! Two segments, two rings, claim words and doorbells, put together; see [`layout`](crate::layout)
//! for what lies where and [`ring`](crate::ring), [`claim`](crate::claim) and
//! [`doorbell`](crate::doorbell) for the protocols. The parent may take requests back and survive
//! the worker at any point; the worker trusts the parent, who started it.

mod parent;
mod release;
mod stop;
#[cfg(test)]
mod tests;
mod worker;

pub use parent::{LaneWatch, ParentLane, Progress};
pub use stop::StopRequest;
pub use worker::{AttachError, WorkerLane};

use crate::layout::{REQUEST_SLOTS, RESPONSE_SLOTS, a, b};
use crate::ring::{Geometry, Head, PartProgress};

const REQUESTS: Geometry =
    Geometry { tail_at: a::REQUEST_TAIL, data_at: a::DATA, slots: REQUEST_SLOTS };
const RESPONSES: Geometry =
    Geometry { tail_at: b::RESPONSE_TAIL, data_at: b::DATA, slots: RESPONSE_SLOTS };
const REQUEST_HEAD: Head = Head::new(b::REQUEST_HEAD);
const RESPONSE_HEAD: Head = Head::new(a::RESPONSE_HEAD);
const PROGRESS: PartProgress = PartProgress::new(b::PROGRESS_AT, b::PROGRESS);
