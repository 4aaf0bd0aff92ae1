//! Watching pidfds with epoll, and an eventfd for the wake-up.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{Errno, read, retry_on_intr, write};
use rustix::time::Timespec;

use super::control::Control;
use super::descriptor::above_streams;
use super::name::Claim;
use super::process::Child;
use crate::exit_watch::Watcher as Face;

/// How many events one call takes from the kernel.
const BATCH: usize = 64;

#[derive(Debug)]
pub(crate) struct Watcher {
    epoll: OwnedFd,
    wake: OwnedFd,
}

impl Watcher {
    pub(crate) fn new() -> io::Result<Watcher> {
        let epoll = above_streams(epoll::create(CreateFlags::CLOEXEC)?)?;
        let flags = EventfdFlags::CLOEXEC.union(EventfdFlags::NONBLOCK);
        let wake = above_streams(eventfd(0, flags)?)?;
        let data = EventData::new_u64(Face::TOKEN_RESERVED);
        epoll::add(&epoll, &wake, data, EventFlags::IN)?;
        Ok(Watcher { epoll, wake })
    }

    pub(crate) fn add(&self, child: &Child, token: u64) -> io::Result<()> {
        // A pidfd stays readable once its process has ended, hence the edge. There is one when the
        // process ends, and one when its parent may have the status (both are the kernel's
        // `do_notify_parent`): a later one if a tracer has it first.
        let flags = EventFlags::IN.union(EventFlags::ET);
        epoll::add(&self.epoll, child.pidfd(), EventData::new_u64(token), flags)?;
        Ok(())
    }

    pub(crate) fn add_control(&self, control: &Control, token: u64) -> io::Result<()> {
        let data = EventData::new_u64(token);
        epoll::add(&self.epoll, control.handle(), data, EventFlags::IN)?;
        Ok(())
    }

    pub(crate) fn add_claim(&self, claim: &Claim, token: u64) -> io::Result<()> {
        let data = EventData::new_u64(token);
        epoll::add(&self.epoll, claim.descriptor(), data, EventFlags::IN)?;
        Ok(())
    }

    pub(crate) fn remove_claim(&self, claim: &Claim) {
        self.delete(claim.descriptor());
    }

    pub(crate) fn remove(&self, child: &Child) {
        self.delete(child.pidfd());
    }

    pub(crate) fn remove_control(&self, control: &Control) {
        self.delete(control.handle());
    }

    fn delete(&self, descriptor: BorrowedFd<'_>) {
        let removed = epoll::delete(&self.epoll, descriptor);
        debug_assert!(
            matches!(removed, Ok(()) | Err(Errno::NOENT)),
            "deleting from an epoll fails only for what is not in it"
        );
    }

    pub(crate) fn wait(&self, exited: &mut Vec<u64>, timeout: Option<Duration>) -> io::Result<()> {
        // A time that has no representation is never over.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut events = [const { no_event() }; BATCH];
        // The times are short: to begin them anew after a signal does no harm.
        let count = retry_on_intr(|| epoll::wait(&self.epoll, &mut events, timeout.as_ref()))?;
        for event in &events[..count] {
            match event.data.u64() {
                Face::TOKEN_RESERVED => self.take_wake_up()?,
                token => exited.push(token),
            }
        }
        Ok(())
    }

    fn take_wake_up(&self) -> io::Result<()> {
        match retry_on_intr(|| read(&self.wake, &mut [0_u8; 8])) {
            // Another waiter was faster.
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    pub(crate) fn wake(&self) {
        let written = retry_on_intr(|| write(&self.wake, &1_u64.to_ne_bytes()));
        // A counter that is full has a wake-up in it.
        debug_assert!(
            matches!(written, Ok(8) | Err(Errno::AGAIN)),
            "an eventfd takes a word or is full"
        );
    }
}

const fn no_event() -> Event {
    Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }
}
