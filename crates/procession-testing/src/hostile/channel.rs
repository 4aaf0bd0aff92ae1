//! What a mad process says on its control channel.

#![allow(unsafe_code)]

use crate::Random;
use procession_core::message::{Boot, OrderHead, Parcel, Role};
use procession_os::memory::Memory;
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketType, sendmsg,
    sockopt,
};
use std::fs;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

/// Most messages of a flood.
const FLOOD: u64 = 2_000;

/// The control channels that this process has: its own, and in a template's child no other.
#[derive(Debug)]
pub(super) struct Channels {
    sockets: Vec<OwnedFd>,
}

impl Channels {
    /// Finds them among the open descriptors.
    pub(super) fn find() -> Self {
        let folder = fs::read_dir("/proc/self/fd").expect("the system tells what is open");
        let descriptors: Vec<RawFd> =
            folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        let sockets = descriptors.into_iter().filter(|fd| *fd >= 0).filter_map(copy_of).collect();
        Self { sockets }
    }

    /// Says something.
    pub(super) fn babble(&self, random: &mut Random) {
        let count = if random.below(10) == 0 { FLOOD } else { 1 + random.below(8) };
        for socket in &self.sockets {
            for _ in 0..count {
                let bytes = message(random);
                let handles = handles(random, socket);
                let handles: Vec<_> = handles.iter().map(AsFd::as_fd).collect();
                if send(socket, &bytes, &handles) == Err(Errno::AGAIN) {
                    break;
                }
            }
        }
    }
}

/// A descriptor of one's own for a control channel's end.
fn copy_of(descriptor: RawFd) -> Option<OwnedFd> {
    // SAFETY: it was open a moment ago and is not -1; if it was closed meanwhile the calls below fail,
    // and if it is another by now, that one is looked at.
    let socket = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let is_channel = sockopt::socket_domain(socket) == Ok(AddressFamily::UNIX)
        && sockopt::socket_type(socket) == Ok(SocketType::SEQPACKET);
    if is_channel { fcntl_dupfd_cloexec(socket, 3).ok() } else { None }
}

fn send(socket: &OwnedFd, bytes: &[u8], handles: &[BorrowedFd<'_>]) -> rustix::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !handles.is_empty() {
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(handles)));
    }
    let flags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);
    sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, flags).map(drop)
}

/// Random bytes, or a parcel, whole, cut short or spoilt.
fn message(random: &mut Random) -> Vec<u8> {
    if random.below(4) == 0 {
        let count = if random.below(8) == 0 { 60_000 } else { random.below(200) };
        let mut bytes = vec![0; 1 + count as usize];
        random.fill(&mut bytes);
        return bytes;
    }
    let mut bytes = parcel(random).to_bytes();
    match random.below(4) {
        0 => bytes.truncate(1 + random.below(bytes.len() as u64) as usize),
        1 => {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] ^= random.number() as u8;
        }
        _ => {}
    }
    bytes
}

fn parcel(random: &mut Random) -> Parcel {
    let id = if random.below(2) == 0 { random.below(4) } else { random.number() };
    let text = "?".repeat(random.below(5_000) as usize);
    match random.below(12) {
        0 => Parcel::Boot(Boot {
            role: Role::PoolWorker,
            name: text,
            index: 0,
            generation: 1,
            threads: random.number() as u32,
            limits: Default::default(),
            retirement: Default::default(),
            parent: String::new(),
            authkey: procession::AuthKey::new(*b"nobody's"),
        }),
        1 => Parcel::Refusal(text),
        2 | 3 => Parcel::Bulk(id),
        4 => Parcel::BulkGone(id),
        5 => Parcel::AttachmentsGone(vec![id; random.below(500) as usize]),
        6 => Parcel::Lane,
        7 => Parcel::Template(Some(id)),
        8 => Parcel::Ready,
        9 => Parcel::Order(OrderHead { streams: random.number() as u8 }, text.into_bytes()),
        10 => Parcel::Forked(random.number() as u32),
        _ => Parcel::NotForked(text),
    }
}

/// Descriptors of many kinds, mostly where none belong.
fn handles(random: &mut Random, socket: &OwnedFd) -> Vec<OwnedFd> {
    let count = match random.below(8) {
        0..4 => 0,
        4 | 5 => 1,
        6 => random.below(20),
        _ => 64,
    };
    (0..count).filter_map(|_| handle(random, socket)).collect()
}

fn handle(random: &mut Random, socket: &OwnedFd) -> Option<OwnedFd> {
    let owned = |memory: Memory| memory.handle().try_clone_to_owned().ok();
    match random.below(7) {
        0 => fs::File::open("/dev/null").ok().map(OwnedFd::from),
        1 => std::io::pipe().ok().map(|(reader, _)| OwnedFd::from(reader)),
        2 => socket.try_clone().ok(),
        3 => {
            let flags = rustix::fs::MemfdFlags::CLOEXEC;
            rustix::fs::memfd_create("procession-bulk", flags).ok()
        }
        4 => {
            // Nothing but holes, and more of them than there are addresses.
            let bytes = 1 << (20 + random.below(27));
            Memory::create_shared("procession-hole", bytes)
                .ok()
                .and_then(|(memory, _)| owned(memory))
        }
        _ => {
            let bytes = 4096 << random.below(8);
            Memory::create_owned("procession-gift", bytes)
                .ok()
                .and_then(|(memory, _)| owned(memory))
        }
    }
}
