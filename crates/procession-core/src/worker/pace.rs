//! How long tasks take, without a clock for each.
//!
//! To read a clock costs as much as a tiny task. So of tiny tasks that follow each other without a
//! pause, only every few are measured, together; whatever takes longer is measured alone.

use std::time::Instant;

/// What is measured at once should take at least this.
const SPAN_NS: u64 = 1_000;
/// Most tasks that are measured at once: what follows tiny tasks may be long, and is not known to be
/// until it is measured.
const TASKS_MAX: u32 = 8;

/// Measures the tasks of one worker.
#[derive(Debug)]
pub(super) struct Pace {
    /// Since when the worker has been busy; `None` while it waits.
    busy_since: Option<Instant>,
    /// Nanoseconds that it was busy before that, with the tasks that are being measured.
    busy_ns: u64,
    /// How many of them have ended.
    ended: u32,
    /// How many are measured at once.
    at_once: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { busy_since: None, busy_ns: 0, ended: 0, at_once: 1 }
    }
}

impl Pace {
    /// The worker has nothing to do, and so the time to read a clock.
    pub(super) fn pause(&mut self) {
        if let Some(since) = self.busy_since.take() {
            self.busy_ns += since.elapsed().as_nanos() as u64;
        }
    }

    /// A task begins.
    pub(super) fn begin(&mut self) {
        self.busy_since.get_or_insert_with(Instant::now);
    }

    /// A task has ended: the nanoseconds that one took of late, or 0 if that was not measured.
    pub(super) fn end(&mut self) -> u64 {
        self.ended += 1;
        let Some(since) = self.busy_since.filter(|_| self.ended >= self.at_once) else { return 0 };
        let now = Instant::now();
        let busy_ns = self.busy_ns + now.duration_since(since).as_nanos() as u64;
        let each = (busy_ns / u64::from(self.ended)).max(1);
        self.at_once = (SPAN_NS / each).clamp(1, TASKS_MAX.into()) as u32;
        *self = Self { busy_since: Some(now), busy_ns: 0, ended: 0, at_once: self.at_once };
        each
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_stands_alone_is_measured() {
        let mut pace = Pace::default();
        pace.begin();
        assert!(pace.end() > 0);
    }

    #[test]
    fn tiny_tasks_in_a_row_share_a_measurement_but_never_more_than_a_few() {
        let mut pace = Pace::default();
        let mut unmeasured = 0;
        for _ in 0..1_000 {
            pace.begin();
            unmeasured = if pace.end() == 0 { unmeasured + 1 } else { 0 };
            assert!(unmeasured < TASKS_MAX);
        }
    }

    #[test]
    fn tasks_with_pauses_between_them_are_measured_all_the_same() {
        let mut pace = Pace { at_once: TASKS_MAX, ..Pace::default() };
        let measured = (0..TASKS_MAX).filter(|_| {
            pace.begin();
            let measured = pace.end() > 0;
            pace.pause();
            measured
        });
        assert_eq!(measured.count(), 1);
    }
}
