//! procession itself.

pub(crate) mod calls;
pub(crate) mod large;
pub(crate) mod lives;
pub(crate) mod work;
