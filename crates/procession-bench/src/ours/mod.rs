//! procession itself.

pub(crate) mod calls;
pub(crate) mod items;
pub(crate) mod large;
pub(crate) mod lives;
pub(crate) mod loads;
pub(crate) mod maps;
pub(crate) mod queues;
pub(crate) mod shape;
pub(crate) mod sharing;
pub(crate) mod work;
