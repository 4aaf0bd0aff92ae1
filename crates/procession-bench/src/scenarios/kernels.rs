//! Real work on all cores.

use crate::harness::{Contender, Plan, Scenario, Unit};
use crate::kernels::Kernel;
use crate::limits::threads;
use crate::ours::loads;
use crate::rivals::{procspawn, rayon};

pub(super) fn all(plan: Plan) -> Vec<Scenario> {
    let rows = scenario("kernel-mandelbrot", "the Mandelbrot set by rows", Kernel::Mandelbrot);
    let bodies = scenario("kernel-n-body", "many systems of five bodies", Kernel::Bodies);
    vec![rows(plan.pick(600, 30)), bodies(plan.pick(2000, 50))]
}

fn scenario(
    name: &'static str,
    about: &'static str,
    kernel: Kernel,
) -> impl FnOnce(u64) -> Scenario {
    move |units| {
        let contenders = vec![
            Contender::limit("one thread's time over the number of cores", move |_| {
                threads::perfect(kernel, units)
            }),
            Contender::limit("threads that share a counter", move |_| {
                threads::kernel(kernel, units)
            }),
            Contender::threads("rayon par_iter", move |_| rayon::kernel(kernel, units)),
            Contender::rival("procspawn, eight blocks", move |_| procspawn::kernel(kernel, units)),
            Contender::ours("procession map", move |_| loads::kernel(kernel, units, None)),
            Contender::ours("procession map, chunksize 1", move |_| {
                loads::kernel(kernel, units, Some(1))
            }),
        ];
        let about = format!("{about}, on all cores");
        Scenario::new(name, about, Unit::Time, contenders)
    }
}
