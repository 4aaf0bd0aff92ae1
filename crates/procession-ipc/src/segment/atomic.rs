//! Which integers can be borrowed where they lie.

#![allow(unsafe_code)]

use crate::primitive::{
    AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32,
    AtomicU64, AtomicUsize,
};

/// An atomic integer of `std::sync::atomic`.
///
/// # Safety
/// Any bytes are a value of the type, it has a size, it needs no drop, and its shared references allow
/// nothing but atomic loads and stores of that size.
pub unsafe trait Atomic: Send + Sync + 'static {}

macro_rules! atomics {
    ($($type:ty)*) => {$(
        // SAFETY: an atomic integer is an integer in memory, and is accessed through shared references by
        // atomic operations alone.
        unsafe impl Atomic for $type {}
    )*};
}

atomics! {
    AtomicI8 AtomicU8 AtomicI16 AtomicU16 AtomicI32 AtomicU32 AtomicI64 AtomicU64 AtomicIsize AtomicUsize
}
