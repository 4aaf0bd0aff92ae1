//! A pool that is played to a plot, beside a model of what may come of it.
//!
//! The pool's own threads (its supervisor, and whoever waits, joins or terminates) are real ones that
//! [take turns](crate::rest::turns); its workers are [played](player) and do what workers do, one step at a
//! time, in whatever order the plot has. Time passes as the plot says. So every interleaving of lock-sized
//! steps is possible, each run can be repeated, and what should happen but does not is seen at once: nobody
//! has a reason to go on, and nothing will give one.
//!
//! What must hold, in every plot:
//!
//! - each task and item has exactly one outcome, and one that it may have (the [ledger](ledger));
//! - none is begun twice at a time, nor after its answer, its cancellation or its last attempt;
//! - nothing waits while a worker is idle: when all have come to rest, somebody is told, or will look soon;
//! - who waits for an outcome returns when it is there, who joins when all is, who terminates soon;
//! - a limit is not cut short, nor overrun by much; an honest worker is not accused;
//! - what the pool counts is what has happened.

mod checks;
mod ending;
mod ledger;
mod player;
mod plot;
mod tests;
mod world;
