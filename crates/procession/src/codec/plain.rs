//! Vectors of plain numbers, copied as they are.
//!
//! Chosen by type at compile time: for any other type all of this folds away.

use bytemuck::Pod;
use procession_core::payload::{Input, Output};
use std::any::Any;

/// Calls a macro for each type of number whose vectors are copied as they are.
macro_rules! for_each_number {
    ($macro:ident) => {
        $macro!(u8 i8 u16 i16 u32 i32 u64 i64 u128 i128 usize isize f32 f64)
    };
}

/// Writes a vector of numbers; `false` when the value is none.
pub(super) fn encode<T: 'static>(value: &T, output: &mut Output<'_>) -> bool {
    let value: &dyn Any = value;
    macro_rules! try_each {
        ($($number:ty)*) => {
            $(if let Some(numbers) = value.downcast_ref::<Vec<$number>>() {
                put(numbers, output);
                return true;
            })*
        };
    }
    for_each_number!(try_each);
    false
}

fn put<N: Pod>(numbers: &[N], output: &mut Output<'_>) {
    output.bytes().extend_from_slice(&(numbers.len() as u64).to_le_bytes());
    output.put_slice(bytemuck::cast_slice(numbers));
}

/// Reads a vector of numbers: `None` when `T` is none, `Some(None)` when the bytes end too soon.
pub(super) fn decode<T: 'static>(input: &mut Input<'_>) -> Option<Option<T>> {
    let mut slot: Option<T> = None;
    let target: &mut dyn Any = &mut slot;
    macro_rules! try_each {
        ($($number:ty)*) => {
            $(if let Some(slot) = target.downcast_mut::<Option<Vec<$number>>>() {
                *slot = get(input);
                return Some(take(target));
            })*
        };
    }
    for_each_number!(try_each);
    None
}

fn take<T: 'static>(target: &mut dyn Any) -> Option<T> {
    target.downcast_mut::<Option<T>>().and_then(Option::take)
}

fn get<N: Pod>(input: &mut Input<'_>) -> Option<Vec<N>> {
    let mut length = [0; 8];
    if !input.read_exact(&mut length) {
        return None;
    }
    let length = usize::try_from(u64::from_le_bytes(length)).ok()?;
    // Checked before anything is allocated: the length may be anything.
    if length.checked_mul(size_of::<N>())? > input.remaining() {
        return None;
    }
    let mut numbers = vec![N::zeroed(); length];
    input.read_exact(bytemuck::cast_slice_mut(&mut numbers)).then_some(numbers)
}
