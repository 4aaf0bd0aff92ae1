//! Listeners and those who connect to them.

use procession::{Address, AuthKey, Client, Listener, Process};
use procession_testing::{Harness, send};
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// Squares what it is sent until there is no more.
fn square(address: String) -> procession::Result<u64> {
    let connection = Client::connect::<Vec<u64>, u64>(&Address::local(address))?;
    let mut count = 0;
    while let Some(number) = connection.recv_or_end()? {
        connection.send(&vec![number; number as usize])?;
        count += 1;
    }
    Ok(count)
}

#[procession::test]
fn a_child_has_its_parents_key_and_items_of_all_sizes_go_both_ways() {
    let _harness = Harness::start("a connection to a child", LIMIT);
    let listener = Listener::new().unwrap();
    let address = listener.address().unwrap().to_string();
    let mut child = Process::new(square, (address,));
    child.start().unwrap();
    let connection = listener.accept::<u64, Vec<u64>>().unwrap();
    for number in [0, 1, 5, 3_000, 2_000_000, 7] {
        connection.send(&number).unwrap();
        let squared = connection.recv().unwrap();
        assert!(squared.len() as u64 == number && squared.iter().all(|each| *each == number));
    }
    assert!(!connection.poll(Duration::from_millis(1)).unwrap());
    assert_eq!(connection.recv_timeout(Duration::ZERO).unwrap(), None);
    drop(connection);
    assert_eq!(child.join().unwrap().unwrap(), 6);
}

fn connect_and_wait(address: String) -> procession::Result<()> {
    let connection = Client::connect::<u8, u8>(&Address::local(address))?;
    connection.send(&1)?;
    std::thread::sleep(LIMIT);
    Ok(())
}

#[procession::test]
fn whoever_waits_is_told_of_the_end_of_one_that_is_killed() {
    let _harness = Harness::start("a killed client", LIMIT);
    let listener = Listener::new().unwrap();
    let mut child = Process::new(connect_and_wait, (listener.address().unwrap().to_string(),));
    child.start().unwrap();
    let connection = listener.accept::<u8, u8>().unwrap();
    assert_eq!(connection.recv().unwrap(), 1);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| connection.recv());
        assert!(send(child.pid().unwrap().cast_signed(), libc::SIGKILL));
        assert!(waits.join().unwrap().unwrap_err().is_closed());
    });
    child.join().unwrap_err();
}

#[procession::test]
fn who_has_another_key_or_none_is_refused_and_the_next_is_not() {
    let _harness = Harness::start("strangers", LIMIT);
    let network = Address::network("127.0.0.1:0").unwrap();
    let key = AuthKey::new(*b"a key of both");
    let listener = Listener::bind_with_key(&network, key.clone()).unwrap();
    let address = listener.address().unwrap();
    std::thread::scope(|scope| {
        let guess = scope
            .spawn(|| Client::connect_with_key::<u8, u8>(&address, &AuthKey::new(*b"a guess")));
        listener.accept::<u8, u8>().unwrap_err();
        let error = guess.join().unwrap().unwrap_err();
        assert!(error.to_string().contains("another key"), "{error}");
        let mut stranger = TcpStream::connect(address.to_string()).unwrap();
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let error = listener.accept::<u8, u8>().unwrap_err();
        assert!(error.to_string().contains("speaks something else"), "{error}");
        let friend = scope.spawn(|| {
            let connection = Client::connect_with_key::<u8, u8>(&address, &key)?;
            connection.send(&9)
        });
        assert_eq!(listener.accept::<u8, u8>().unwrap().recv().unwrap(), 9);
        friend.join().unwrap().unwrap();
    });
}

#[procession::test]
fn a_name_is_taken_as_long_as_its_listener_lives() {
    let _harness = Harness::start("names", LIMIT);
    let address = Address::local(format!("procession-name-{}", std::process::id()));
    assert!(Client::connect::<u8, u8>(&address).is_err(), "nobody listens");
    let listener = Listener::bind(&address).unwrap();
    assert!(Listener::bind(&address).is_err(), "it is taken");
    drop(listener);
    drop(Listener::bind(&address).unwrap());
    for name in ["", "a\0b", &"x".repeat(200)] {
        assert!(Listener::bind(&Address::local(name)).is_err(), "{name:?}");
    }
}
