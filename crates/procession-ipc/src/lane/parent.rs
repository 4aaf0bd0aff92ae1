//! The parent's end of a lane.

use super::{PROGRESS, REQUEST_HEAD, REQUESTS, RESPONSE_HEAD, RESPONSES, StopRequest, release};
use crate::claim::Claims;
use crate::doorbell::{Bell, BellRequest, SleepFlag, settle};
use crate::frame::Header;
use crate::layout::{A_BYTES, B_BYTES, BULK_MAX, MAGIC, VERSION, a, b};
use crate::primitive::{AtomicU32, Ordering};
use crate::ring::{Consumer, Corrupt, Frame, Producer, Pushed};
use crate::segment::Segment;
use procession_os::clock;
use procession_os::memory::Memory;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The parent's end of a lane.
#[derive(Debug)]
pub struct ParentLane {
    watch: Arc<LaneWatch>,
    requests: Producer,
    responses: Consumer,
    claims: Claims,
    request_bell: Bell,
    space_bell: Bell,
    bell_request: BellRequest,
}

/// The part of a lane that waiting threads look at without the lane's lock.
#[derive(Debug)]
pub struct LaneWatch {
    own: Arc<Segment>,
    peer: Arc<Segment>,
}

/// What a worker had finished of the part it was writing when it died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Finished items.
    pub items: u32,
    /// Their results.
    pub bytes: Vec<u8>,
}

impl LaneWatch {
    /// Whether the worker has published responses that nobody has taken yet.
    #[inline]
    pub fn has_responses(&self) -> bool {
        self.response_word().load(Ordering::Acquire) != self.response_head()
    }

    /// The leader's wait word: the response tail.
    #[inline]
    pub fn response_word(&self) -> &AtomicU32 {
        self.peer.word32(b::RESPONSE_TAIL)
    }

    /// The response tail at which there is nothing to take.
    #[inline]
    pub fn response_head(&self) -> u32 {
        RESPONSE_HEAD.last(&self.own)
    }

    /// The supervisor's wait word.
    pub fn urgent_word(&self) -> &AtomicU32 {
        self.peer.word32(b::URGENT)
    }

    /// Says that the leader is about to sleep until there are responses; gives the response tail
    /// while which it may sleep. Others may take responses meanwhile, so that is not always
    /// [`response_head`](Self::response_head).
    pub fn raise_leader(&self) -> u32 {
        let seen = self.response_head();
        SleepFlag::new(a::LEADER_ASLEEP).raise(&self.own, seen);
        seen
    }

    /// Says that the leader is awake.
    pub fn lower_leader(&self) {
        SleepFlag::new(a::LEADER_ASLEEP).lower(&self.own);
    }

    /// Says that the supervisor is about to sleep while the urgent word is `seen`.
    pub fn raise_supervisor(&self, seen: u32) {
        SleepFlag::new(a::SUPERVISOR_ASLEEP).raise(&self.own, seen);
    }

    /// Says that the supervisor is awake.
    pub fn lower_supervisor(&self) {
        SleepFlag::new(a::SUPERVISOR_ASLEEP).lower(&self.own);
    }

    /// Whether the worker sleeps, waiting for requests.
    #[inline]
    pub fn worker_is_asleep(&self) -> bool {
        SleepFlag::new(b::WORKER_ASLEEP).is_raised(&self.peer)
    }

    /// Gives a bulk segment of the worker back to it.
    pub fn release_bulk(&self, id: usize) {
        if id < BULK_MAX {
            release::give_back(&self.own, id);
        }
    }
}

impl ParentLane {
    /// A new lane: our end, and the two memory objects (A, B) that the worker needs for its own.
    ///
    /// # Errors
    /// Whatever the system says when shared memory cannot be made.
    pub fn create() -> io::Result<(Self, [Memory; 2])> {
        let (memory_a, mapping_a) = Memory::create_owned("procession-lane-a", A_BYTES)?;
        let (memory_b, mapping_b) = Memory::create_shared("procession-lane-b", B_BYTES)?;
        let own = Arc::new(Segment::new(mapping_a));
        let peer = Arc::new(Segment::new(mapping_b));
        own.word64(a::MAGIC).store(MAGIC, Ordering::Relaxed);
        own.word64(a::VERSION).store(VERSION, Ordering::Release);
        let lane = Self {
            requests: Producer::new(own.clone(), REQUESTS),
            responses: Consumer::new(peer.clone(), RESPONSES),
            claims: Claims::new(peer.clone()),
            request_bell: Bell::new(a::REQUEST_TAIL, b::WORKER_ASLEEP),
            space_bell: Bell::new(a::RESPONSE_HEAD, b::SPACE_WANTED),
            bell_request: BellRequest::Never,
            watch: Arc::new(LaneWatch { own, peer }),
        };
        Ok((lane, [memory_a, memory_b]))
    }

    /// What waiting threads look at.
    #[inline]
    pub fn watch(&self) -> &Arc<LaneWatch> {
        &self.watch
    }

    /// Puts a request on the ring; `None` when it has no room now. Follow with
    /// [`wake_worker`](Self::wake_worker).
    #[must_use]
    #[inline]
    pub fn send(&mut self, header: Header, payload: &[u8]) -> Option<Pushed> {
        self.requests.push(header, payload)
    }

    /// Whether a request with `bytes` of payload has room on the ring now.
    #[inline]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.requests.has_room(bytes)
    }

    /// The payload of a request that was sent and not yet released.
    pub fn read_back(&self, pushed: &Pushed) -> Vec<u8> {
        self.requests.read_back(pushed)
    }

    /// Position behind the last request.
    pub fn request_tail(&self) -> u32 {
        self.requests.tail()
    }

    /// How far the worker says it has read the request ring.
    pub fn request_head(&self) -> u32 {
        REQUEST_HEAD.shown(&self.watch.peer)
    }

    /// Requests up to `position` are over and done with.
    #[inline]
    pub fn release_requests(&mut self, position: u32) {
        self.requests.release(position);
    }

    /// Wakes the worker if it sleeps.
    #[inline]
    pub fn wake_worker(&mut self) {
        settle();
        self.request_bell.wake_if_asleep(&self.watch.own, &self.watch.peer);
    }

    /// The next response, if there is one; look at it, copy its payload, then
    /// [`advance`](Self::advance).
    ///
    /// # Errors
    /// [`Corrupt`] when what the worker wrote makes no sense.
    #[inline]
    pub fn peek(&mut self) -> Result<Option<Frame>, Corrupt> {
        let frame = self.responses.peek()?;
        if frame.is_none() && self.responses.position() != self.watch.response_head() {
            // Only a skip frame was there, before a part that is being written. As long as the head
            // stays before it there seems to be a response, and nobody who waits could sleep.
            RESPONSE_HEAD.show(&self.watch.own, self.responses.position());
        }
        Ok(frame)
    }

    /// Copies the payload of the response that [`peek`](Self::peek) showed.
    #[inline]
    pub fn copy_payload_exact(&self, frame: &Frame, to: &mut [u8]) {
        self.responses.copy_payload_exact(frame, to);
    }

    /// Moves past the response and gives its room back.
    #[inline]
    pub fn advance(&mut self, frame: &Frame) {
        let head = self.responses.advance(frame);
        RESPONSE_HEAD.show(&self.watch.own, head);
    }

    /// Slots of the response ring that wait to be read, as far as the last look showed.
    #[inline]
    pub fn backlog(&self) -> u32 {
        self.responses.backlog()
    }

    /// Wakes the worker if it waits for room in the response ring; call after a batch of
    /// [`advance`](Self::advance) before which the [`backlog`](Self::backlog) was
    /// [crowded](crate::layout::CROWDED_SLOTS).
    #[inline]
    pub fn wake_for_space(&mut self) {
        settle();
        self.space_bell.wake_if_asleep(&self.watch.own, &self.watch.peer);
    }

    /// Takes a request back; `false` when the worker has begun it.
    #[must_use]
    pub fn take_back(&self, sequence: u64) -> bool {
        self.claims.take_back(sequence)
    }

    /// Whether the worker has begun a request.
    pub fn is_begun(&self, sequence: u64) -> bool {
        self.claims.is_begun(sequence)
    }

    /// Tells the worker when to wake the supervisor. `true` when that changed: the caller then
    /// looks at the lane once more.
    pub fn request_bell(&mut self, request: BellRequest) -> bool {
        if self.bell_request == request {
            return false;
        }
        self.bell_request = request;
        request.publish(&self.watch.own, a::BELL_REQUEST);
        true
    }

    /// Asks the worker's task to stop, if it is still this call: the one with this index in the request.
    pub fn ask_to_stop(&self, sequence: u64, index: u64) {
        StopRequest::publish(&self.watch.own, sequence, index);
    }

    /// Asks the worker to begin no further call of a request, if it still runs it; with `running`, asks
    /// the call that it runs to stop as well.
    pub fn ask_to_end(&self, sequence: u64, running: bool) {
        StopRequest::publish_end(&self.watch.own, sequence, running);
    }

    /// How many items the worker says it has finished of the part that it is writing, while it lives: a
    /// hint, which may be of a moment ago.
    pub fn finished_items(&self) -> u32 {
        let tail = self.responses.shown_tail();
        PROGRESS.read(&self.watch.peer, tail).map_or(0, |(items, _)| items)
    }

    /// How long the worker says that it has been doing what it does: running a call, or waiting for one.
    pub fn busy_for(&self) -> Duration {
        let since = self.watch.peer.word64(b::SINCE).load(Ordering::Relaxed);
        Duration::from_nanos(clock::coarse_ns().saturating_sub(since))
    }

    /// After the worker's death and after the last response was taken: what it had finished of the
    /// part it was writing.
    pub fn unfinished_part(&self) -> Option<Progress> {
        let tail = self.responses.shown_tail();
        let (items, bytes) = PROGRESS.read(&self.watch.peer, tail)?;
        let bytes = self.responses.copy_unfinished_part(tail, bytes as usize)?;
        Some(Progress { items, bytes })
    }
}
