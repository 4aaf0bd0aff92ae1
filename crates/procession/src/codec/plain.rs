//! Plain numbers and vectors of them, copied as they are.
//!
//! Chosen by type at compile time: for any other type all of this folds away. A single number has
//! always its own size, which both ends know: shorter forms exist, but cost more than they save.

use bytemuck::Pod;
use procession_core::payload::{Input, NoMemory, Output, Unread};
use std::any::Any;

/// Calls a macro for each type of number that is copied as it is.
macro_rules! for_each_number {
    ($macro:ident) => {
        $macro!(u8 i8 u16 i16 u32 i32 u64 i64 u128 i128 usize isize f32 f64)
    };
}

/// Writes a number or a vector of numbers; `None` when the value is neither.
#[inline]
pub(super) fn encode<T: 'static>(
    value: &T,
    output: &mut Output<'_>,
) -> Option<Result<(), NoMemory>> {
    let value: &dyn Any = value;
    macro_rules! try_each {
        ($($number:ty)*) => {
            $(if let Some(number) = value.downcast_ref::<$number>() {
                output.bytes().extend_from_slice(bytemuck::bytes_of(number));
                return Some(Ok(()));
            }
            if let Some(numbers) = value.downcast_ref::<Vec<$number>>() {
                return Some(put(numbers, output));
            })*
        };
    }
    for_each_number!(try_each);
    None
}

fn put<N: Pod>(numbers: &[N], output: &mut Output<'_>) -> Result<(), NoMemory> {
    output.bytes().extend_from_slice(&(numbers.len() as u64).to_le_bytes());
    output.put_slice(bytemuck::cast_slice(numbers))
}

/// Reads a number or a vector of numbers: `None` when `T` is neither.
#[inline]
pub(super) fn decode<T: 'static>(input: &mut Input<'_>) -> Option<Result<T, Unread>> {
    let mut slot: Option<T> = None;
    let target: &mut dyn Any = &mut slot;
    macro_rules! try_each {
        ($($number:ty)*) => {
            $(if let Some(slot) = target.downcast_mut::<Option<$number>>() {
                *slot = get_one(input);
                return Some(take(target).ok_or(Unread::TooShort));
            }
            if let Some(slot) = target.downcast_mut::<Option<Vec<$number>>>() {
                match get(input) {
                    Ok(numbers) => *slot = Some(numbers),
                    Err(unread) => return Some(Err(unread)),
                }
                return Some(take(target).ok_or(Unread::TooShort));
            })*
        };
    }
    for_each_number!(try_each);
    None
}

fn take<T: 'static>(target: &mut dyn Any) -> Option<T> {
    target.downcast_mut::<Option<T>>().and_then(Option::take)
}

#[inline]
fn get_one<N: Pod>(input: &mut Input<'_>) -> Option<N> {
    if let Input::Slice(bytes) = input {
        let (number, rest) = bytes.split_at_checked(size_of::<N>())?;
        *bytes = rest;
        return Some(bytemuck::pod_read_unaligned(number));
    }
    let mut number = N::zeroed();
    input.read_exact(bytemuck::bytes_of_mut(&mut number)).then_some(number)
}

fn get<N: Pod>(input: &mut Input<'_>) -> Result<Vec<N>, Unread> {
    let mut length = [0; 8];
    if !input.read_exact(&mut length) {
        return Err(Unread::TooShort);
    }
    // It may be anything, and is checked before anything is allocated.
    let count = usize::try_from(u64::from_le_bytes(length)).map_err(|_| Unread::TooShort)?;
    input.read_numbers(count)
}
