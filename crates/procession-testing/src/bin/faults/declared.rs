//! What must become of each case.

use crate::case::{Case, Fault, Layout, Moment};
use crate::deeds::{EXIT, EXIT_NOW, WORDS};
use crate::early;
use crate::order::{DROPPED, UNREADABLE};
use procession::{Error, StartMethod};
use std::ops::RangeInclusive;

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Code(i32),
    /// One of these signals.
    Signal(&'static [&'static str]),
    /// Aborted, because the memory limit refused it more.
    Starved,
}

/// How a worker ends that has found its channel gone.
const CUT_OFF: End = End::Code(114);
/// How one ends that somebody has killed.
const KILLED: End = End::Signal(&["SIGKILL"]);
/// Exit code of a child that cannot become a worker.
const REFUSED: i32 = 113;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Value,
    Lost(End),
    /// A panic with these words in it.
    Panicked(&'static str),
    /// What cannot be encoded or decoded, with these words.
    Codec(&'static str),
    /// It took longer than its limit.
    TimedOut,
    Terminated,
    Broken(Cause),
}

/// Why workers cannot be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    End(End),
    Panic(&'static str),
    /// With these words somewhere in the error.
    Text(&'static str),
}

/// What must become of a case.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    /// Of the call that breaks.
    pub(crate) call: Fate,
    /// Of the call that runs on the other worker meanwhile.
    pub(crate) neighbour: Fate,
    /// How many workers take the place of others.
    pub(crate) respawns: RangeInclusive<u64>,
}

/// Declares the outcome.
pub(crate) fn declare(case: &Case) -> Declared {
    let Case { fault, moment, layout, .. } = *case;
    let fate = in_a_call(fault);
    let ends = fault.ends_the_process();
    let call = match moment {
        // It cannot be sent, and nothing large ever could be: the worker ends itself.
        Moment::WritingHuge if fault == Fault::CloseDescriptors => Fate::Lost(CUT_OFF),
        Moment::BeforeHello => before_hello(case),
        Moment::Initializer => in_the_initializer(fault),
        Moment::Idle => Fate::Value,
        // There is no limit: whoever waits, and waits no longer, kills it.
        _ if layout == Layout::Process && fault.hangs() => Fate::Lost(KILLED),
        Moment::Terminate if layout != Layout::Process => Fate::Terminated,
        _ => fate,
    };
    let ends_it = matches!(call, Fate::Lost(_) | Fate::TimedOut);
    let neighbour = match moment {
        Moment::Terminate => Fate::Terminated,
        // They share the process.
        _ if layout == Layout::Team && call == Fate::TimedOut => Fate::Lost(KILLED),
        _ if layout == Layout::Team && ends_it => call,
        _ => Fate::Value,
    };
    let respawns = match fault {
        // It is replaced when it is found out, which is when something large is to go to it.
        Fault::CloseDescriptors if !ends_it => 0..=1,
        // It is killed after a grace, and there may be nothing left to do then.
        _ if fault.hangs() && moment == Moment::Close => 0..=1,
        // In a pool the others may do all the work; a team has nobody else, so it is found out.
        Fault::Stop if moment == Moment::Idle && layout == Layout::Pool => 0..=1,
        Fault::Stop if moment == Moment::Idle => 1..=1,
        // In `join` there is nothing left to do for another.
        _ if moment == Moment::Join => 0..=0,
        _ if ends || ends_it => 1..=1,
        _ => 0..=0,
    };
    Declared { call, neighbour, respawns }
}

/// What becomes of the call in which it breaks.
fn in_a_call(fault: Fault) -> Fate {
    match fault {
        Fault::Exit => Fate::Lost(End::Code(EXIT)),
        Fault::ExitNow => Fate::Lost(End::Code(EXIT_NOW)),
        Fault::Abort => Fate::Lost(End::Signal(&["SIGABRT"])),
        Fault::Kill => Fate::Lost(End::Signal(&["SIGKILL"])),
        Fault::Segfault => Fate::Lost(End::Signal(&["SIGSEGV"])),
        // Where the language's guard is in place it is an abort.
        Fault::StackOverflow => Fate::Lost(End::Signal(&["SIGABRT", "SIGSEGV"])),
        Fault::OutOfMemory => Fate::Lost(End::Starved),
        Fault::Stop | Fault::EndlessLoop => Fate::TimedOut,
        Fault::Panic => Fate::Panicked(WORDS),
        Fault::PanicWithoutText | Fault::PanicWhoseDropPanics => Fate::Panicked("not a string"),
        Fault::ArgumentDrop | Fault::ResultDrop => Fate::Panicked(DROPPED),
        Fault::EncodeResult => Fate::Codec(UNREADABLE),
        // What a `Deserialize` says gets lost in the format; the type does not.
        Fault::DecodeArgument => Fate::Codec("order::Call"),
        Fault::DecodeResult => Fate::Codec("order::Answer"),
        Fault::CloseDescriptors | Fault::Garbage => Fate::Value,
    }
}

fn in_the_initializer(fault: Fault) -> Fate {
    match in_a_call(fault) {
        Fate::Value if fault == Fault::CloseDescriptors => {
            Fate::Broken(Cause::Text("closed the worker's control channel"))
        }
        Fate::Lost(end) => Fate::Broken(Cause::End(end)),
        Fate::TimedOut => Fate::Broken(Cause::Text("initializer did not return")),
        Fate::Panicked(words) => Fate::Broken(Cause::Panic(words)),
        Fate::Codec(words) => Fate::Broken(Cause::Text(words)),
        other => other,
    }
}

fn before_hello(case: &Case) -> Fate {
    match in_a_call(case.fault) {
        Fate::Lost(end) => Fate::Broken(Cause::End(end)),
        Fate::TimedOut if case.layout == Layout::Process => Fate::Broken(Cause::End(KILLED)),
        Fate::TimedOut if case.method == StartMethod::Spawn => {
            Fate::Broken(Cause::Text("did not say hello within"))
        }
        Fate::TimedOut => Fate::Broken(Cause::Text("killed when it takes longer")),
        Fate::Panicked(words) if early::is_caught(case.method, case.fault) => {
            Fate::Broken(Cause::Text(words))
        }
        // The language's own runtime does not bear with that.
        Fate::Panicked(_) if case.fault == Fault::PanicWhoseDropPanics => {
            Fate::Broken(Cause::End(End::Signal(&["SIGABRT"])))
        }
        Fate::Value if case.fault == Fault::CloseDescriptors => {
            let is_forked = case.method == StartMethod::ForkServer
                || case.method == StartMethod::Fork && case.layout != Layout::Process;
            Fate::Broken(if is_forked {
                // It may be ended before it has ended.
                Cause::Text("the template that children are forked from")
            } else {
                Cause::End(End::Code(REFUSED))
            })
        }
        // Nobody catches it: the program's own `main` ends by it.
        Fate::Panicked(_) => Fate::Broken(Cause::End(End::Code(101))),
        other => other,
    }
}

impl Declared {
    /// How many tasks are counted as failed, lost and timed out. What the parent cannot decode was a value
    /// where it was made.
    pub(crate) fn counts(&self, case: &Case) -> [u64; 3] {
        let Case { fault, moment, .. } = *case;
        // The program sleeps in `join` when nothing else is left.
        let has_neighbour = moment != Moment::Join;
        let fates = [self.call, if has_neighbour { self.neighbour } else { Fate::Value }];
        let count = |is: fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count() as u64;
        let undecoded = u64::from(fault == Fault::DecodeResult);
        [
            count(|fate| *fate != Fate::Value) - undecoded,
            count(|fate| matches!(fate, Fate::Lost(_))),
            count(|fate| *fate == Fate::TimedOut),
        ]
    }
}

impl Fate {
    /// How many workers may take the place of those that did not start, before the pool is broken: of two
    /// that start at once and by themselves fail, no more than two; twelve may be killed.
    pub(crate) fn failed_starts_max(self) -> u64 {
        match self {
            Self::Broken(Cause::End(End::Signal(_) | End::Starved)) => 11,
            _ => 2,
        }
    }
}

impl End {
    fn is_of(self, error: &Error) -> bool {
        match self {
            Self::Code(code) => error.exit_code() == Some(code) && error.signal().is_none(),
            Self::Signal(names) => error.signal_name().is_some_and(|name| names.contains(&name)),
            Self::Starved => {
                error.signal_name() == Some("SIGABRT") && error.to_string().contains("memory")
            }
        }
    }
}

impl Fate {
    /// Whether this error is as declared; those that ran on one of these processes name it.
    pub(crate) fn is(self, error: &Error, pids: &[u32]) -> bool {
        let text = error.to_string();
        // They are the first in their places.
        let is_first =
            error.worker().is_some_and(|(index, generation)| index < 2 && generation == 1);
        let is_theirs = is_first && error.pid().is_some_and(|pid| pids.contains(&pid));
        match self {
            Self::Value => false,
            Self::Lost(end) => {
                let signal = error.signal_name().is_none_or(|name| text.contains(name));
                error.is_worker_lost() && end.is_of(error) && is_theirs && signal
            }
            Self::Panicked(words) => {
                error.is_panicked()
                    && is_theirs
                    && error.panic_message().is_some_and(|message| message.contains(words))
                    && error.panic_location().is_some_and(|place| place.contains("faults/"))
            }
            Self::Codec(words) => error.is_codec() && text.contains(words),
            Self::TimedOut => error.is_timed_out() && is_theirs,
            Self::Terminated => error.is_terminated(),
            Self::Broken(cause) => error.is_broken() && cause.is_of(error, &text),
        }
    }
}

impl Cause {
    fn is_of(self, error: &Error, text: &str) -> bool {
        match self {
            // The evidence is that of a process; a template is no worker.
            Self::End(end) => {
                end.is_of(error) && (error.pid().is_some() || text.contains("template"))
            }
            Self::Panic(words) => {
                error.is_panicked() && error.panic_message().is_some_and(|it| it.contains(words))
            }
            Self::Text(words) => text.contains(words),
        }
    }
}
