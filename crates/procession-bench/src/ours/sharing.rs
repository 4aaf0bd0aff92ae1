//! What processes have in common: locks, values, queues, pipes, events, objects.

use crate::harness::Outcome;
use crate::pace::{Body, time_once};
use procession::{Connection, Event, Lock, Manager, Process, Proxy, Queue, RawValue, Value, pipe};
use std::time::{Duration, Instant};

/// Nanoseconds of each of so many calls, in several samples.
pub(crate) fn each(count: u64, mut call: impl FnMut() -> Outcome<()>) -> Outcome<Vec<f64>> {
    const SAMPLES: u64 = 20;
    let part = (count / SAMPLES).max(1);
    let sample = |_| {
        let time = time_once(|| (0..part).try_for_each(|_| call()))?;
        Ok(time / part as f64)
    };
    (0..SAMPLES).map(sample).collect()
}

/// A lock that nobody else wants.
pub(crate) fn lock(count: u64) -> Outcome<Vec<f64>> {
    let lock = Lock::new()?;
    each(count, || Ok(lock.lock().map(drop)?))
}

fn keep_locking(lock: Lock, stop: Event) -> procession::Result<()> {
    while !stop.is_set() {
        drop(lock.lock()?);
    }
    Ok(())
}

/// A lock that another process takes again and again.
pub(crate) fn contended(count: u64) -> Outcome<Vec<f64>> {
    let (lock, stop) = (Lock::new()?, Event::new()?);
    let mut other = Process::new(keep_locking, (lock.clone(), stop.clone()));
    other.start()?;
    let samples = each(count, || Ok(lock.lock().map(drop)?));
    stop.set();
    other.join()??;
    samples
}

/// Adding to a value under its lock.
pub(crate) fn increment(count: u64) -> Outcome<Vec<f64>> {
    let value = Value::new(0_u64)?;
    each(count, || {
        *value.lock()? += 1;
        Ok(())
    })
}

/// Adding to an integer at one go.
pub(crate) fn atomic_increment(count: u64) -> Outcome<Vec<f64>> {
    let value = RawValue::new(0_u64)?;
    each(count, || {
        value.fetch_add(1);
        Ok(())
    })
}

fn take_all(items: Queue<Vec<u64>>, done: Queue<u64>) -> procession::Result<()> {
    let mut count = 0;
    for item in &items {
        count += std::hint::black_box(item?).len() as u64;
    }
    done.put(&count)
}

fn take_numbers(items: Queue<u64>, done: Queue<u64>) -> procession::Result<()> {
    let mut sum = 0;
    for item in &items {
        sum += item?;
    }
    done.put(&sum)
}

fn put_numbers(items: Queue<u64>, go: Event, count: u64) -> procession::Result<()> {
    go.wait();
    for _ in 0..count {
        items.put(&1)?;
    }
    Ok(())
}

/// Items of eight bytes from so many processes to as many others; nanoseconds for each.
pub(crate) fn numbers(pairs: u64, count: u64) -> Outcome<Vec<f64>> {
    let (items, done, go) = (Queue::new()?, Queue::new()?, Event::new()?);
    let each = count / pairs;
    let mut takers = Vec::new();
    let mut putters = Vec::new();
    for _ in 0..pairs {
        let mut taker = Process::new(take_numbers, (items.clone(), done.clone()));
        taker.start()?;
        takers.push(taker);
        // This process is one of those who put.
        if putters.len() as u64 + 1 < pairs {
            let mut putter = Process::new(put_numbers, (items.clone(), go.clone(), each));
            putter.start()?;
            putters.push(putter);
        }
    }
    let start = Instant::now();
    go.set();
    put_numbers(items.clone(), go, each)?;
    for putter in &mut putters {
        putter.join()??;
    }
    items.close()?;
    let mut sum = 0;
    for _ in 0..pairs {
        sum += done.get()?;
    }
    let time = start.elapsed();
    for taker in &mut takers {
        taker.join()??;
    }
    if sum != each * pairs {
        return Err(format!("{sum} items of {}", each * pairs).into());
    }
    Ok(vec![time.as_nanos() as f64 / sum as f64])
}

/// Vectors of so many bytes from this process to another; nanoseconds for each.
pub(crate) fn vectors(bytes: usize, count: u64) -> Outcome<Vec<f64>> {
    let (items, done) = (Queue::bounded(64)?, Queue::new()?);
    let mut taker = Process::new(take_all, (items.clone(), done.clone()));
    taker.start()?;
    let item = vec![7_u64; bytes / 8];
    items.put(&item)?;
    let time = time_once(|| {
        for _ in 1..count {
            items.put(&item)?;
        }
        items.close()?;
        done.get()?;
        Ok(())
    })?;
    taker.join()??;
    Ok(vec![time / count as f64])
}

fn echo(end: Connection<u64, u64>) -> procession::Result<()> {
    while let Some(number) = end.recv_or_end()? {
        end.send(&number)?;
    }
    Ok(())
}

/// Round trips over a pipe.
pub(crate) fn pipe_session(body: Body<'_>) -> Outcome<()> {
    let (here, there) = pipe()?;
    let mut child = Process::new(echo, (there,));
    child.start()?;
    let called = body(&mut |number| {
        here.send(&number)?;
        Ok(here.recv()?)
    });
    drop(here);
    child.join()??;
    called
}

fn answer(asked: Event, answered: Event, stop: Event) -> procession::Result<()> {
    loop {
        asked.wait();
        asked.clear();
        if stop.is_set() {
            return Ok(());
        }
        answered.set();
    }
}

/// Wake-ups of another process by an event, and back by another.
pub(crate) fn event_session(body: Body<'_>) -> Outcome<()> {
    let (asked, answered, stop) = (Event::new()?, Event::new()?, Event::new()?);
    let mut child = Process::new(answer, (asked.clone(), answered.clone(), stop.clone()));
    child.start()?;
    let called = body(&mut |number| {
        asked.set();
        answered.wait();
        answered.clear();
        Ok(number)
    });
    stop.set();
    asked.set();
    child.join()??;
    called
}

/// Calls of an object in a manager.
pub(crate) fn manager_session(body: Body<'_>) -> Outcome<()> {
    let manager = Manager::new()?;
    let object: Proxy<u64> = manager.create(|| 0_u64, ())?;
    let set = |object: &mut u64, number: u64| {
        *object = number;
        *object
    };
    let called = body(&mut |number| Ok(object.call(set, (number,))?));
    manager.shutdown()?;
    called
}

/// How long a turn takes at most.
pub(crate) const AT_MOST: Duration = Duration::from_millis(400);
