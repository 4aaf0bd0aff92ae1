//! Who has gone mad: written by those who do, before they do it.

use parking_lot::Mutex;
use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::parent_id;

/// The pids of mad processes, told over a pipe.
#[derive(Debug)]
pub(super) struct Book {
    reader: Mutex<std::io::PipeReader>,
    writer: std::io::PipeWriter,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    ever: HashSet<u32>,
    entries: u64,
    /// Of the present round.
    fresh: Vec<u32>,
}

impl Book {
    pub(super) fn open() -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        rustix::io::ioctl_fionbio(&reader, true).expect("a pipe can refuse to wait");
        Self { reader: Mutex::new(reader), writer, known: Mutex::default() }
    }

    /// What a child needs to know to write into it.
    pub(super) fn page(&self) -> i32 {
        self.writer.as_raw_fd()
    }

    /// In a child: notes that this process is about to go mad. Who cannot ends.
    pub(super) fn enter(page: i32) {
        let path = format!("/proc/{}/fd/{page}", parent_id());
        let noted = OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut book| book.write_all(&std::process::id().to_ne_bytes()));
        if noted.is_err() {
            std::process::abort();
        }
    }

    fn read(&self) {
        let mut reader = self.reader.lock();
        let mut known = self.known.lock();
        let mut pid = [0; 4];
        // Pids are written whole.
        while reader.read_exact(&mut pid).is_ok() {
            let pid = u32::from_ne_bytes(pid);
            known.entries += 1;
            known.ever.insert(pid);
            known.fresh.push(pid);
        }
    }

    /// Whether a process has gone mad by now.
    pub(super) fn has(&self, pid: u32) -> bool {
        self.read();
        self.known.lock().ever.contains(&pid)
    }

    /// Those that have gone mad since the last turn of the page.
    pub(super) fn fresh(&self) -> Vec<u32> {
        self.read();
        self.known.lock().fresh.clone()
    }

    /// How many there were.
    pub(super) fn entries(&self) -> u64 {
        self.read();
        self.known.lock().entries
    }

    /// Begins the next round.
    pub(super) fn turn_page(&self) {
        self.read();
        self.known.lock().fresh.clear();
    }
}
