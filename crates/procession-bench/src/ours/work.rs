//! The functions that run in other processes, ours and procspawn's.

use std::time::Duration;

pub(crate) fn echo(number: u64) -> u64 {
    number
}

pub(crate) fn square(number: u64) -> u64 {
    number * number
}

pub(crate) fn squares(numbers: Vec<u64>) -> Vec<u64> {
    numbers.into_iter().map(square).collect()
}

pub(crate) fn nothing() {}

/// As [`nothing`], for those who want an argument.
pub(crate) fn unit((): ()) {}

pub(crate) fn bytes_back(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

pub(crate) fn length_of(bytes: Vec<u8>) -> u64 {
    bytes.len() as u64
}

pub(crate) fn sleep(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}
