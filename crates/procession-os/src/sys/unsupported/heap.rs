use std::mem::MaybeUninit;

pub(crate) fn will_be_filled(_memory: &mut [MaybeUninit<u8>]) {}

pub(crate) fn keep_freed_blocks(_bytes: usize) {}

pub(crate) fn has_room(_bytes: usize) -> bool {
    true
}
