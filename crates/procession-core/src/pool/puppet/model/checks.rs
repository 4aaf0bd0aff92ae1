//! What must hold when all have come to rest.

use super::super::super::inner::Work;
use super::super::super::slot::{Phase, Slot, Target};
use super::player::Process;
use super::world::World;
use crate::rest;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Longest time until somebody looks who was not told that there is something to do.
const SOON: Duration = Duration::from_millis(1100);

impl World {
    /// All threads go on until they rest, and what must hold then is checked.
    pub(super) fn go_on(&mut self) {
        self.director.let_go_on();
        for waiter in &self.waiters {
            let is_gone = self.director.is_gone(waiter.seat);
            assert!(is_gone || !waiter.goal.is_over(), "nobody woke who waits");
        }
        let inner = self.shared.lock();
        for slot in &inner.slots {
            assert!(slot.protocol_error.is_none(), "accused: {:?}", slot.protocol_error);
            assert!(slot.live.is_none() || !slot.is_unrung(), "a worker was not woken");
        }
        if inner.state.has_ended() {
            return;
        }
        // Without anybody at work, somebody looks soon if anything waits.
        let is_busy = inner.slots.iter().any(|slot| slot.live.is_some() && slot.unfinished > 0);
        let is_starting = |slot: &Slot| matches!(slot.phase, Phase::Starting(_));
        let is_awaited = inner.slots.iter().any(|slot| is_starting(slot) || is_ending(slot));
        if !inner.injector.is_empty() && !is_busy && !is_awaited {
            let soon = rest::now() + SOON;
            let is_told = self.director.next_deadline().is_some_and(|time| time <= soon);
            assert!(is_told, "work waits, and nobody will look: {inner:#?}");
        }
        drop(inner);
        for task in &self.tasks {
            let is_woken =
                task.waker.as_ref().is_none_or(|woken| woken.0.load(Ordering::Relaxed) > 0);
            assert!(is_woken || !task.cell.is_done(), "nobody woke who polls {}", task.number);
        }
    }

    /// Nothing waits while a worker has long been idle.
    pub(super) fn check_idle(&self) {
        let inner = self.shared.lock();
        if inner.state.has_ended() {
            return;
        }
        let troupe = &self.troupe.lock().places;
        let is_idle = |(place, slot): (usize, &Slot)| {
            slot.phase == Phase::Ready
                && slot.unfinished == 0
                && slot.takes_tasks()
                && inner.has_tasks_left(slot)
                && troupe[place / self.threads].as_ref().is_some_and(Process::is_well)
        };
        let Some(idle) = inner.slots.iter().enumerate().position(is_idle) else { return };
        for work in &inner.injector {
            let waits = match work {
                Work::Request(_) => true,
                Work::Batch(batch) => batch.uncut() > 0,
            };
            assert!(!waits, "worker {idle} is idle, and this waits: {work:?}");
        }
        for slot in inner.slots.iter().filter(|slot| slot.phase == Phase::Ready) {
            assert!(slot.unfinished < 2, "worker {idle} is idle, and tasks wait: {slot:#?}");
        }
    }

    /// What has had its time has its outcome, and later its worker is killed.
    pub(super) fn check_limits(&mut self, jump: Duration) {
        self.look();
        if self.shared.lock().state.has_ended() {
            return;
        }
        let (now, grace) = (rest::now(), self.shared.config.task_grace);
        let slack = 3 * jump + Duration::from_millis(120);
        // One that was killed is not looked at any more.
        let is_looked_at = |process: &&Process| !process.is_to_end();
        for process in self.troupe.lock().places.iter().flatten().filter(is_looked_at) {
            for thread in 0..self.threads {
                let Some(number) = process.runs(thread) else { continue };
                let Some((ran, limit)) = self.ledger.time_of(number, now) else { continue };
                let late = limit + limit / 4 + slack;
                assert!(ran < late || self.ledger.is_settled(number), "{number} has had its time");
                assert!(ran < late + grace, "{number} has had its grace");
            }
        }
    }
}

/// Whether its process was told to end, or has to.
fn is_ending(slot: &Slot) -> bool {
    let is_start = |target: &Option<Target>| matches!(target, Some(Target::Start));
    matches!(slot.phase, Phase::Stopping | Phase::Retiring)
        || slot.flights.iter().any(|flight| is_start(&flight.target))
}
