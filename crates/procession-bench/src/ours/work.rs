//! The functions that run in other processes, ours and procspawn's.

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(crate) fn echo(number: u64) -> u64 {
    number
}

pub(crate) fn nothing() {}

/// As [`nothing`], for those who want an argument.
pub(crate) fn unit((): ()) {}

pub(crate) fn bytes_back(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

pub(crate) fn floats_back(floats: Vec<f64>) -> Vec<f64> {
    floats
}

pub(crate) fn length_of(bytes: Vec<u8>) -> u64 {
    bytes.len() as u64
}

pub(crate) fn make_bytes(count: u64) -> Vec<u8> {
    vec![7; count as usize]
}

pub(crate) fn sleep(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// Sleeps, and tells how long it really was, in nanoseconds.
pub(crate) fn timed_sleep(millis: u64) -> u64 {
    let start = Instant::now();
    sleep(millis);
    start.elapsed().as_nanos() as u64
}

/// Says in the folder that it is there, and stays until the folder has a file called `open`.
pub(crate) fn hold(folder: PathBuf) -> bool {
    let came = std::fs::write(folder.join(std::process::id().to_string()), []).is_ok();
    let open = folder.join("open");
    // A folder that is gone will never have the file: then nobody waits for this task.
    while folder.exists() && !open.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    came
}
