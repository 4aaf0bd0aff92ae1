//! A pool, one of whose workers does anything at all.

#![no_main]

libfuzzer_sys::fuzz_target!(|script: &[u8]| procession_core::pool::puppet::play(script));
