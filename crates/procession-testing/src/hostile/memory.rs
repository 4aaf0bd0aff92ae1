//! The shared memory that this process has mapped.

#![allow(unsafe_code)]

use std::fs;
use std::sync::atomic::AtomicU32;

/// A shared mapping of this process.
#[derive(Debug, Clone)]
pub(super) struct Region {
    start: usize,
    bytes: usize,
    is_writable: bool,
    name: String,
}

impl Region {
    /// All shared mappings that can be read.
    pub(super) fn all() -> Vec<Self> {
        let maps = fs::read_to_string("/proc/self/maps").expect("the system tells what is mapped");
        maps.lines().filter_map(Self::parse).collect()
    }

    /// Takes a line such as `7f..-7f.. rw-s 00000000 00:01 1045 /memfd:name (deleted)`.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let rights = words.next()?;
        let start = usize::from_str_radix(start, 16).ok()?;
        let end = usize::from_str_radix(end, 16).ok()?;
        let is_shared = rights.starts_with('r') && rights.ends_with('s');
        is_shared.then(|| Self {
            start,
            bytes: end - start,
            is_writable: rights.contains('w'),
            name: words.nth(3).unwrap_or_default().to_owned(),
        })
    }

    pub(super) fn is_writable(&self) -> bool {
        self.is_writable
    }

    /// Whether it is a segment of this name.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name.strip_prefix("/memfd:") == Some(name)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn span(&self, offset: usize, count: usize) -> *mut u8 {
        assert!(offset.checked_add(count).is_some_and(|end| end <= self.bytes));
        std::ptr::with_exposed_provenance_mut(self.start + offset)
    }

    /// Writes bytes at an offset.
    pub(super) fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(self.is_writable);
        let to = self.span(offset, bytes.len());
        for (index, byte) in bytes.iter().enumerate() {
            // SAFETY: at most one past the end of the span, which lies in one mapping.
            let to = unsafe { to.add(index) };
            // SAFETY: the page was mapped for writing when it was listed, and nobody has a reference to
            // what is shared between processes: all that is read there is copied and checked, whoever
            // wrote it. If it is not mapped any more this process ends, as a mad one may.
            unsafe { to.write_volatile(*byte) };
        }
    }

    /// Reads bytes at an offset.
    pub(super) fn read<const COUNT: usize>(&self, offset: usize) -> [u8; COUNT] {
        let from = self.span(offset, COUNT);
        std::array::from_fn(|index| {
            // SAFETY: at most one past the end of the span, which lies in one mapping.
            let from = unsafe { from.add(index) };
            // SAFETY: as in `write`, for reading.
            unsafe { from.read_volatile() }
        })
    }

    pub(super) fn word32(&self, offset: usize) -> u32 {
        u32::from_ne_bytes(self.read(offset))
    }

    /// Writes a word at once, as whoever waits on it expects.
    pub(super) fn set_word32(&self, offset: usize, word: u32) {
        let to = self.span(offset, 4).cast::<u32>();
        assert!(self.is_writable && to.is_aligned());
        // SAFETY: as in `write`, of four bytes that are aligned.
        unsafe { to.write_volatile(word) };
    }

    /// Wakes whoever waits on a word.
    pub(super) fn wake(&self, offset: usize) {
        let word = self.span(offset, 4).cast::<u32>();
        assert!(word.is_aligned());
        // SAFETY: mapped for this call as in `write`, aligned, and accessed as one word by those who
        // wait on it.
        let word = unsafe { AtomicU32::from_ptr(word) };
        procession_os::wait::wake_all(word);
    }
}
