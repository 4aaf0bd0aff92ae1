//! Blocks in shared memory that one process fills and the other processes in place.

#![allow(unsafe_code)]

use super::fork::{self, Forked};
use super::shared::Shared;
use crate::harness::{Outcome, Plan};
use crate::pace::{Pace, time_once};
use std::hint::spin_loop;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

const DONE_AT: usize = 128;
const BLOCKS_AT: usize = 4096;

/// A ring of blocks of 64-bit words. Both sides spin.
struct Ring {
    memory: Shared,
    blocks: u32,
    words: usize,
}

impl Ring {
    fn new(blocks: u32, words: usize) -> io::Result<Self> {
        let bytes = blocks as usize * words * 8;
        Ok(Self { memory: Shared::new(BLOCKS_AT + bytes)?, blocks, words })
    }

    /// Blocks filled so far.
    fn filled(&self) -> &AtomicU32 {
        self.memory.word32(0)
    }

    /// Blocks processed so far.
    fn done(&self) -> &AtomicU32 {
        self.memory.word32(DONE_AT)
    }

    fn block(&self, index: u32) -> &[AtomicU64] {
        let at = (index % self.blocks) as usize * self.words * 8;
        self.memory.words(BLOCKS_AT + at, self.words)
    }

    /// Starts the process that squares every word of every block.
    fn serve(&self) -> io::Result<Forked> {
        let body = || {
            let (mut done, mut filled) = (0_u32, 0_u32);
            loop {
                while filled == done {
                    spin_loop();
                    filled = self.filled().load(Ordering::Acquire);
                }
                for word in self.block(done) {
                    let value = word.load(Ordering::Relaxed);
                    word.store(value.wrapping_mul(value), Ordering::Relaxed);
                }
                done = done.wrapping_add(1);
                self.done().store(done, Ordering::Release);
            }
        };
        // SAFETY: the child only loads, stores and computes; the offsets are inside the mapping, so
        // nothing panics.
        unsafe { fork::run(body) }
    }
}

/// Nanoseconds a task: eight bytes and one allocated handle each, out and back.
pub(crate) fn tasks(plan: Plan, count: u32) -> Outcome<Vec<f64>> {
    let ring = Ring::new(1024, 8)?;
    let _child = ring.serve()?;
    let mut base = 0_u32;
    let pace = Pace::steady(1, plan.pick(3, 1), Duration::from_secs(2));
    let times = pace.time(|| {
        let mut handles: Vec<Arc<AtomicU64>> = Vec::with_capacity(count as usize);
        let (mut taken, mut done) = (0_u32, base);
        while taken < count {
            if (handles.len() as u32) < count && handles.len() as u32 - taken < ring.blocks {
                let index = base.wrapping_add(handles.len() as u32);
                ring.block(index)[0].store(handles.len() as u64, Ordering::Relaxed);
                ring.filled().store(index.wrapping_add(1), Ordering::Release);
                handles.push(Arc::new(AtomicU64::new(0)));
                continue;
            }
            done = ring.done().load(Ordering::Acquire);
            while base.wrapping_add(taken) != done {
                let value = ring.block(base.wrapping_add(taken))[0].load(Ordering::Relaxed);
                handles[taken as usize].store(value, Ordering::Relaxed);
                taken += 1;
            }
        }
        base = done;
        let right = (0_u64..).zip(&handles).all(|(i, h)| h.load(Ordering::Relaxed) == i * i);
        if right { Ok(()) } else { Err("a wrong square".into()) }
    })?;
    Ok(times.into_iter().map(|time| time / f64::from(count)).collect())
}

/// Nanoseconds an integer of a map: out and back in blocks of 16 KiB.
pub(crate) fn map(plan: Plan, items: u64) -> Outcome<Vec<f64>> {
    let ring = Ring::new(16, 2048)?;
    let _child = ring.serve()?;
    let input: Vec<u64> = (0..items).collect();
    let mut samples = Vec::new();
    let mut base = 0_u32;
    for _ in 0..plan.pick(3, 1) {
        let mut output: Vec<u64> = Vec::with_capacity(input.len());
        let time = time_once(|| {
            base = map_once(&ring, &input, &mut output, base);
            Ok(())
        })?;
        if !(0_u64..).zip(&output).all(|(i, square)| *square == i * i) {
            return Err("a wrong square".into());
        }
        samples.push(time / items as f64);
    }
    Ok(samples)
}

fn map_once(ring: &Ring, input: &[u64], output: &mut Vec<u64>, base: u32) -> u32 {
    let mut chunks = input.chunks(ring.words);
    let (mut filled, mut taken) = (base, base);
    while output.len() < input.len() {
        if filled.wrapping_sub(taken) < ring.blocks
            && let Some(chunk) = chunks.next()
        {
            for (word, value) in ring.block(filled).iter().zip(chunk) {
                word.store(*value, Ordering::Relaxed);
            }
            filled = filled.wrapping_add(1);
            ring.filled().store(filled, Ordering::Release);
            continue;
        }
        while taken != ring.done().load(Ordering::Acquire) {
            let left = input.len() - output.len();
            let words = ring.block(taken).iter().take(left);
            output.extend(words.map(|word| word.load(Ordering::Relaxed)));
            taken = taken.wrapping_add(1);
        }
    }
    filled
}
