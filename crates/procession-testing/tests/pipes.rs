//! Pipes between processes, and what an end learns of the other's.

use procession::{Connection, Pool, Process, Receiver, Sender, pipe, pipe_one_way};
use procession_testing::{Harness, again_by, send};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

fn echo(end: Connection<Vec<u32>, Vec<u32>>) -> procession::Result<u32> {
    let mut count = 0;
    while let Some(item) = end.recv_or_end()? {
        end.send(&item)?;
        count += 1;
    }
    Ok(count)
}

#[procession::test]
fn an_end_echoes_until_the_other_is_dropped() {
    let _harness = Harness::start("an echo", LIMIT);
    let (here, there) = pipe().unwrap();
    let mut child = Process::new(echo, (there,));
    child.start().unwrap();
    for length in (0..2_000).map(|length| length % 700) {
        let item = vec![7; length];
        here.send(&item).unwrap();
        assert_eq!(here.recv().unwrap(), item);
    }
    let items: Vec<_> = (0..300).map(|number| vec![number; 50]).collect();
    items.iter().for_each(|item| here.send(item).unwrap());
    assert!(items.iter().all(|item| here.recv().unwrap() == *item));
    assert!(!here.poll(Duration::from_millis(1)).unwrap());
    drop(here);
    assert_eq!(child.join().unwrap().unwrap(), 2_300);
}

fn send_some(end: Sender<u32>, count: u32) -> procession::Result<()> {
    for item in 0..count {
        end.send(&item)?;
    }
    std::thread::sleep(LIMIT);
    Ok(())
}

#[procession::test]
fn who_reads_gets_what_a_killed_writer_had_sent_and_then_the_end() {
    let _harness = Harness::start("a killed writer", LIMIT);
    for count in [0, 1, 500] {
        let (reader, writer) = pipe_one_way().unwrap();
        let mut child = Process::new(send_some, (writer, count));
        child.start().unwrap();
        for item in 0..count {
            assert_eq!(reader.recv().unwrap(), item);
        }
        assert_eq!(reader.recv_timeout(Duration::from_millis(1)).unwrap(), None);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| reader.recv());
            let pid = child.pid().unwrap();
            assert!(send(pid.cast_signed(), libc::SIGKILL));
            assert!(waits.join().unwrap().unwrap_err().is_closed());
        });
        assert!(reader.poll(LIMIT).unwrap(), "an end is something to receive");
        child.join().unwrap_err();
    }
}

fn recv_one(end: Receiver<u32>) -> procession::Result<u32> {
    end.recv()
}

#[procession::test]
fn who_writes_is_told_when_nobody_reads_any_more() {
    let _harness = Harness::start("a reader that ends", LIMIT);
    let (reader, writer) = pipe_one_way().unwrap();
    let mut child = Process::new(recv_one, (reader,));
    child.start().unwrap();
    writer.send(&5).unwrap();
    assert_eq!(child.join().unwrap().unwrap(), 5);
    assert!(writer.send(&6).unwrap_err().is_closed());
}

#[procession::test]
fn an_end_that_many_have_is_gone_with_the_last() {
    let _harness = Harness::start("an end of many", LIMIT);
    let (reader, writer) = pipe_one_way().unwrap();
    let pool = Pool::new(2).unwrap();
    let send_one = |end: Sender<u32>, item: u32| end.send(&item);
    let sent = pool.starmap(send_one, (0..100).map(|item| (writer.clone(), item))).unwrap();
    assert!(sent.into_iter().all(|sent| sent.is_ok()));
    drop(writer);
    let mut items = Vec::new();
    while let Some(item) = reader.recv_or_end().unwrap() {
        items.push(item);
    }
    items.sort_unstable();
    assert!(items.into_iter().eq(0..100));
    pool.close();
    pool.join().unwrap();
}

#[procession::test]
fn an_end_of_other_items_is_refused() {
    let _harness = Harness::start("an end taken for another", LIMIT);
    let (here, there) = pipe::<u8, u16>().unwrap();
    let as_bytes = encoded(&here);
    assert!(as_bytes.is_err(), "an end travels with a task only");
    let mut child = Process::new(|end: Connection<u16, u8>| end.send(&300), (there,));
    child.start().unwrap();
    assert_eq!(here.recv().unwrap(), 300);
    child.join().unwrap().unwrap();
}

fn encoded(end: &Connection<u8, u16>) -> Result<String, serde_json::Error> {
    serde_json::to_string(end)
}

again_by! { Spawn in spawned:
    an_end_echoes_until_the_other_is_dropped,
    who_reads_gets_what_a_killed_writer_had_sent_and_then_the_end,
    who_writes_is_told_when_nobody_reads_any_more,
}
