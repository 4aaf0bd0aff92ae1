//! Where everything lies in a lane's two segments.
//!
//! Segment A is written by the parent and mapped read-only by the worker; segment B is written by
//! the worker, and the parent writes nothing there but the claim words. Each line below is a cache
//! line of its own where two sides would otherwise disturb each other.
//!
//! | segment A | offset | who reads it when |
//! |---|---|---|
//! | magic, layout version | 0, 8 | worker, once |
//! | request tail | 64 | worker, when it knows of no more requests; its wait word |
//! | response head | 128 | worker, when its ring looks full; its wait word then |
//! | bell request | 192 | worker, after each frame |
//! | leader asleep, supervisor asleep | 200, 208 | worker, after each frame |
//! | stop request | 216 | a task that asks whether it should stop |
//! | bulk released | 256.. | worker, when it wants a bulk segment |
//! | request ring | 4096.. | worker |
//!
//! | segment B | offset | who reads it when |
//! |---|---|---|
//! | response tail | 64 | parent, each look; the leader's wait word |
//! | request head | 128 | parent, when the ring looks full or a lane idle |
//! | progress position, progress | 136, 144 | parent, after a death |
//! | since | 152 | parent, when somebody asks what the worker does |
//! | urgent | 192 | the supervisor's wait word |
//! | worker asleep, space wanted | 200, 208 | parent, after each publication |
//! | claim words | 1024.. | both, compare-and-swap |
//! | response ring | 4096.. | parent |

/// First eight bytes of segment A.
pub const MAGIC: u64 = u64::from_le_bytes(*b"procesn1");
/// Version of this layout.
pub const VERSION: u64 = 2;

/// Bytes of a ring slot: a frame fills one or more of them. A cache line.
pub const SLOT_BYTES: usize = 64;
/// Slots of the request ring; a power of two.
pub const REQUEST_SLOTS: u32 = 1024;
/// Slots of the response ring; a power of two.
pub const RESPONSE_SLOTS: u32 = 1024;
/// Most frames that may be in flight on a lane; a power of two.
pub const WINDOW_MAX: usize = 256;
/// Most payload bytes that travel inside a ring; larger ones go through bulk segments.
pub const INLINE_BYTES_MAX: usize = 16 * 1024 - super::frame::HEADER_BYTES;
/// Bulk segments of one worker that may be alive at once.
pub const BULK_MAX: usize = 64;

/// With fewer slots than this waiting in the response ring, no worker waits for room in it: even the
/// largest frame behind the largest skip would fit.
pub const CROWDED_SLOTS: u32 = RESPONSE_SLOTS / 8;

/// Offsets in segment A.
pub mod a {
    /// The magic number.
    pub const MAGIC: usize = 0;
    /// The layout version.
    pub const VERSION: usize = 8;
    /// Request tail, in slots.
    pub const REQUEST_TAIL: usize = 64;
    /// When the worker shall wake the supervisor; see [`BellRequest`](crate::doorbell::BellRequest).
    pub const BELL_REQUEST: usize = 192;
    /// Sleep flag of the leader.
    pub const LEADER_ASLEEP: usize = 200;
    /// Sleep flag of the supervisor.
    pub const SUPERVISOR_ASLEEP: usize = 208;
    /// Which call shall stop; see [`StopRequest`](crate::lane::StopRequest).
    pub const STOP_REQUEST: usize = 216;
    /// Response head, in slots.
    pub const RESPONSE_HEAD: usize = 128;
    /// One word for each bulk segment of the worker: how often it was given back.
    pub const BULK_RELEASED: usize = 256;
    /// Start of the request ring.
    pub const DATA: usize = 4096;
}

/// Offsets in segment B.
pub mod b {
    /// Response tail, in slots.
    pub const RESPONSE_TAIL: usize = 64;
    /// Counts calls for the supervisor.
    pub const URGENT: usize = 192;
    /// Sleep flag of the worker.
    pub const WORKER_ASLEEP: usize = 200;
    /// Sleep flag of a worker that waits for room in the response ring.
    pub const SPACE_WANTED: usize = 208;
    /// How far the worker has read the request ring, in slots.
    pub const REQUEST_HEAD: usize = 128;
    /// Response tail for which `PROGRESS` speaks.
    pub const PROGRESS_AT: usize = 136;
    /// Finished items and their bytes in the part under construction.
    pub const PROGRESS: usize = 144;
    /// Since when the worker does what it does, by the [clock](procession_os::clock) that both read alike.
    pub const SINCE: usize = 152;
    /// The claim words.
    pub const CLAIMS: usize = 1024;
    /// Start of the response ring.
    pub const DATA: usize = 4096;
}

/// Bytes of segment A.
pub const A_BYTES: usize = a::DATA + REQUEST_SLOTS as usize * SLOT_BYTES;
/// Bytes of segment B.
pub const B_BYTES: usize = b::DATA + RESPONSE_SLOTS as usize * SLOT_BYTES;

const _: () = {
    assert!(REQUEST_SLOTS.is_power_of_two() && RESPONSE_SLOTS.is_power_of_two());
    assert!(WINDOW_MAX.is_power_of_two());
    assert!(a::BULK_RELEASED + BULK_MAX * 4 <= a::DATA);
    assert!(b::CLAIMS + WINDOW_MAX * 8 <= b::DATA);
    assert!(a::BELL_REQUEST.is_multiple_of(8) && b::PROGRESS.is_multiple_of(8));
    assert!(b::SINCE.is_multiple_of(8));
    assert!(a::DATA.is_multiple_of(SLOT_BYTES) && b::DATA.is_multiple_of(SLOT_BYTES));
    // What is published before and after the reader looked is told apart; one of the halves shows.
    assert!(2 * CROWDED_SLOTS + 2 * super::frame::slots_for(INLINE_BYTES_MAX) <= RESPONSE_SLOTS);
    // A frame fits twice, so that one never waits for a ring it cannot fit into after a wrap.
    assert!(
        (INLINE_BYTES_MAX + super::frame::HEADER_BYTES) * 2 <= REQUEST_SLOTS as usize * SLOT_BYTES
    );
};
