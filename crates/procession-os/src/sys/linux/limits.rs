//! Resource limits, priorities and affinities; and memory as `/proc` tells it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::io::Errno;
use rustix::param::page_size;
use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::descriptor::above_streams;
use super::heap::has_room;
use super::process::Child;

pub(crate) fn processors() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|processor| set.is_set(*processor)).collect())
}

pub(crate) fn run_on(processors: &[usize]) -> io::Result<()> {
    let refused = |processor| {
        let what = format!("this process may not run on processor {processor}, or there is none");
        io::Error::new(io::ErrorKind::InvalidInput, what)
    };
    let mut set = CpuSet::new();
    for processor in processors {
        if *processor >= CpuSet::MAX_CPU {
            return Err(refused(*processor));
        }
        set.set(*processor);
    }
    match sched_setaffinity(None, &set) {
        Err(Errno::INVAL) => return Err(refused(processors[0])),
        result => result?,
    }
    // The kernel leaves out what this process may not have, as long as anything is left.
    let got = sched_getaffinity(None)?;
    match processors.iter().find(|processor| !got.is_set(**processor)) {
        Some(missing) => Err(refused(*missing)),
        None => Ok(()),
    }
}

pub(crate) fn set_niceness(niceness: i32) -> io::Result<()> {
    match setpriority_process(None, niceness) {
        Ok(()) => Ok(()),
        // What POSIX calls it says nothing of permission.
        Err(Errno::ACCESS | Errno::PERM) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "a smaller niceness takes a privilege (CAP_SYS_NICE, or a higher RLIMIT_NICE)",
        )),
        Err(errno) => Err(errno.into()),
    }
}

/// What must be left under a limit for a process to do anything at all.
const ROOM_BYTES: usize = 256 << 10;

pub(crate) fn limit_memory(bytes: u64) -> io::Result<()> {
    let before = getrlimit(Resource::Data).maximum;
    let bytes = before.map_or(bytes, |before| before.min(bytes));
    // Since 4.7 it counts all private writable memory, where it comes from `brk` or not.
    setrlimit(Resource::Data, Rlimit { current: Some(bytes), maximum: Some(bytes) })?;
    if has_room(ROOM_BYTES) {
        return Ok(());
    }
    let has = Statm::read("/proc/self/statm")
        .map_or_else(|_| String::new(), |statm| format!("{} bytes of ", statm.data_bytes));
    let what = format!("the process has {has}private memory already, which leaves it no room");
    Err(io::Error::new(io::ErrorKind::OutOfMemory, what))
}

pub(crate) fn private_bytes_of(child: &Child) -> io::Result<Option<u64>> {
    let statm = Statm::read(&format!("/proc/{}/statm", child.pid()));
    // As long as it has not ended the process id is its own; and when it has, nothing was read.
    if child.wait(Some(std::time::Duration::ZERO))? {
        return Ok(None);
    }
    statm.map(|statm| Some(statm.private_bytes))
}

#[derive(Debug)]
pub(crate) struct OwnMemory(File);

impl OwnMemory {
    pub(crate) fn open() -> io::Result<OwnMemory> {
        let file = File::open("/proc/self/statm")?;
        Ok(OwnMemory(above_streams(file.into())?.into()))
    }

    pub(crate) fn private_bytes(&self) -> io::Result<u64> {
        Ok(Statm::read_from(&self.0)?.private_bytes)
    }
}

/// What `statm` says of a process.
struct Statm {
    /// Pages in memory that are neither a file's nor shared memory.
    private_bytes: u64,
    /// Private writable memory, in memory or not: what a limit of it counts, and the stack.
    data_bytes: u64,
}

impl Statm {
    fn read(path: &str) -> io::Result<Statm> {
        Statm::read_from(&File::open(path)?)
    }

    fn read_from(file: &File) -> io::Result<Statm> {
        // Seven numbers of at most twenty digits.
        let mut text = [0_u8; 7 * 21];
        let count = file.read_at(&mut text, 0)?;
        Statm::parse(&text[..count]).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "the kernel's `statm` is not seven numbers")
        })
    }

    fn parse(text: &[u8]) -> Option<Statm> {
        let mut numbers = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
        let mut next_bytes = || -> Option<u64> {
            numbers.next()?.parse::<u64>().ok()?.checked_mul(page_size() as u64)
        };
        let (_size, resident, shared) = (next_bytes()?, next_bytes()?, next_bytes()?);
        let (_text, _library, data) = (next_bytes()?, next_bytes()?, next_bytes()?);
        Some(Statm { private_bytes: resident.saturating_sub(shared), data_bytes: data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_memory_is_what_is_resident_and_not_shared() {
        let page = page_size() as u64;
        let statm = Statm::parse(b"900 300 100 20 0 400 0\n").expect("seven numbers");
        assert_eq!((statm.private_bytes, statm.data_bytes), (200 * page, 400 * page));
        let torn = Statm::parse(b"900 300 301 20 0 400 0\n").expect("seven numbers");
        assert_eq!(torn.private_bytes, 0, "the kernel does not count all at one moment");
    }

    #[test]
    fn what_is_no_statm_is_refused() {
        for text in ["", "1 2 3", "1 2 x 4 5 6 7", "1 99999999999999999999 3 4 5 6 7"] {
            assert!(Statm::parse(text.as_bytes()).is_none(), "{text:?}");
        }
    }
}
