//! The worker's own bulk segments, for results above the inline limit.

use super::control::ORPHANED;
use crate::message::Parcel;
use crate::payload::BulkSource;
use procession_ipc::bulk::{Bulk, BulkStore};
use procession_ipc::lane::WorkerLane;
use procession_ipc::layout::BULK_MAX;
use procession_os::control::Control;
use procession_os::process::exit_now;
use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::sync::Arc;

/// Segments that are free, that the parent reads, and that it knows.
#[derive(Debug)]
pub(super) struct OwnBulk {
    control: Arc<Control>,
    inner: RefCell<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: BulkStore,
    /// Sent and not yet given back.
    away: Vec<Bulk>,
    /// How often the segment in each place was sent.
    sent: [u32; BULK_MAX],
    known: HashSet<u64>,
}

impl OwnBulk {
    /// Those of one thread of this process, counted from 0.
    pub(super) fn new(control: Arc<Control>, thread: u64) -> Self {
        let inner = Inner {
            // So the threads' segments are told apart.
            store: BulkStore::starting_at(thread << 32, BULK_MAX),
            away: Vec::new(),
            sent: [0; BULK_MAX],
            known: HashSet::new(),
        };
        Self { control, inner: RefCell::new(inner) }
    }

    /// Takes back what the parent has read.
    pub(super) fn collect(&self, lane: &WorkerLane) {
        let inner = &mut *self.inner.borrow_mut();
        let mut index = 0;
        while index < inner.away.len() {
            let place = inner.away[index].id() as usize % BULK_MAX;
            if lane.bulk_released(place) == inner.sent[place] {
                let bulk = inner.away.swap_remove(index);
                // There are never more than may be, so none is given up.
                let _ = inner.store.put_back(bulk);
            } else {
                index += 1;
            }
        }
    }

    /// Makes sure that the parent has the segment, before a frame names it.
    pub(super) fn introduce(&self, bulk: &Bulk) -> std::io::Result<()> {
        let inner = &mut *self.inner.borrow_mut();
        if !inner.known.contains(&bulk.id()) {
            let message = Parcel::Bulk(bulk.id()).to_bytes();
            let sent = self.control.send(&message, &[bulk.memory().handle()]);
            if sent.is_err() && !self.control.is_open() {
                // Every large result would fail from now on: better to be replaced.
                exit_now(ORPHANED);
            }
            sent?;
            inner.known.insert(bulk.id());
        }
        Ok(())
    }

    /// Counts a segment as being read by the parent.
    pub(super) fn lend(&self, bulk: Bulk) {
        let inner = &mut *self.inner.borrow_mut();
        let sent = &mut inner.sent[bulk.id() as usize % BULK_MAX];
        *sent = sent.wrapping_add(1);
        inner.away.push(bulk);
    }
}

impl OwnBulk {
    /// Whether the parent reads any.
    pub(super) fn has_any_away(&self) -> bool {
        !self.inner.borrow().away.is_empty()
    }

    /// A segment filled with `bytes`; `None` when there are as many as there may be.
    pub(super) fn fill(&self, bytes: &[u8]) -> io::Result<Option<Bulk>> {
        let Some(mut bulk) = self.take(bytes.len())? else { return Ok(None) };
        let fits = bulk.append(bytes);
        assert!(fits, "the segment was made for these bytes");
        Ok(Some(bulk))
    }

    fn take(&self, bytes: usize) -> io::Result<Option<Bulk>> {
        let inner = &mut *self.inner.borrow_mut();
        let Some((bulk, given_up)) = inner.store.take(bytes)? else { return Ok(None) };
        if let Some(id) = given_up
            && inner.known.remove(&id)
        {
            // If the channel is full the parent keeps a mapping a little longer.
            let _ = self.control.send(&Parcel::BulkGone(id).to_bytes(), &[]);
        }
        Ok(Some(bulk))
    }
}

impl BulkSource for OwnBulk {
    fn take_bulk(&self, bytes: usize) -> Option<Bulk> {
        self.take(bytes).ok().flatten()
    }

    fn put_bulk(&self, bulk: Bulk) {
        // As above.
        let _ = self.inner.borrow_mut().store.put_back(bulk);
    }
}
