//! Who does what when.

use crate::harness::{Contender, Outcome, Plan, Scenario, Unit};
use crate::limits::threads;
use crate::ours;
use crate::pace::Pace;
use crate::rivals::{procspawn, rayon};
use std::time::Duration;

/// Workers of all these scenarios. They only sleep, so that cores do not matter.
const WORKERS: usize = 4;

pub(super) fn all(plan: Plan) -> Vec<Scenario> {
    let mut scenarios = vec![five_sleeps(plan)];
    scenarios.extend([Order::LongLast, Order::LongFirst, Order::Random].map(|o| skewed(plan, o)));
    scenarios
}

fn five_sleeps(plan: Plan) -> Scenario {
    let nap = Duration::from_millis(plan.pick(1000, 100));
    let millis = nap.as_millis() as u64;
    let mut contenders = vec![
        Contender::limit("two sleeps, one after the other", move |_| {
            Pace::steady(0, 1, nap).time(|| {
                std::thread::sleep(nap);
                std::thread::sleep(nap);
                Ok(())
            })
        }),
        Contender::threads("rayon, 4 threads", move |_| rayon::sleeps(nap)),
        Contender::rival("procspawn, 4 processes", move |_| procspawn::sleeps(nap)),
    ];
    contenders.extend(Contender::python("Python Pool(4), fork", "sleeps", &[millis]));
    contenders.push(Contender::ours("procession, 4 workers", move |_| ours::lives::sleeps(nap)));
    let about = "five sleeps of 1 s (quick: 0.1 s) on four workers, start and end of the pool \
                 included";
    Scenario::new("five-sleeps", about, Unit::Time, contenders).rounds(3)
}

/// When the long tasks are submitted.
#[derive(Debug, Clone, Copy)]
enum Order {
    LongLast,
    LongFirst,
    Random,
}

impl Order {
    fn name(self) -> &'static str {
        match self {
            Self::LongLast => "skewed-long-last",
            Self::LongFirst => "skewed-long-first",
            Self::Random => "skewed-random",
        }
    }

    /// Milliseconds of each task.
    fn millis(self, plan: Plan) -> Vec<u64> {
        // As many long ones as workers go into a whole number of times: taken in order, long ones
        // that come last can then still end together.
        let (count, long, length) = plan.pick((1000, 8, 200), (100, 4, 20));
        let mut millis = vec![1; count];
        match self {
            Self::LongFirst => millis[..long].fill(length),
            Self::LongLast => millis[count - long..].fill(length),
            Self::Random => {
                // Places drawn once and for all, so that runs can be compared.
                for place in 0..long {
                    millis[(place * 7919 + 104_729 + place * place * 31) % count] = length;
                }
            }
        }
        millis
    }
}

/// How many times as long it took as those who take the tasks in the order in which they were
/// submitted, and know nothing about their lengths, would at best.
fn over_best(order: Order, plan: Plan, naps: Naps) -> Outcome<Vec<f64>> {
    let (time, lengths) = naps(&order.millis(plan))?;
    Ok(vec![time / in_order(&lengths)])
}

/// How many times as long as those who know all lengths beforehand.
fn over_optimum(order: Order, plan: Plan, naps: Naps) -> Outcome<Vec<f64>> {
    let (time, mut lengths) = naps(&order.millis(plan))?;
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    Ok(vec![time / in_order(&lengths)])
}

/// Does sleeps of so many milliseconds; the time for all, and of each.
type Naps = fn(&[u64]) -> Outcome<(f64, Vec<u64>)>;

/// Nanoseconds until all are done when each worker that is free takes the next.
fn in_order(lengths: &[u64]) -> f64 {
    let mut free_at = [0_u64; WORKERS];
    for length in lengths {
        if let Some(first) = free_at.iter_mut().min() {
            *first += length;
        }
    }
    free_at.into_iter().max().unwrap_or(0) as f64
}

fn skewed(plan: Plan, order: Order) -> Scenario {
    let on = move |naps: Naps| move |plan| over_best(order, plan, naps);
    let mut contenders = vec![
        Contender::limit("threads that share a counter", on(threads::naps)),
        Contender::threads("rayon, 4 threads", on(rayon::naps)),
        Contender::rival("procspawn, 4 processes", on(procspawn::naps)),
    ];
    let python = [plan.pick(0, 1), order as u64];
    contenders.extend(Contender::python("Python Pool(4), fork", "skewed", &python));
    contenders.push(Contender::ours("procession, 4 workers", on(ours::loads::naps)));
    contenders.push(Contender::ours("procession, over the optimum", move |plan| {
        over_optimum(order, plan, ours::loads::naps)
    }));
    let about = "1000 sleeps (quick: 100), most of 1 ms, eight (quick: four) of 200 ms (quick: 20 \
                 ms), on four workers; the time over that of the best schedule that takes tasks in \
                 the order in which they were submitted, for the sleeps as long as they really were; \
                 the optimum knows their lengths beforehand";
    Scenario::new(order.name(), about, Unit::Ratio, contenders).rounds(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_workers_take_the_next() {
        assert_eq!(in_order(&[1, 1, 1, 1, 5]), 6.0);
        assert_eq!(in_order(&[5, 1, 1, 1, 1]), 5.0);
        assert_eq!(in_order(&[]), 0.0);
    }

    #[test]
    fn orders_have_the_same_tasks() {
        let plan = Plan { quick: false, rounds: 1 };
        let sorted = [Order::LongLast, Order::LongFirst, Order::Random].map(|order| {
            let mut millis = order.millis(plan);
            millis.sort_unstable();
            millis
        });
        assert!(sorted.iter().all(|millis| *millis == sorted[0]));
        assert_eq!(sorted[0].iter().sum::<u64>(), 992 + 1600);
    }
}
