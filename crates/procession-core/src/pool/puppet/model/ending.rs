//! The end of a play: everything comes to its end, in time.

use super::ledger::Totals;
use super::plot::Ending;
use super::world::World;
use crate::rest;
use std::time::Duration;

/// Longest time that it takes until a pool has come to its end with workers that do all they should.
const PATIENCE: Duration = Duration::from_secs(120);

impl World {
    /// Brings the play to its end.
    pub(super) fn end_as(mut self, ending: Ending) {
        self.make_whole();
        if !matches!(ending, Ending::Terminate { .. }) {
            self.join();
        }
        if ending != Ending::Join {
            self.director.let_go_on();
            self.terminate();
        }
        let stubborn = ending == Ending::Terminate { stubborn: true };
        let begun = rest::now();
        loop {
            self.go_on();
            let mut last = self.joining.iter().chain(&self.terminating);
            let is_over = last.all(|seat| self.director.is_gone(*seat));
            let waiting = self
                .waiters
                .iter()
                .map(|waiter| waiter.seat)
                .find(|seat| !self.director.is_gone(*seat));
            if is_over && waiting.is_none() && self.director.is_gone(self.supervisor) {
                break;
            }
            let is_done = self.director.is_gone(self.supervisor);
            assert!(!is_done || is_over, "the pool has ended, and nobody told who waits for that");
            let has_worked = self.work();
            let has_reaped = self
                .reap(|process| if stubborn { process.is_killed() } else { process.is_to_end() });
            if has_worked || has_reaped {
                continue;
            }
            let now = rest::now();
            let next = self.director.next_deadline().filter(|time| *time < begun + PATIENCE);
            let Some(next) = next else {
                let inner = self.shared.lock();
                panic!("hangs (ended: {is_over}, still waiting: {waiting:?}): {inner:#?}")
            };
            self.director.pass_time(next.saturating_duration_since(now));
        }
        assert!(self.is_all_done(), "the pool has ended, and a task has not");
        self.look();
        self.ledger.check_all();
        let inner = self.shared.lock();
        assert!(inner.is_idle() && inner.slots.iter().all(|slot| slot.flights.is_empty()));
        assert!(inner.slots.iter().all(|slot| slot.live.is_none()));
        let stats = inner.stats;
        let counted = Totals {
            submitted: stats.submitted,
            succeeded: stats.succeeded,
            failed: stats.failed,
            lost: stats.lost,
            timed_out: stats.timed_out,
            cancelled: stats.cancelled,
            dropped: stats.dropped,
        };
        let over = counted.succeeded + counted.failed + counted.dropped;
        assert_eq!(counted.submitted, over, "{counted:?}");
        let is_all_seen = self.ledger.forgotten == 0;
        assert!(
            !is_all_seen || counted == self.ledger.totals,
            "{counted:?}, and {:?}",
            self.ledger.totals
        );
    }
}
