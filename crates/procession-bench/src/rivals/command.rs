//! What one writes without a library: std's `Command` and its pipes.

use crate::harness::{Outcome, Plan};
use crate::pace::{Body, Pace, time_once};
use crate::roles::{Helper, Role};
use std::process::Command;

/// Round trips over a child's standard input and output.
pub(crate) fn session(body: Body<'_>) -> Outcome<()> {
    let mut helper = Helper::start(Role::Echo, &[])?;
    body(&mut |value| {
        let answer = helper.exchange(&value.to_le_bytes())?;
        Ok(u64::from_le_bytes(answer.try_into()?))
    })
}

/// This executable from its start to its end.
pub(crate) fn start_join(pace: Pace) -> Outcome<Vec<f64>> {
    let executable = std::env::current_exe()?;
    pace.time(|| {
        Command::new(&executable).arg(Role::Exit.argument()).status()?;
        Ok(())
    })
}

/// A child from nothing to its first answer.
pub(crate) fn first_answer(plan: Plan) -> Outcome<Vec<f64>> {
    (0..plan.pick(20, 2))
        .map(|_| {
            let mut started = None;
            let time = time_once(|| {
                let mut helper = Helper::start(Role::Echo, &[])?;
                helper.exchange(&[1; 8])?;
                started = Some(helper);
                Ok(())
            });
            drop(started);
            time
        })
        .collect()
}

/// A vector of bytes there and back.
pub(crate) fn bytes(size: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let mut helper = Helper::start(Role::Echo, &[])?;
    let bytes = vec![1; size];
    pace.time(|| {
        let answer = helper.exchange(&bytes)?;
        if answer.len() == size { Ok(()) } else { Err("too few bytes".into()) }
    })
}

/// A vector of bytes as result alone.
pub(crate) fn results(size: usize, pace: Pace) -> Outcome<Vec<f64>> {
    let mut helper = Helper::start(Role::Make, &[])?;
    pace.time(|| {
        let answer = helper.exchange(&(size as u64).to_le_bytes())?;
        if answer.len() == size { Ok(()) } else { Err("too few bytes".into()) }
    })
}
