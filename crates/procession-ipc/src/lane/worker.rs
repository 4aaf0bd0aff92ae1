//! The worker's end of a lane.

use super::{PROGRESS, REQUEST_HEAD, REQUESTS, RESPONSE_HEAD, RESPONSES, StopRequest, release};
use crate::claim::Claims;
use crate::doorbell::{Bell, SleepFlag, SupervisorBell, settle};
use crate::frame::Header;
use crate::layout::{A_BYTES, B_BYTES, MAGIC, VERSION, a, b};
use crate::primitive::Ordering;
use crate::ring::{Consumer, Corrupt, Frame, Part, Producer};
use crate::segment::Segment;
use crate::spin::Spin;
use procession_os::clock;
use procession_os::memory::{Access, Memory};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Longest sleep between two looks for room.
const ROOM_PATIENCE: Duration = Duration::from_millis(2);

/// The worker's end of a lane.
#[derive(Debug)]
pub struct WorkerLane {
    own: Arc<Segment>,
    peer: Arc<Segment>,
    requests: Consumer,
    responses: Producer,
    claims: Claims,
    response_bell: Bell,
    supervisor_bell: SupervisorBell,
    spin: Spin,
}

/// A worker cannot use the lane that it was given.
#[derive(Debug)]
pub enum AttachError {
    /// The segments are not of the size or layout of this build.
    Layout,
    /// They cannot be mapped.
    Map(io::Error),
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout => write!(f, "the lane has another layout than this build's"),
            Self::Map(_) => write!(f, "cannot map the lane"),
        }
    }
}

impl std::error::Error for AttachError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Layout => None,
            Self::Map(error) => Some(error),
        }
    }
}

impl WorkerLane {
    /// Maps the two memory objects of a lane.
    ///
    /// # Errors
    /// [`AttachError`] when they are not a lane of this build's layout, or cannot be mapped.
    pub fn attach(memory_a: &Memory, memory_b: &Memory) -> Result<Self, AttachError> {
        if memory_a.bytes() != A_BYTES || memory_b.bytes() != B_BYTES {
            return Err(AttachError::Layout);
        }
        let peer = Segment::new(memory_a.map(Access::Read).map_err(AttachError::Map)?);
        let own = Segment::new(memory_b.map(Access::ReadWrite).map_err(AttachError::Map)?);
        if peer.word64(a::VERSION).load(Ordering::Acquire) != VERSION
            || peer.word64(a::MAGIC).load(Ordering::Relaxed) != MAGIC
        {
            return Err(AttachError::Layout);
        }
        let (own, peer) = (Arc::new(own), Arc::new(peer));
        Ok(Self {
            requests: Consumer::new(peer.clone(), REQUESTS),
            responses: Producer::new(own.clone(), RESPONSES),
            claims: Claims::new(own.clone()),
            response_bell: Bell::new(b::RESPONSE_TAIL, a::LEADER_ASLEEP),
            supervisor_bell: SupervisorBell::new(b::URGENT, a::SUPERVISOR_ASLEEP, a::BELL_REQUEST),
            spin: Spin::new(),
            own,
            peer,
        })
    }

    /// Whether there is a request to begin at once.
    #[inline]
    pub fn has_request(&self) -> bool {
        self.requests.backlog() > 0
            || self.peer.word32(a::REQUEST_TAIL).load(Ordering::Relaxed) != self.requests.position()
    }

    /// Waits for the next request. Woken by the parent; only the parent's death, which kills this
    /// process, ends the wait otherwise.
    ///
    /// # Errors
    /// [`Corrupt`] when the ring makes no sense.
    #[inline]
    pub fn next_request(&mut self) -> Result<Frame, Corrupt> {
        loop {
            if let Some(frame) = self.requests.peek()? {
                return Ok(frame);
            }
            let seen = self.requests.position();
            let tail = self.peer.word32(a::REQUEST_TAIL);
            if !self.spin.wait(|| tail.load(Ordering::Relaxed) != seen) {
                let flag = SleepFlag::new(b::WORKER_ASLEEP);
                flag.sleep(&self.own, &self.peer, a::REQUEST_TAIL, seen, None);
            }
        }
    }

    /// Notes that the worker begins with something, or with nothing, now. For those who ask; it protects
    /// nothing, so it is relaxed.
    #[inline]
    pub fn note_turn(&self) {
        self.own.word64(b::SINCE).store(clock::coarse_ns(), Ordering::Relaxed);
    }

    /// Copies a request's payload out.
    #[inline]
    pub fn copy_payload(&self, frame: &Frame, to: &mut Vec<u8>) {
        self.requests.copy_payload(frame, to);
    }

    /// Claims a request; `false` when the parent has taken it back.
    #[must_use]
    #[inline]
    pub fn begin(&self, sequence: u64) -> bool {
        self.claims.begin(sequence)
    }

    /// Moves past a request that needs no further response, and wakes whoever wants to know.
    #[inline]
    pub fn pass(&mut self, frame: &Frame) {
        let head = self.requests.advance(frame);
        REQUEST_HEAD.show(&self.own, head);
        self.wake_parent();
    }

    /// Publishes a response without moving past its request. Waits for room if the ring is full:
    /// the supervisor empties it.
    #[inline]
    pub fn respond(&mut self, header: Header, payload: &[u8]) {
        while self.responses.push(header, payload).is_none() {
            self.wait_for_room();
        }
    }

    /// Opens a part with room for `capacity` bytes and declares that it has no items yet.
    pub fn open_part(&mut self, capacity: usize) -> Part {
        loop {
            // Before the position can match: a crash in between must not show an old count.
            PROGRESS.clear(&self.own);
            if let Some(part) = self.responses.open(capacity) {
                PROGRESS.begin(&self.own, self.responses.tail());
                return part;
            }
            self.wait_for_room();
        }
    }

    /// Appends one item's result to a part and declares `items` of it finished.
    #[inline]
    pub fn append(&mut self, part: &mut Part, pieces: [&[u8]; 2], items: u32) {
        for piece in pieces {
            self.responses.append(part, piece);
        }
        PROGRESS.declare(&self.own, items, part.filled() as u32);
    }

    /// Publishes a part.
    pub fn commit_part(&mut self, part: Part, header: Header) {
        self.responses.commit(part, header);
        // The position stays, and positions come round again.
        PROGRESS.clear(&self.own);
    }

    /// Wakes the parent's threads that sleep and have something to do now.
    #[inline]
    pub fn wake_parent(&mut self) {
        settle();
        self.response_bell.wake_if_asleep(&self.own, &self.peer);
        let position = self.requests.position();
        self.supervisor_bell.call_if_due(&self.own, &self.peer, position);
    }

    /// Makes the supervisor look at the lane, whether it asked for that or not.
    pub fn call_supervisor(&mut self) {
        self.supervisor_bell.call(&self.own, &self.peer);
    }

    /// Whether no further call of this request shall be begun.
    #[inline]
    pub fn is_to_end(&self, sequence: u64) -> bool {
        StopRequest::ends(&self.peer, sequence)
    }

    /// Tells whether a call on this lane shall stop.
    pub fn stop_request(&self) -> StopRequest {
        StopRequest::new(self.peer.clone())
    }

    /// How often the parent has given back one of this worker's bulk segments.
    pub fn bulk_released(&self, id: usize) -> u32 {
        release::given_back(&self.peer, id)
    }

    /// Learns how far the parent has read; `true` when that made room.
    fn refresh_room(&mut self) -> bool {
        let before = self.responses.released();
        self.responses.release(RESPONSE_HEAD.shown(&self.peer));
        // Not whether the word differs: one that cannot be true is ignored, and must be waited for.
        self.responses.released() != before
    }

    /// Waits until the parent has taken responses, at most a moment: the caller looks again.
    pub fn wait_for_room(&mut self) {
        if self.refresh_room() {
            return;
        }
        self.supervisor_bell.call(&self.own, &self.peer);
        self.response_bell.wake_if_asleep(&self.own, &self.peer);
        let flag = SleepFlag::new(b::SPACE_WANTED);
        let seen = self.responses.released();
        flag.raise(&self.own, seen);
        if !self.refresh_room() {
            // Bounded, because a bulk segment that is given back does not move the head.
            self.peer.wait(a::RESPONSE_HEAD, seen, Some(ROOM_PATIENCE));
        }
        flag.lower(&self.own);
        self.refresh_room();
    }
}
