//! Real work on all cores.

use crate::harness::{Contender, Outcome, Plan, Scenario, Unit};
use crate::kernels::Kernel;
use crate::limits::threads;
use crate::ours::loads;
use crate::ours::shape::Shape::{Processes, Threads};
use crate::rivals::{procspawn, rayon};

pub(super) fn all(plan: Plan) -> Vec<Scenario> {
    let rows = scenario("kernel-mandelbrot", "the Mandelbrot set by rows", Kernel::Mandelbrot);
    let bodies = scenario("kernel-n-body", "many systems of five bodies", Kernel::Bodies);
    vec![rows(plan.pick(1200, 30)), bodies(plan.pick(4000, 50))]
}

fn scenario(
    name: &'static str,
    about: &'static str,
    kernel: Kernel,
) -> impl FnOnce(u64) -> Scenario {
    move |units| {
        let cores = procession::cpu_count();
        let contenders = vec![
            Contender::limit(
                "one thread's time over the number of cores",
                turn(move || threads::perfect(kernel, units)),
            ),
            Contender::limit(
                "threads that share a counter",
                turn(move || threads::kernel(kernel, units)),
            ),
            Contender::threads("rayon par_iter", turn(move || rayon::kernel(kernel, units))),
            Contender::rival(
                "procspawn, eight blocks",
                turn(move || procspawn::kernel(kernel, units)),
            ),
            Contender::ours(
                "procession map",
                turn(move || loads::kernel(kernel, units, Processes(cores), None)),
            ),
            Contender::ours(
                "procession map, chunksize 1",
                turn(move || loads::kernel(kernel, units, Processes(cores), Some(1))),
            ),
            Contender::ours(
                "procession map, threads",
                turn(move || loads::kernel(kernel, units, Threads(cores), None)),
            ),
        ];
        let about = format!("{about}, on all cores");
        Scenario::new(name, about, Unit::Time, contenders)
    }
}

/// A turn of a few runs, each with a pool of its own.
fn turn(run: impl Fn() -> Outcome<Vec<f64>>) -> impl Fn(Plan) -> Outcome<Vec<f64>> {
    move |plan| {
        let mut samples = Vec::new();
        for _ in 0..plan.pick(3, 1) {
            samples.extend(run()?);
        }
        Ok(samples)
    }
}
