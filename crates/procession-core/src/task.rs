//! A submitted call and what becomes of it.

mod batch;
mod cell;
mod failure;
mod guide;
mod subscribers;
mod terms;

pub(crate) use batch::Chunk;
pub use batch::{Batch, Delivery, Mention};
pub use cell::TaskCell;
pub(crate) use cell::{Settled, UNBEGUN_MAX};
pub use failure::Failure;
pub(crate) use failure::Failures;
pub(crate) use guide::Guide;
pub use subscribers::Subscribers;
pub use terms::Terms;

use crate::error::Error;
use crate::payload::Value;

/// Exactly one of these comes of every task.
pub type Outcome = std::result::Result<Value, Error>;
