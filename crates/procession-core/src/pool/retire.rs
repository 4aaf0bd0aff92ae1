//! Replacing a worker process although nothing is wrong with it: it has run its number of tasks, has
//! too much memory, or has run a task that panicked.
//!
//! The parent counts tasks when it sends them, and so never sends a process more than it may run. The
//! other reasons are the worker's to see: it says so, begins nothing from then on, and its whole team
//! gets nothing more. What was not begun runs elsewhere. When nothing of the team is left it is told to
//! stop, and its end is no failure.

#[cfg(test)]
mod tests;

use super::collect::accuse;
use super::inner::{Inner, Work};
use super::shared::Shared;
use super::slot::{Load, Phase, Request, Slot, Target};
use crate::rest;
use crate::task::Chunk;
use std::ops::Range;

impl Inner {
    /// How many more tasks the process may be sent.
    pub(super) fn tasks_left(&self, process: usize) -> u64 {
        self.retirement.tasks_max.map_or(u64::MAX, |max| {
            let sent = self.slots[self.team(process)].iter().map(|slot| slot.sent).sum();
            max.saturating_sub(sent)
        })
    }

    /// Whether the worker may be sent another task, as far as their number goes.
    #[inline]
    pub(super) fn has_tasks_left(&self, slot: &Slot) -> bool {
        self.retirement.tasks_max.is_none() || self.tasks_left(slot.process) > 0
    }

    /// The processes that have been sent all that they may run: nobody else knows when they are through.
    pub(super) fn spent(&self) -> Vec<bool> {
        if self.retirement.tasks_max.is_none() {
            return Vec::new();
        }
        let processes = self.slots.len() / self.threads;
        (0..processes).map(|process| self.tasks_left(process) == 0).collect()
    }

    /// Cuts a chunk to the tasks that the worker may be sent; `true` when something is
    /// left of it, which stands in the injector now.
    pub(super) fn cut_to_fit(&mut self, index: usize, request: &mut Request) -> bool {
        if self.retirement.tasks_max.is_none() {
            return false;
        }
        let most = self.tasks_left(self.slots[index].process);
        let rest = request.split_off(most);
        let was_cut = rest.is_some();
        if let Some(rest) = rest {
            self.injector.push_front(Work::Request(rest));
        }
        was_cut
    }
}

impl Shared {
    /// Sees to the processes that are to be replaced.
    pub(super) fn retire_due(&self, inner: &mut Inner) {
        if !inner.retirement.is_possible() || inner.state.has_ended() {
            return;
        }
        for process in 0..self.config.workers {
            self.retire(inner, process);
        }
    }

    /// Replaces a process, if that is due, as far as its tasks allow by now.
    fn retire(&self, inner: &mut Inner, process: usize) {
        let team = inner.team(process);
        let lead = &inner.slots[team.start];
        if lead.live.is_none() || lead.phase == Phase::Stopping {
            return;
        }
        if inner.slots[team.clone()].iter().any(|slot| slot.retires_at.is_some()) {
            for slot in &mut inner.slots[team.clone()] {
                slot.enter(Phase::Retiring);
            }
            withdraw(inner, team.clone());
        } else if inner.tasks_left(process) > 0 {
            return;
        }
        if inner.slots[team.clone()].iter().all(|slot| slot.unfinished == 0) {
            self.stop(inner, team);
        }
    }

    /// Tells a process to stop that has nothing left to do.
    fn stop(&self, inner: &mut Inner, team: Range<usize>) {
        let lead = &mut inner.slots[team.start];
        if lead.stop_by.is_none() {
            lead.stop_by = Some(rest::now() + self.config.grace);
            lead.was_retired = true;
            // It ends it if it does not.
            self.supervisor.nudge();
        }
        // Without room it is told when it has stepped over what was taken back.
        let is_told = lead.tell_to_stop();
        for slot in &mut inner.slots[team] {
            slot.enter(if is_told { Phase::Stopping } else { Phase::Retiring });
        }
    }
}

/// Takes everything back that a team has not begun, to be run elsewhere.
pub(super) fn withdraw(inner: &mut Inner, team: Range<usize>) {
    for index in team {
        let slot = &mut inner.slots[index];
        let mut back = Vec::new();
        while let Some(request) = slot.take_back_last() {
            back.push(request);
        }
        if let Some(sequence) = slot.retires_at {
            back.extend(slot.take_rest(sequence));
            if slot.unfinished > 0 {
                accuse(slot, "that it begins nothing more, in the middle of a task");
            }
        }
        // The last was taken back first.
        for request in back {
            inner.injector.push_front(Work::Request(request));
        }
    }
}

impl Request {
    /// Takes off what is beyond the first `most` tasks of a chunk.
    fn split_off(&mut self, most: u64) -> Option<Self> {
        let Target::Chunk(span) = &mut self.target else { return None };
        if span.count <= most {
            return None;
        }
        let bytes = match &self.load {
            Load::Private(bytes) => bytes.to_vec(),
            Load::Bulk(bulk) => bulk.to_vec(),
        };
        let (first, count) = (span.first, span.count);
        let mut rest = Chunk { first, count, bytes, attachments: self.attachments.clone() };
        rest.drop_front(most);
        span.count = most;
        let (batch, attempts_before) = (span.batch.clone(), span.attempts_before);
        let overdue = std::mem::take(&mut span.overdue);
        span.overdue = overdue.iter().copied().filter(|index| *index < first + most).collect();
        // Too many items in a bulk segment are not looked at; those in private memory need not be sent.
        if let Load::Private(bytes) = &mut self.load {
            let kept = bytes.len() - rest.bytes.len();
            bytes.truncate(kept);
        }
        Some(Self::of_chunk(rest, batch, attempts_before, &overdue))
    }
}
