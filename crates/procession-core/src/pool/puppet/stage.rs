//! The pool and its puppets, and what must hold of them.

use super::super::config::Config;
use super::super::inner::State;
use super::super::shared::Shared;
use super::worker::{Places, Puppet, Strings, mix};
use crate::attachment::Attachments;
use crate::error::{Error, Fault};
use crate::message::{Record, status};
use crate::payload::{Finished, Value};
use crate::task::{Batch, Delivery, TaskCell, Terms};
use procession_os::process::Exit;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// The place of the puppet that does anything.
pub(super) const MAD: usize = 0;
/// The place of the puppet that does its work.
const HONEST: usize = 1;

/// How puppets end.
const KILLED: Exit = Exit::Signal { number: 9, core_dumped: false };

/// Most puppets of one script: a new one takes far longer than anything else.
const GENERATIONS_MAX: u32 = 24;

/// A pool and its puppets.
#[derive(Debug)]
pub(super) struct Stage {
    shared: Arc<Shared>,
    puppets: Places,
    tasks: Vec<(u64, Arc<TaskCell>)>,
    maps: Vec<Map>,
    next_number: u64,
    /// Numbers that the honest puppet has answered.
    answered: HashSet<u64>,
    /// What puppets were accused of.
    accused: BTreeSet<String>,
}

/// A map, and what came of it.
#[derive(Debug)]
struct Map {
    batch: Arc<Batch>,
    /// The number of its first item.
    first: u64,
    has_outcome: Vec<bool>,
}

impl Stage {
    /// A pool of two puppets that have been greeted and are ready.
    pub(super) fn set() -> Self {
        let puppets = Places::default();
        puppets.lock().extend([None, None]);
        let config = Config { workers: 2, task_grace: Duration::ZERO, ..Config::default() };
        let shared = Arc::new(Shared::new(config, Box::new(Strings::new(puppets.clone()))));
        let launched = shared.launch_all(&mut shared.lock());
        launched.expect("puppets are always to be had");
        let mut stage = Self {
            shared,
            puppets,
            tasks: Vec::new(),
            maps: Vec::new(),
            next_number: 1,
            answered: HashSet::new(),
            accused: BTreeSet::new(),
        };
        stage.greet(MAD);
        stage.greet(HONEST);
        stage
    }

    /// Has a puppet do something, if it is there and was not killed.
    pub(super) fn with<T>(&self, place: usize, act: impl FnOnce(&mut Puppet) -> T) -> Option<T> {
        let mut puppets = self.puppets.lock();
        puppets[place].as_mut().filter(|puppet| !puppet.is_killed()).map(act)
    }

    /// Hands in a task.
    pub(super) fn submit(&mut self, terms: &Terms) {
        let number = self.take_numbers(1);
        let finished = Finished::Private(number.to_le_bytes().to_vec());
        let (cell, _) = self.shared.submit(7, terms, finished, Attachments::default());
        self.tasks.push((number, cell));
    }

    /// Hands in a map of so many items, in chunks of as many as it says.
    pub(super) fn submit_map(&mut self, count: u64, chunk: Option<usize>, terms: Terms) {
        let first = self.take_numbers(count);
        let mut bytes = Vec::new();
        for number in first..first + count {
            bytes.extend_from_slice(&8_u32.to_le_bytes());
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let batch = Arc::new(Batch::new(9, terms, chunk));
        batch.push(&bytes, &vec![12; count as usize], &mut Vec::new());
        batch.seal();
        self.shared.kick(&batch, count);
        self.maps.push(Map { batch, first, has_outcome: vec![false; count as usize] });
    }

    fn take_numbers(&mut self, count: u64) -> u64 {
        let first = self.next_number;
        self.next_number += count;
        first
    }

    /// Whoever waits looks at the lanes.
    pub(super) fn collect(&mut self) {
        let mut inner = self.shared.lock();
        self.shared.collect(&mut inner);
        self.shared.tell_leader(&mut inner);
        let errors = inner.slots.iter().filter_map(|slot| slot.protocol_error.as_ref());
        for what in errors {
            if !self.accused.contains(what) {
                self.accused.insert(what.clone());
            }
        }
    }

    /// The supervisor looks at what is stalled, and at what has had its time.
    pub(super) fn look_at_clocks(&self) {
        let mut inner = self.shared.lock();
        self.shared.check_stalls(&mut inner);
        let _ = self.shared.check_limits(&mut inner);
    }

    /// A worker answers its next request, a chunk in so many parts.
    pub(super) fn answer(&mut self, place: usize, parts: usize) {
        // So there is room for the answer.
        self.collect();
        let answered = self.with(place, |puppet| puppet.answer(parts)).unwrap_or_default();
        if place == HONEST {
            self.answered.extend(answered);
        }
    }

    /// The sequence of the first request that a place has in flight.
    pub(super) fn first_sequence(&self) -> u64 {
        let inner = self.shared.lock();
        inner.slots[MAD].flights.front().map_or(0, |flight| flight.sequence)
    }

    /// Cancels a task or a map.
    pub(super) fn cancel(&self, which: usize, running: bool) {
        if let Some((_, cell)) = self.tasks.get(which) {
            self.shared.cancel(cell, running);
        } else if let Some(map) = self.maps.get(which.saturating_sub(self.tasks.len())) {
            self.shared.cancel_batch(&map.batch, running);
        }
    }

    /// A puppet ends, unless there were enough.
    pub(super) fn end(&mut self, place: usize) {
        let ended = self.shared.lock().slots[place].generation < GENERATIONS_MAX;
        if ended {
            self.end_puppet(place);
            self.greet(place);
        }
    }

    fn end_puppet(&self, place: usize) {
        let puppet = self.puppets.lock()[place].take();
        if let Some(mut puppet) = puppet {
            puppet.end(KILLED);
        }
        self.bury();
    }

    /// What the supervisor does about those that have ended.
    fn bury(&self) {
        loop {
            let exits = std::mem::take(&mut *self.shared.exits.lock());
            if exits.is_empty() {
                return;
            }
            let mut inner = self.shared.lock();
            for exited in exits {
                self.shared.bury(&mut inner, exited);
            }
        }
    }

    /// A fresh puppet says hello and is ready.
    fn greet(&mut self, place: usize) {
        self.with(place, Puppet::greet);
        self.answer(place, 1);
        self.collect();
    }

    /// Ends those that the pool has killed.
    pub(super) fn reap(&mut self) {
        self.check_honest();
        for place in [MAD, HONEST] {
            let is_killed = self.puppets.lock()[place].as_ref().is_some_and(Puppet::is_killed);
            if is_killed {
                self.end(place);
            }
        }
    }

    /// The honest puppet is accused of nothing.
    fn check_honest(&self) {
        let inner = self.shared.lock();
        let accused = &inner.slots[HONEST].protocol_error;
        assert!(accused.is_none(), "the honest worker is accused: {accused:?}");
    }

    /// Takes what has come of the maps.
    pub(super) fn take_deliveries(&mut self) {
        for map in &mut self.maps {
            while let Some(delivery) = map.batch.take_delivery() {
                let outcomes = outcomes_of(&delivery);
                for (index, outcome) in outcomes {
                    let has_outcome = &mut map.has_outcome[index as usize];
                    assert!(!*has_outcome, "item {index} has a second outcome: {delivery:?}");
                    *has_outcome = true;
                    let number = map.first + index;
                    check(number, outcome, self.answered.contains(&number));
                }
            }
        }
    }

    /// Everything ends, and is checked; gives what puppets were accused of.
    ///
    /// # Panics
    /// When something is not as it must be.
    pub(super) fn close(mut self) -> BTreeSet<String> {
        self.collect();
        self.check_honest();
        {
            let mut inner = self.shared.lock();
            inner.state = State::Terminated;
            self.shared.fail_everything(&mut inner, &Error::new(Fault::Terminated));
        }
        self.end_puppet(MAD);
        self.end_puppet(HONEST);
        self.take_deliveries();
        for map in &self.maps {
            assert!(map.batch.is_done(), "a map is not done");
            assert!(map.has_outcome.iter().all(|has| *has), "an item without an outcome");
        }
        for (number, cell) in &self.tasks {
            let outcome = cell.take().expect("a task has an outcome");
            let outcome = outcome.as_ref().map(value_bytes).map_err(Clone::clone);
            check(*number, outcome, self.answered.contains(number));
        }
        let inner = self.shared.lock();
        assert!(inner.is_idle() && inner.slots.iter().all(|slot| slot.flights.is_empty()));
        assert!(inner.slots.iter().all(|slot| slot.live.is_none()));
        let stats = &inner.stats;
        assert_eq!(stats.submitted, stats.succeeded + stats.failed + stats.dropped, "{stats:?}");
        drop(inner);
        self.accused
    }
}

/// What came of a number: the bytes of its value, if they can be read, or an error.
pub(super) type Came = Result<Option<Vec<u8>>, Error>;

/// A value's bytes, as a decoder gets them.
fn value_bytes(value: &Value) -> Option<Vec<u8>> {
    value.input().slice().ok().map(<[u8]>::to_vec)
}

/// What a delivery says of each item.
pub(super) fn outcomes_of(delivery: &Delivery) -> Vec<(u64, Came)> {
    match delivery {
        Delivery::Part { first, count, records, .. } => {
            let mut rest = &records[..];
            let mut take = || {
                let record = Record::split_first(&mut rest).expect("a part has its records");
                assert_eq!(record.status, status::VALUE, "a part has values");
                record.bytes.to_vec()
            };
            let outcomes = (*first..first + count).map(|index| (index, Ok(Some(take())))).collect();
            assert!(rest.is_empty(), "a part has no more than its records");
            outcomes
        }
        Delivery::Item { index, value } => vec![(*index, Ok(value_bytes(value)))],
        Delivery::Failed { first, count, failure } => {
            (*first..first + count).map(|index| (index, Err(failure.look()))).collect()
        }
    }
}

/// What the honest puppet has answered is what came, or nothing is wanted any more.
fn check(number: u64, outcome: Came, is_answered: bool) {
    if !is_answered {
        return;
    }
    match outcome {
        Ok(bytes) => assert_eq!(bytes.as_deref(), Some(&mix(number).to_le_bytes()[..])),
        Err(error) => {
            let is_unwanted = error.is_cancelled() || error.is_terminated() || error.is_timed_out();
            assert!(is_unwanted, "{number} was answered, and came to this: {error}");
        }
    }
}
