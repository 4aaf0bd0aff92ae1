//! A task that goes mad.

use super::book::Book;
use super::channel::Channels;
use super::honest::{self, SEAL};
use super::lane::Lane;
use super::memory::Region;
use crate::Random;
use std::time::{Duration, Instant};

/// Longest wait until the parent has read what was published before.
const DRAIN_PATIENCE: Duration = Duration::from_secs(1);

/// Goes mad, in a way that `seed` decides, in a process that tells the book's `page` first. What it gives
/// back means nothing; it may not come back.
pub fn mad(seed: u64, page: i32) -> u64 {
    go_mad(seed, page);
    seed
}

/// As [`mad`], with a large result.
pub fn mad_large(seed: u64, page: i32) -> Vec<u8> {
    go_mad(seed, page);
    vec![seed as u8; 20_000 + seed as usize % 400_000]
}

fn go_mad(seed: u64, page: i32) {
    let mut random = Random::new(seed);
    Book::enter(page);
    honest::forswear();
    let mut madness = Madness::new(Random::new(random.number()));
    madness.wait_until_drained();
    match random.below(16) {
        0..4 => madness.rage(1 + random.below(5), Duration::MAX),
        4..7 => madness.rage(u64::MAX, Duration::from_micros(random.below(2_000))),
        7..11 => {
            let time = Duration::from_micros(random.below(20_000));
            madness.go_on(time);
        }
        11 | 12 => {
            madness.go_on(Duration::MAX);
        }
        13 => {
            madness.rage(1 + random.below(20), Duration::MAX);
            end(&mut random);
        }
        14 => madness.rage_on_channels(1 + random.below(20)),
        _ => {
            madness.rage(random.below(10), Duration::MAX);
            if random.below(3) == 0 {
                loop {
                    std::thread::park();
                }
            }
        }
    }
}

/// Ends this process in one way or another.
fn end(random: &mut Random) {
    match random.below(3) {
        0 => std::process::abort(),
        1 => std::process::exit(random.below(200) as i32),
        _ => crate::send(std::process::id() as i32, libc::SIGKILL),
    };
}

/// A process that has lost its mind.
struct Madness {
    random: Random,
    lanes: Vec<Lane>,
    channels: Channels,
}

impl Madness {
    fn new(random: Random) -> Self {
        let lanes = Lane::all(&Region::all());
        assert!(!lanes.is_empty(), "a worker has a lane");
        Self { random, lanes, channels: Channels::find() }
    }

    /// Waits until what this process has said so far was read: it was sane then.
    fn wait_until_drained(&self) {
        let deadline = Instant::now() + DRAIN_PATIENCE;
        while !self.lanes.iter().all(Lane::is_drained) {
            if Instant::now() >= deadline {
                std::process::abort();
            }
            std::thread::yield_now();
        }
    }

    /// Spoils so many things, or as many as there is time for.
    fn rage(&mut self, count: u64, time: Duration) {
        let start = Instant::now();
        for _ in 0..count {
            if start.elapsed() >= time {
                break;
            }
            match self.random.below(10) {
                0 => self.channels.babble(&mut self.random),
                1 => self.spoil_other(),
                _ => {
                    let lane = self.random.below(self.lanes.len() as u64) as usize;
                    self.lanes[lane].spoil(&mut self.random);
                }
            }
        }
    }

    /// Spoils things in a thread, while the process goes on as if nothing was.
    fn go_on(mut self, time: Duration) {
        self.lanes.iter_mut().for_each(Lane::answer);
        std::thread::spawn(move || self.rage(u64::MAX, time));
    }

    fn rage_on_channels(&mut self, count: u64) {
        for _ in 0..count {
            self.channels.babble(&mut self.random);
        }
    }

    /// Writes over a segment that is no lane and carries nothing honest.
    fn spoil_other(&mut self) {
        let is_other = |region: &Region| {
            region.is_writable()
                && !region.is_called("procession-lane-b")
                && region.bytes() >= 16
                && region.read::<8>(8) != SEAL.to_le_bytes()
        };
        let others: Vec<_> = Region::all().into_iter().filter(is_other).collect();
        if others.is_empty() {
            return;
        }
        let other = &others[self.random.below(others.len() as u64) as usize];
        let mut bytes = vec![0; other.bytes().min(1 << 18)];
        self.random.fill(&mut bytes);
        other.write(0, &bytes);
    }
}
