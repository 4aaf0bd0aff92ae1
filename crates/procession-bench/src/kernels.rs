//! Real work for all cores, in units that know nothing of each other.

use crate::harness::Outcome;
use serde::{Deserialize, Serialize};

/// A kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kernel {
    /// A row of the Mandelbrot set for each unit: rows differ in length by a hundred times.
    Mandelbrot,
    /// Five bodies under gravity for each unit, followed for a thousand steps: all alike.
    Bodies,
}

impl Kernel {
    /// Does one unit, and gives a number that depends on all of it.
    pub(crate) fn unit(self, number: u64) -> f64 {
        match self {
            Self::Mandelbrot => mandelbrot_row(number),
            Self::Bodies => energy_of_bodies(number),
        }
    }

    /// As [`unit`](Self::unit), as a function that another process can be told of.
    pub(crate) fn unit_of((kernel, number): (Self, u64)) -> f64 {
        kernel.unit(number)
    }

    /// Units from one number up to another, for who sends blocks.
    pub(crate) fn block((kernel, first, end): (Self, u64, u64)) -> Vec<f64> {
        (first..end).map(|number| kernel.unit(number)).collect()
    }

    /// Whether these are the results of so many units: their number, and one of them in full.
    pub(crate) fn check(self, units: u64, results: &[f64]) -> Outcome<()> {
        let probe = units / 2;
        let right = results.len() as u64 == units && results[probe as usize] == self.unit(probe);
        if right { Ok(()) } else { Err("a wrong result of the kernel".into()) }
    }
}

/// Sum of the iterations of one row of 800 points; rows repeat after 600.
fn mandelbrot_row(row: u64) -> f64 {
    const WIDTH: u64 = 800;
    const HEIGHT: u64 = 600;
    const ITERATIONS: u32 = 400;
    let y = (row % HEIGHT) as f64 / HEIGHT as f64 * 2.4 - 1.2;
    let point = |column: u64| {
        let x = column as f64 / WIDTH as f64 * 3.2 - 2.2;
        let (mut real, mut imaginary) = (0.0_f64, 0.0_f64);
        let inside = (0..ITERATIONS).find(|_| {
            let next = real * real - imaginary * imaginary + x;
            imaginary = 2.0 * real * imaginary + y;
            real = next;
            real * real + imaginary * imaginary > 4.0
        });
        f64::from(inside.unwrap_or(ITERATIONS))
    };
    (0..WIDTH).map(point).sum()
}

const BODIES: usize = 5;

#[derive(Clone, Copy)]
struct Body {
    place: [f64; 3],
    speed: [f64; 3],
    mass: f64,
}

/// Kinetic energy of some bodies after a while; where they start depends on the number.
fn energy_of_bodies(number: u64) -> f64 {
    const STEPS: usize = 1000;
    const STEP: f64 = 0.001;
    let mut bodies: [Body; BODIES] = std::array::from_fn(|index| {
        let angle = index as f64 + number as f64 * 0.01;
        Body {
            place: [
                angle.cos() * (index + 1) as f64,
                angle.sin() * (index + 1) as f64,
                0.1 * angle,
            ],
            speed: [-angle.sin(), angle.cos(), 0.0],
            mass: 1.0 / (index + 1) as f64,
        }
    });
    for _ in 0..STEPS {
        step(&mut bodies, STEP);
    }
    let energy = |body: &Body| 0.5 * body.mass * body.speed.iter().map(|v| v * v).sum::<f64>();
    bodies.iter().map(energy).sum()
}

fn step(bodies: &mut [Body; BODIES], time: f64) {
    for first in 0..BODIES {
        for second in first + 1..BODIES {
            let away: [f64; 3] =
                std::array::from_fn(|axis| bodies[first].place[axis] - bodies[second].place[axis]);
            // A little apart even where they meet.
            let square = away.iter().map(|d| d * d).sum::<f64>() + 0.01;
            let pull = time / (square * square.sqrt());
            let (first_mass, second_mass) = (bodies[first].mass, bodies[second].mass);
            for (axis, distance) in away.into_iter().enumerate() {
                bodies[first].speed[axis] -= distance * second_mass * pull;
                bodies[second].speed[axis] += distance * first_mass * pull;
            }
        }
    }
    for body in bodies {
        for axis in 0..3 {
            body.place[axis] += body.speed[axis] * time;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Kernel;

    #[test]
    fn blocks_are_their_units() {
        for kernel in [Kernel::Mandelbrot, Kernel::Bodies] {
            let block = Kernel::block((kernel, 3, 9));
            let units: Vec<_> = (3..9).map(|number| Kernel::unit_of((kernel, number))).collect();
            assert_eq!(block, units, "{kernel:?}");
            assert!(units.iter().all(|unit| unit.is_finite() && *unit > 0.0), "{units:?}");
        }
    }
}
