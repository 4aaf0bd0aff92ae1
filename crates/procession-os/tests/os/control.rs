//! The control channel: messages, handles, limits and ends.

use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

use procession_os::control::{Control, HANDLES_MAX, MESSAGE_BYTES_MAX, Received};
use procession_os::handle::Handle;
use procession_os::memory::Memory;
use procession_os::process::Exit;
use rustix::io::{FdFlags, fcntl_getfd};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socketpair,
};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::support::{Watchdog, await_closed, end_of, receive, start, start_with};

fn pair() -> (Control, Control) {
    Control::pair().expect("a channel")
}

fn pipe() -> (File, OwnedFd) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
    (File::from(reader), writer)
}

/// A channel whose other end is a plain socket, so that it can send what a [`Control`] does not.
fn hostile_peer() -> (OwnedFd, Control) {
    let (hostile, ours) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::empty(), None)
            .expect("a channel");
    let token = ours.into_raw_fd().to_string();
    (hostile, Control::from_inherited(&token).expect("a channel"))
}

fn send_raw(socket: &OwnedFd, bytes: &[u8], handles: &[OwnedFd]) {
    let handles: Vec<_> = handles.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(100))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !handles.is_empty() {
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&handles)));
    }
    let flags = SendFlags::empty();
    sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, flags).expect("a packet is sent");
}

fn try_receive(control: &Control) -> io::Result<Received> {
    control.recv(&mut Vec::new(), &mut Vec::new(), false)
}

#[test]
fn messages_arrive_whole_and_in_order_both_ways() {
    let (one, other) = pair();
    for (from, to) in [(&one, &other), (&other, &one)] {
        from.send(b"first", &[]).expect("there is room");
        from.send(b"second, and longer", &[]).expect("there is room");
        assert_eq!(receive(to).0, b"first");
        assert_eq!(receive(to).0, b"second, and longer");
        assert_eq!(try_receive(to).expect("an answer"), Received::Empty);
    }
}

#[test]
fn what_was_in_the_buffers_is_dropped() {
    let (one, other) = pair();
    let (mut reader, writer) = pipe();
    let (mut bytes, mut handles) = (vec![1; 100], vec![writer]);
    one.send(b"new", &[]).expect("there is room");
    let received = other.recv(&mut bytes, &mut handles, false);
    assert_eq!(received.expect("a message"), Received::Message);
    assert_eq!(bytes, b"new");
    assert!(handles.is_empty());
    assert_eq!(reader.read(&mut [0]).expect("an end"), 0, "it is closed");
}

#[test]
fn the_largest_message_with_the_most_handles_arrives() {
    let (one, other) = pair();
    let message: Vec<u8> = (0..MESSAGE_BYTES_MAX).map(|index| index as u8).collect();
    let (mut readers, writers): (Vec<File>, Vec<OwnedFd>) =
        (0..HANDLES_MAX).map(|_| pipe()).unzip();
    let lent: Vec<_> = writers.iter().map(AsFd::as_fd).collect();
    one.send(&message, &lent).expect("this is within the limits");
    drop(writers);
    let (bytes, handles) = receive(&other);
    assert!(bytes == message, "the bytes are those sent");
    assert_eq!(handles.len(), HANDLES_MAX);
    for (index, handle) in handles.into_iter().enumerate() {
        let flags = fcntl_getfd(&handle).expect("an open descriptor");
        assert!(flags.contains(FdFlags::CLOEXEC), "no child inherits it");
        File::from(handle).write_all(&[index as u8]).expect("the reader is there");
    }
    for (index, reader) in readers.iter_mut().enumerate() {
        let mut contents = Vec::new();
        reader.read_to_end(&mut contents).expect("all writers end");
        assert_eq!(contents, [index as u8], "handles keep their order");
    }
}

#[test]
fn a_message_over_the_limits_is_not_sent() {
    let (one, other) = pair();
    let too_long = vec![0; MESSAGE_BYTES_MAX + 1];
    let (memory, _mapping) = Memory::create_shared("test", 1).expect("memory");
    let too_many = [memory.handle(); HANDLES_MAX + 1];
    for result in [one.send(b"", &[]), one.send(&too_long, &[]), one.send(b"handles", &too_many)] {
        let error = result.expect_err("this is over the limit");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    }
    assert_eq!(try_receive(&other).expect("an answer"), Received::Empty);
}

#[test]
fn a_sender_is_told_when_the_peer_does_not_read() {
    let (one, other) = pair();
    let message = vec![0; MESSAGE_BYTES_MAX];
    let error = loop {
        if let Err(error) = one.send(&message, &[]) {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
    assert_eq!(receive(&other).0.len(), MESSAGE_BYTES_MAX);
    one.send(&message, &[]).expect("there is room again");
}

#[test]
fn what_the_peer_sent_is_read_before_its_end() {
    let _watchdog = Watchdog::start();
    let (one, other) = pair();
    one.send(b"last words", &[]).expect("there is room");
    drop(one);
    assert_eq!(receive(&other).0, b"last words");
    await_closed(&other);
    await_closed(&other);
    let error = other.send(b"lost", &[]).expect_err("nobody is there");
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{error}");
}

#[test]
fn what_the_peer_sent_is_read_even_if_it_did_not_listen() {
    let _watchdog = Watchdog::start();
    let (one, other) = pair();
    other.send(b"unread", &[]).expect("there is room");
    one.send(b"last words", &[]).expect("there is room");
    drop(one);
    assert_eq!(receive(&other).0, b"last words");
    await_closed(&other);
}

#[test]
fn a_reader_that_waits_learns_of_the_end() {
    let _watchdog = Watchdog::start();
    let (child, control) = start("serve");
    drop(control);
    assert_eq!(end_of(&child), Exit::Code(0));

    let (child, control) = start("exit with 3");
    await_closed(&control);
    assert_eq!(end_of(&child), Exit::Code(3));
}

#[test]
fn a_message_longer_than_the_limit_is_refused_and_the_next_is_not() {
    let (hostile, control) = hostile_peer();
    let (mut reader, writer) = pipe();
    send_raw(&hostile, &vec![0; MESSAGE_BYTES_MAX + 1], &[writer]);
    send_raw(&hostile, b"in order", &[]);
    let error = try_receive(&control).expect_err("it is too long");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    assert_eq!(reader.read(&mut [0]).expect("an end"), 0, "it is closed");
    assert_eq!(receive(&control).0, b"in order");
}

#[test]
fn more_handles_than_the_limit_are_refused_and_closed() {
    for count in [HANDLES_MAX + 1, HANDLES_MAX + 2, HANDLES_MAX + 3, 100] {
        let (hostile, control) = hostile_peer();
        let (readers, writers): (Vec<File>, Vec<OwnedFd>) = (0..count).map(|_| pipe()).unzip();
        send_raw(&hostile, b"handles", &writers);
        drop(writers);
        let mut handles: Vec<Handle> = Vec::new();
        let error =
            control.recv(&mut Vec::new(), &mut handles, false).expect_err("they are too many");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        assert!(handles.is_empty());
        for mut reader in readers {
            assert_eq!(reader.read(&mut [0]).expect("an end"), 0, "of {count}");
        }
    }
}

#[test]
fn an_empty_packet_reads_as_an_end() {
    let (hostile, control) = hostile_peer();
    send_raw(&hostile, b"", &[]);
    assert_eq!(try_receive(&control).expect("an answer"), Received::Closed);
}

#[test]
fn a_token_must_name_an_inherited_channel() {
    let refused = |token: &str, kind| {
        let error = Control::from_inherited(token).expect_err("this is no inherited channel");
        assert_eq!(error.kind(), kind, "for {token:?}: {error}");
    };
    for token in ["", "x", "-1", "0", "2", "3 ", "99999999999"] {
        refused(token, io::ErrorKind::InvalidInput);
    }
    refused("1000000", io::ErrorKind::InvalidData);
    let (one, _other) = pair();
    refused(&one.inherit_token(), io::ErrorKind::InvalidData);
}

#[test]
fn a_child_inherits_its_own_channel_and_no_other_and_takes_it_once() {
    let _watchdog = Watchdog::start();
    let (other, _peer) = pair();
    let other = other.inherit_token();
    let (child, _control) =
        start_with("check descriptors", &[("PROCESSION_OS_TEST_OTHER", Some(other.as_str()))]);
    assert_eq!(end_of(&child), Exit::Code(0));
}

#[test]
fn nothing_that_lasts_takes_the_place_of_a_standard_stream() {
    let _watchdog = Watchdog::start();
    let (child, _control) = start("close the streams");
    assert_eq!(end_of(&child), Exit::Code(0));
}
