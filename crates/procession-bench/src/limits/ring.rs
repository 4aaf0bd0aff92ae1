//! Blocks in shared memory that one process fills and the other processes in place.

#![allow(unsafe_code)]

use super::fork::{self, Forked};
use super::shared::Shared;
use crate::harness::{Outcome, Plan};
use crate::limits::exchange::Wait;
use crate::pace::{Pace, time_once};
use rustix::thread::futex::{self, Flags};
use std::hint::spin_loop;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

const DONE_AT: usize = 128;
const PARENT_SLEPT_AT: usize = 256;
const CHILD_SLEPT_AT: usize = 384;
const BLOCKS_AT: usize = 4096;

/// A counter that one side raises by one at a time and the other waits for.
#[derive(Clone, Copy)]
struct Progress<'a> {
    count: &'a AtomicU32,
    /// The count that the waiting side had last seen when it went to sleep. The one who raises the
    /// count beyond that, and nobody later, wakes it.
    slept_at: &'a AtomicU32,
    wait: Wait,
}

impl Progress<'_> {
    fn publish(self, count: u32) {
        self.count.store(count, Ordering::Release);
        if self.wait == Wait::Sleeping {
            // Between this store and the look at the sleeper, as between the sleeper's own word and
            // its look at the count: one of the two sees the other.
            fence(Ordering::SeqCst);
            if self.slept_at.load(Ordering::Relaxed) == count.wrapping_sub(1) {
                // An aligned word in mapped memory can be woken.
                let _ = futex::wake(self.count, Flags::empty(), 1);
            }
        }
    }

    /// Waits until the count is another than the one seen.
    fn beyond(self, seen: u32) -> u32 {
        loop {
            let count = self.count.load(Ordering::Acquire);
            if count != seen {
                return count;
            }
            if self.wait == Wait::Spinning {
                spin_loop();
                continue;
            }
            self.slept_at.store(seen, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if self.count.load(Ordering::Relaxed) == seen {
                // Whatever ended it, the count is looked at again.
                let _ = futex::wait(self.count, Flags::empty(), seen, None);
            }
        }
    }
}

/// A ring of blocks of 64-bit words.
struct Ring {
    memory: Shared,
    blocks: u32,
    words: usize,
    wait: Wait,
}

impl Ring {
    fn new(blocks: u32, words: usize, wait: Wait) -> io::Result<Self> {
        let bytes = blocks as usize * words * 8;
        Ok(Self { memory: Shared::new(BLOCKS_AT + bytes)?, blocks, words, wait })
    }

    /// Blocks filled so far; the child waits for it.
    fn filled(&self) -> Progress<'_> {
        let slept_at = self.memory.word32(CHILD_SLEPT_AT);
        Progress { count: self.memory.word32(0), slept_at, wait: self.wait }
    }

    /// Blocks processed so far; the parent waits for it.
    fn done(&self) -> Progress<'_> {
        let slept_at = self.memory.word32(PARENT_SLEPT_AT);
        Progress { count: self.memory.word32(DONE_AT), slept_at, wait: self.wait }
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
                if filled == done {
                    filled = self.filled().beyond(done);
                }
                for word in self.block(done) {
                    let value = word.load(Ordering::Relaxed);
                    word.store(value.wrapping_mul(value), Ordering::Relaxed);
                }
                done = done.wrapping_add(1);
                self.done().publish(done);
            }
        };
        // SAFETY: the child only loads, stores, computes and makes the futex calls; the offsets are
        // inside the mapping, so nothing panics.
        unsafe { fork::run(body) }
    }
}

/// Nanoseconds a task: eight bytes and one allocated handle each, out and back.
pub(crate) fn tasks(pace: Pace, count: u32, wait: Wait) -> Outcome<Vec<f64>> {
    let ring = Ring::new(1024, 8, wait)?;
    let _child = ring.serve()?;
    let mut base = 0_u32;
    let times = pace.time(|| {
        let mut handles: Vec<Arc<AtomicU64>> = Vec::with_capacity(count as usize);
        let (mut taken, mut done) = (0_u32, base);
        while taken < count {
            if (handles.len() as u32) < count && handles.len() as u32 - taken < ring.blocks {
                let index = base.wrapping_add(handles.len() as u32);
                ring.block(index)[0].store(handles.len() as u64, Ordering::Relaxed);
                handles.push(Arc::new(AtomicU64::new(0)));
                ring.filled().publish(index.wrapping_add(1));
                continue;
            }
            done = ring.done().beyond(done);
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

/// Nanoseconds an item of a map: so many words each, out and back in blocks of 16 KiB.
pub(crate) fn map(plan: Plan, items: u64, words: u64) -> Outcome<Vec<f64>> {
    let ring = Ring::new(16, 2048, Wait::Spinning)?;
    let _child = ring.serve()?;
    let input: Vec<u64> = (0..items * words).collect();
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
            ring.filled().publish(filled);
            continue;
        }
        let done = ring.done().beyond(taken);
        while taken != done {
            let left = input.len() - output.len();
            let words = ring.block(taken).iter().take(left);
            output.extend(words.map(|word| word.load(Ordering::Relaxed)));
            taken = taken.wrapping_add(1);
        }
    }
    filled
}
