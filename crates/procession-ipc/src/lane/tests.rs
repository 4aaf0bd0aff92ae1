//! Both ends of a lane in one process, and a worker that writes anything.

mod hostile;

use super::{ParentLane, WorkerLane};
use crate::doorbell::BellRequest;
use crate::frame::Header;
use crate::primitive::Ordering;
use crate::ring::Frame;
use procession_os::memory::Memory;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn lane() -> (ParentLane, WorkerLane, [Memory; 2]) {
    let (parent, memories) = ParentLane::create().unwrap();
    let worker = WorkerLane::attach(&memories[0], &memories[1]).unwrap();
    (parent, worker, memories)
}

fn header(sequence: u64) -> Header {
    Header { kind: 1, sequence, ..Header::default() }
}

/// Waits for a condition; the message says which.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out: {what}");
        thread::yield_now();
    }
}

/// Runs the worker's side; `join` has a bound.
struct Side<T> {
    thread: JoinHandle<()>,
    done: mpsc::Receiver<T>,
}

fn side<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Side<T> {
    let (sender, done) = mpsc::channel();
    let thread = thread::spawn(move || {
        // Nobody receives once the test has failed.
        let _ = sender.send(work());
    });
    Side { thread, done }
}

impl<T> Side<T> {
    fn join(self) -> T {
        let result = self.done.recv_timeout(PATIENCE).expect("the worker's side ends");
        self.thread.join().unwrap();
        result
    }
}

fn payload_of(parent: &ParentLane, frame: &Frame) -> Vec<u8> {
    let mut bytes = vec![0; frame.header.payload_bytes as usize];
    parent.copy_payload_exact(frame, &mut bytes);
    bytes
}

/// Takes the next response, sleeping as a leader does until there is one.
fn next_response(parent: &mut ParentLane) -> (Header, Vec<u8>) {
    loop {
        if let Some(frame) = parent.peek().unwrap() {
            let payload = payload_of(parent, &frame);
            parent.advance(&frame);
            parent.wake_for_space();
            return (frame.header, payload);
        }
        let watch = parent.watch().clone();
        let seen = watch.raise_leader();
        if watch.response_word().load(Ordering::Acquire) == seen {
            let woken = procession_os::wait::wait(watch.response_word(), seen, Some(PATIENCE));
            assert!(woken, "the worker wakes the leader");
        }
        watch.lower_leader();
    }
}

#[test]
fn requests_are_answered_though_both_sides_sleep() {
    const COUNT: u64 = 2_000;
    let (mut parent, mut worker, _memories) = lane();
    let working = side(move || {
        let mut payload = Vec::new();
        for sequence in 1..=COUNT {
            let frame = worker.next_request().unwrap();
            assert!(worker.begin(frame.header.sequence));
            worker.copy_payload(&frame, &mut payload);
            assert_eq!(frame.header.sequence, sequence);
            worker.respond(header(sequence), &payload);
            worker.pass(&frame);
        }
    });
    for sequence in 1..=COUNT {
        let payload = vec![sequence as u8; sequence as usize % 500];
        let pushed = parent.send(header(sequence), &payload).expect("the ring has room");
        parent.wake_worker();
        let (answer, bytes) = next_response(&mut parent);
        assert_eq!((answer.sequence, bytes), (sequence, payload));
        assert!(parent.is_begun(sequence) && !parent.take_back(sequence));
        parent.release_requests(pushed.end);
    }
    working.join();
}

#[test]
fn a_worker_that_sleeps_is_woken() {
    let (mut parent, mut worker, _memories) = lane();
    let working = side(move || worker.next_request().unwrap().header.sequence);
    until("the worker falls asleep", || parent.watch().worker_is_asleep());
    assert!(parent.send(header(7), b"up").is_some());
    parent.wake_worker();
    assert_eq!(working.join(), 7);
}

#[test]
fn a_request_that_was_taken_back_is_stepped_over() {
    let (mut parent, mut worker, _memories) = lane();
    let pushed = parent.send(header(1), b"elsewhere").unwrap();
    assert!(parent.send(header(2), b"here").is_some());
    assert!(parent.take_back(1));
    assert_eq!(parent.read_back(&pushed), b"elsewhere");
    let frame = worker.next_request().unwrap();
    assert!(!worker.begin(frame.header.sequence));
    assert_ne!(parent.request_head(), pushed.end);
    worker.pass(&frame);
    assert_eq!(parent.request_head(), pushed.end);
    let frame = worker.next_request().unwrap();
    assert!(worker.begin(frame.header.sequence));
    assert!(!parent.take_back(2) && parent.is_begun(2) && !parent.is_begun(1));
}

#[test]
fn a_worker_waits_for_room_until_the_parent_drains() {
    const COUNT: u64 = 3_000;
    let (mut parent, mut worker, _memories) = lane();
    let working = side(move || {
        for sequence in 0..COUNT {
            worker.respond(header(sequence), &vec![sequence as u8; sequence as usize % 3_000]);
            worker.wake_parent();
        }
    });
    let urgent = parent.watch().urgent_word();
    until("the full ring calls the supervisor", || urgent.load(Ordering::Acquire) > 0);
    for sequence in 0..COUNT {
        let (answer, bytes) = next_response(&mut parent);
        assert_eq!(answer.sequence, sequence);
        assert_eq!(bytes, vec![sequence as u8; sequence as usize % 3_000]);
    }
    working.join();
    assert!(!parent.watch().has_responses());
}

#[test]
fn a_full_request_ring_refuses_until_it_is_released() {
    let (mut parent, _worker, _memories) = lane();
    let mut ends = Vec::new();
    while let Some(pushed) = parent.send(header(1), &[1; 1_000]) {
        ends.push(pushed.end);
    }
    parent.release_requests(u32::MAX);
    assert!(parent.send(header(1), &[1; 1_000]).is_none(), "nonsense releases nothing");
    parent.release_requests(ends[0]);
    assert!(parent.send(header(1), &[1; 900]).is_some());
}

#[test]
fn the_finished_items_of_a_dead_worker_are_found() {
    let (mut parent, mut worker, _memories) = lane();
    worker.respond(header(1), b"before");
    let mut part = worker.open_part(100);
    worker.append(&mut part, [b"o", b"ne"], 1);
    worker.append(&mut part, [b"t", b"wo"], 2);
    drop((worker, part));
    assert_eq!(parent.unfinished_part(), None, "not before what was published is taken");
    assert_eq!(next_response(&mut parent).1, b"before");
    let progress = parent.unfinished_part().unwrap();
    assert_eq!((progress.items, &progress.bytes[..]), (2, &b"onetwo"[..]));
}

#[test]
fn a_part_that_was_committed_is_a_response_and_no_longer_unfinished() {
    let (mut parent, mut worker, _memories) = lane();
    let mut part = worker.open_part(100);
    worker.append(&mut part, [b"o", b"ne"], 1);
    worker.commit_part(part, header(1));
    worker.wake_parent();
    assert_eq!(next_response(&mut parent).1, b"one");
    assert_eq!(parent.unfinished_part(), None);
}

/// The skip frame before an open part is no response: who waits must be able to sleep.
#[test]
fn a_part_at_the_end_of_a_lap_does_not_keep_the_parent_awake() {
    let (mut parent, mut worker, _memories) = lane();
    for sequence in 0..1_020 {
        worker.respond(header(sequence), &[]);
        next_response(&mut parent);
        if sequence % 100 == 0 {
            worker.wait_for_room();
        }
    }
    worker.wait_for_room();
    let mut part = worker.open_part(8 * 1024);
    assert!(parent.watch().has_responses(), "the skip frame");
    assert!(parent.peek().unwrap().is_none());
    assert!(!parent.watch().has_responses());
    worker.append(&mut part, [b"it", b"em"], 1);
    worker.commit_part(part, header(9));
    assert!(parent.watch().has_responses());
    assert_eq!(next_response(&mut parent).1, b"item");
}

#[test]
fn a_supervisor_is_called_when_it_asked() {
    let (mut parent, mut worker, _memories) = lane();
    let urgent = |parent: &ParentLane| parent.watch().urgent_word().load(Ordering::Acquire);
    for sequence in 1..=3 {
        assert!(parent.send(header(sequence), &[]).is_some());
    }
    assert!(parent.request_bell(BellRequest::At(2)));
    assert!(!parent.request_bell(BellRequest::At(2)), "nothing changed");
    for called in [0, 1, 1] {
        let frame = worker.next_request().unwrap();
        worker.pass(&frame);
        assert_eq!(urgent(&parent), called);
    }
    assert!(parent.request_bell(BellRequest::Always));
    worker.wake_parent();
    worker.wake_parent();
    assert_eq!(urgent(&parent), 3);
    assert!(parent.request_bell(BellRequest::Never));
    worker.wake_parent();
    assert_eq!(urgent(&parent), 3);
}

#[test]
fn bulk_segments_that_are_given_back_are_counted() {
    let (parent, worker, _memories) = lane();
    parent.watch().release_bulk(3);
    parent.watch().release_bulk(3);
    parent.watch().release_bulk(usize::MAX);
    assert_eq!((worker.bulk_released(3), worker.bulk_released(4)), (2, 0));
}

#[test]
fn a_lane_of_another_size_is_refused() {
    let (_parent, memories) = ParentLane::create().unwrap();
    let (other, _mapping) = Memory::create_shared("procession-test", 4096).unwrap();
    assert!(WorkerLane::attach(&memories[0], &other).is_err());
    assert!(WorkerLane::attach(&memories[1], &memories[1]).is_err(), "no magic there");
}

#[test]
fn a_call_that_shall_stop_learns_it_and_no_other_call_does() {
    let (parent, worker, _memories) = lane();
    let stop = worker.stop_request();
    assert!(!stop.names(0, 0) && !stop.names(7, 3), "nobody was asked");
    parent.ask_to_stop(7, 3);
    assert!(stop.names(7, 3));
    assert!(!stop.names(7, 2) && !stop.names(7, 4) && !stop.names(8, 3));
}

#[test]
fn the_parent_sees_how_many_items_of_a_part_are_finished() {
    let (parent, mut worker, _memories) = lane();
    assert_eq!(parent.finished_items(), 0);
    let mut part = worker.open_part(64);
    worker.append(&mut part, [b"one", b""], 1);
    worker.append(&mut part, [b"two", b""], 2);
    assert_eq!(parent.finished_items(), 2);
    worker.commit_part(part, header(1));
    assert_eq!(parent.finished_items(), 0, "what was published is counted elsewhere");
}
