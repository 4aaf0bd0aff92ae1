//! The parent's side of a lane, and the decoder of its frames.

#![no_main]

libfuzzer_sys::fuzz_target!(|script: &[u8]| procession_ipc::fuzz::play(script));
