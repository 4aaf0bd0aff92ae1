//! How errors travel: a task may return one, as it came to it.

use super::{Call, Error, Fault};
use procession_os::process::Exit;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::io;
use std::sync::Arc;

/// Most causes of causes that travel: more come from no program, only from bytes made to nest.
const CAUSES_MAX: usize = 8;

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&*self.fault, self.call.as_deref()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (fault, call) = <(Fault, Option<Call>)>::deserialize(deserializer)?;
        let error = Self { fault: Arc::new(fault), call: call.map(Arc::new) };
        if std::iter::successors(Some(&error), |error| error.cause()).count() > CAUSES_MAX {
            return Err(serde::de::Error::custom("an error with too many causes"));
        }
        Ok(error)
    }
}

/// [`Exit`], whose crate knows nothing of serde.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Exit")]
pub(super) enum ExitTravels {
    Code(i32),
    Signal { number: i32, core_dumped: bool },
    Unknown,
    Withheld,
}

/// One that may not be there.
pub(super) mod exit {
    use super::{Deserialize, Deserializer, Exit, ExitTravels, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Travels(#[serde(with = "ExitTravels")] Exit);

    pub(crate) fn serialize<S: Serializer>(exit: &Option<Exit>, s: S) -> Result<S::Ok, S::Error> {
        exit.map(Travels).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Exit>, D::Error> {
        Ok(Option::deserialize(d)?.map(|Travels(exit)| exit))
    }
}

/// The system's number where there is one: it means the same in all processes of a program.
pub(super) mod system {
    use super::{Deserialize, Deserializer, Serialize, Serializer, io};

    #[derive(Serialize, Deserialize)]
    enum Travels {
        Number(i32),
        Text(String),
        /// With the place of its kind among those that programs ask for.
        Kind(u8, String),
    }

    /// Kinds that this crate's own errors have. What is no longer known somewhere becomes another one.
    const KINDS: [io::ErrorKind; 5] = [
        io::ErrorKind::AlreadyExists,
        io::ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::TimedOut,
        io::ErrorKind::InvalidInput,
    ];

    pub(crate) fn serialize<S: Serializer>(error: &io::Error, s: S) -> Result<S::Ok, S::Error> {
        let text = || error.to_string();
        let kind = KINDS.iter().position(|kind| *kind == error.kind());
        let travels = match (error.raw_os_error(), kind) {
            (Some(number), _) => Travels::Number(number),
            (None, Some(kind)) => Travels::Kind(kind as u8, text()),
            (None, None) => Travels::Text(text()),
        };
        travels.serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<io::Error, D::Error> {
        Ok(match Travels::deserialize(d)? {
            Travels::Number(number) => io::Error::from_raw_os_error(number),
            Travels::Text(text) => io::Error::other(text),
            Travels::Kind(kind, text) => {
                let kind = KINDS.get(usize::from(kind)).copied();
                io::Error::new(kind.unwrap_or(io::ErrorKind::Other), text)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::WorkerId;

    fn travelled(error: &Error) -> Error {
        serde_json::from_str(&serde_json::to_string(error).unwrap()).unwrap()
    }

    fn broken(cause: Option<Error>) -> Error {
        let worker = WorkerId {
            name: "PoolWorker-1".into(),
            pid: 7,
            index: 0,
            generation: 2,
            memory_limit_bytes: None,
        };
        let exit = Some(Exit::Signal { number: 9, core_dumped: false });
        Error::new(Fault::Broken { why: "no luck".into(), worker: Some(worker), exit, cause })
    }

    #[test]
    fn an_error_says_the_same_at_the_other_end() {
        let of_the_system = Error::system("cannot", io::Error::from_raw_os_error(12));
        let said = Error::system("cannot", io::Error::other("for a reason"));
        let of_an_item = Error::codec("too long").of_call("parse", Some(7));
        assert_eq!((of_an_item.function(), of_an_item.item()), (Some("parse"), Some(7)));
        let taken = io::Error::new(io::ErrorKind::AlreadyExists, "the name is taken");
        let taken = Error::system("cannot", taken);
        let timed_out = Error::timed_out("the wait");
        for error in [timed_out, broken(Some(of_the_system)), said, taken, of_an_item] {
            let came = travelled(&error);
            assert_eq!(came.to_string(), error.to_string());
            assert_eq!(came.is_timed_out(), error.is_timed_out());
            assert_eq!(came.io_kind(), error.io_kind());
            assert_eq!((came.pid(), came.signal()), (error.pid(), error.signal()));
            assert_eq!((came.function(), came.item()), (error.function(), error.item()));
        }
    }

    #[test]
    fn causes_made_to_nest_are_refused() {
        let nested = (0..CAUSES_MAX).fold(None, |cause, _| Some(broken(cause))).unwrap();
        assert_eq!(travelled(&nested).to_string(), nested.to_string());
        let deeper = serde_json::to_string(&broken(Some(nested))).unwrap();
        let refused = serde_json::from_str::<Error>(&deeper).unwrap_err();
        assert!(refused.to_string().contains("too many causes"), "{refused}");
    }
}
