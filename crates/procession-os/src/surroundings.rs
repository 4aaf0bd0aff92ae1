//! What a child finds around it: environment, working folder, standard streams and resource limits.
//!
//! A launched child inherits them from the process that launches it. A copy of a template would
//! inherit the template's, which are older; so it is told what is different by now.

use std::ffi::{OsStr, OsString};
use std::io;

use crate::handle::{BorrowedHandle, Handle};
use crate::sys;

/// What this process had around it at a moment, and what a child launched then inherited.
#[derive(Debug)]
pub struct Surroundings {
    environment: Vec<(OsString, OsString)>,
    folder: Option<sys::surroundings::Folder>,
    limits: Vec<Limit>,
    owner: sys::surroundings::Owner,
}

/// The system's limit of a resource: the one in force, and the one up to which that may be raised.
pub(crate) type Limit = (u64, u64);

/// How surroundings differ from earlier ones, to be sent to another process of this program.
#[derive(Debug, Default)]
#[must_use]
pub struct Changes {
    variables: Vec<(OsString, Option<OsString>)>,
    folder: Option<Handle>,
    /// By the number of the resource.
    limits: Vec<(u8, Limit)>,
}

/// The standard streams that are open, to be sent to another process, and which they are.
#[derive(Debug)]
pub struct Streams<'a> {
    open: u8,
    handles: Vec<BorrowedHandle<'a>>,
}

impl Surroundings {
    /// What this process has around it now.
    #[must_use]
    pub fn now() -> Surroundings {
        Surroundings {
            environment: std::env::vars_os().collect(),
            folder: sys::surroundings::Folder::current(),
            limits: sys::surroundings::limits(),
            owner: sys::surroundings::Owner::current(),
        }
    }

    /// Whether this process still has the users and groups that it had. A copy of a process that has
    /// others may do more than it should, and nothing can be sent to it that would change that.
    #[must_use]
    pub fn is_same_owner(&self) -> bool {
        self.owner == sys::surroundings::Owner::current()
    }

    /// What is different now, except for the [owner](Surroundings::is_same_owner).
    ///
    /// # Errors
    ///
    /// Fails when the working folder has changed and cannot be opened.
    pub fn changes(&self) -> io::Result<Changes> {
        let now: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        let folder = sys::surroundings::Folder::current();
        let folder =
            if folder == self.folder { None } else { Some(sys::surroundings::open_folder()?) };
        let variables =
            if now == self.environment { Vec::new() } else { differences(&self.environment, &now) };
        let limits = (0..).zip(sys::surroundings::limits());
        let limits =
            limits.filter(|(index, limit)| self.limits.get(usize::from(*index)) != Some(limit));
        Ok(Changes { variables, folder, limits: limits.collect() })
    }
}

/// What to set, and what to remove, to come from one environment to the other.
fn differences(
    from: &[(OsString, OsString)],
    to: &[(OsString, OsString)],
) -> Vec<(OsString, Option<OsString>)> {
    let removed = from.iter().filter(|(name, _)| !to.iter().any(|(other, _)| other == name));
    let set = to.iter().filter(|variable| !from.contains(variable));
    removed
        .map(|(name, _)| (name.clone(), None))
        .chain(set.map(|(name, value)| (name.clone(), Some(value.clone()))))
        .collect()
}

impl Changes {
    /// The part that is bytes, for [`apply`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.folder.is_some()), self.limits.len() as u8];
        for (index, (current, most)) in &self.limits {
            bytes.push(*index);
            bytes.extend_from_slice(&current.to_le_bytes());
            bytes.extend_from_slice(&most.to_le_bytes());
        }
        for (name, value) in &self.variables {
            put(&mut bytes, Some(name));
            put(&mut bytes, value.as_deref());
        }
        bytes
    }

    /// The part that is a handle.
    #[must_use]
    pub fn handle(&self) -> Option<BorrowedHandle<'_>> {
        self.folder.as_ref().map(sys::surroundings::lend)
    }
}

impl Streams<'_> {
    /// This process's.
    #[must_use]
    pub fn own() -> Streams<'static> {
        let (open, handles) = sys::surroundings::streams();
        Streams { open, handles }
    }

    /// Which of them are open: a bit for each.
    #[must_use]
    pub fn open(&self) -> u8 {
        self.open
    }

    /// Those that are open, in order.
    #[must_use]
    pub fn handles(&self) -> &[BorrowedHandle<'_>] {
        &self.handles
    }
}

/// Appends a string behind its length; none is the greatest length.
fn put(bytes: &mut Vec<u8>, string: Option<&OsStr>) {
    let Some(string) = string else {
        return bytes.extend_from_slice(&u32::MAX.to_le_bytes());
    };
    let encoded = sys::surroundings::bytes_of(string);
    // A string that is too long for its length is too long for a message, too.
    bytes.extend_from_slice(&(encoded.len() as u32).to_le_bytes());
    bytes.extend_from_slice(encoded);
}

/// Takes a string off; the outer `None` when there is none, whole.
#[expect(clippy::option_option, reason = "what is not there, and what is there and is none")]
fn take(bytes: &mut &[u8]) -> Option<Option<OsString>> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length);
    if length == u32::MAX {
        *bytes = rest;
        return Some(None);
    }
    let (encoded, rest) = rest.split_at_checked(length as usize)?;
    *bytes = rest;
    Some(Some(sys::surroundings::string_of(encoded)))
}

/// Takes a limit and the number of its resource off; `None` when there is none, whole.
fn take_limit(bytes: &mut &[u8]) -> Option<(u8, Limit)> {
    let (index, rest) = bytes.split_first()?;
    let (current, rest) = rest.split_first_chunk::<8>()?;
    let (most, rest) = rest.split_first_chunk::<8>()?;
    *bytes = rest;
    Some((*index, (u64::from_le_bytes(*current), u64::from_le_bytes(*most))))
}

/// Gives this process, which has one thread, the surroundings that another had: `bytes` and handles
/// of its [`Changes`], and the [`Streams`] that were open.
///
/// # Errors
///
/// Fails with [`io::ErrorKind::InvalidData`] when the bytes or the number of handles make no sense,
/// when this process has other threads, and when the system refuses.
pub fn apply(bytes: &[u8], open_streams: u8, handles: Vec<Handle>) -> io::Result<()> {
    let nonsense = || io::Error::from(io::ErrorKind::InvalidData);
    let ([has_folder, limits], mut rest) = bytes.split_first_chunk().ok_or_else(nonsense)?;
    for _ in 0..*limits {
        let (index, limit) = take_limit(&mut rest).ok_or_else(nonsense)?;
        sys::surroundings::set_limit(index, limit)?;
    }
    let mut handles = handles.into_iter();
    if *has_folder != 0 {
        sys::surroundings::enter(handles.next().ok_or_else(nonsense)?)?;
    }
    for stream in (0..3).filter(|stream| open_streams & (1 << stream) != 0) {
        sys::surroundings::replace_stream(stream, handles.next().ok_or_else(nonsense)?)?;
    }
    let mut variables = Vec::new();
    while !rest.is_empty() {
        let name = take(&mut rest).flatten().ok_or_else(nonsense)?;
        variables.push((name, take(&mut rest).ok_or_else(nonsense)?));
    }
    sys::surroundings::set_variables(&variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(text: &str) -> Vec<(OsString, OsString)> {
        let pairs = text.split_whitespace().map(|pair| pair.split_once('=').expect("a pair"));
        pairs.map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn differences_lead_from_one_environment_to_the_other() {
        let (from, to) = (environment("A=1 B=2 C=3"), environment("C=3 B=4 D=5"));
        let mut differences = differences(&from, &to);
        differences.sort();
        let expected = [("A", None), ("B", Some("4")), ("D", Some("5"))];
        let expected =
            expected.map(|(name, value)| (OsString::from(name), value.map(OsString::from)));
        assert_eq!(differences, expected);
    }

    #[test]
    fn limits_come_back_as_they_went() {
        let limits = vec![(7, (20, u64::MAX)), (3, (0, 1))];
        let changes = Changes { limits: limits.clone(), ..Changes::default() };
        let bytes = changes.to_bytes();
        let mut rest = &bytes[2..];
        assert_eq!(
            [take_limit(&mut rest), take_limit(&mut rest)],
            [Some(limits[0]), Some(limits[1])]
        );
        assert_eq!(take_limit(&mut rest), None);
        assert_eq!(take_limit(&mut &bytes[2..18]), None, "a limit has seventeen bytes");
    }

    #[test]
    fn strings_come_back_as_they_went() {
        let mut bytes = Vec::new();
        put(&mut bytes, Some(OsStr::new("ä=1")));
        put(&mut bytes, None);
        put(&mut bytes, Some(OsStr::new("")));
        let mut rest = &bytes[..];
        assert_eq!(take(&mut rest), Some(Some("ä=1".into())));
        assert_eq!(take(&mut rest), Some(None));
        assert_eq!(take(&mut rest), Some(Some("".into())));
        assert_eq!(take(&mut rest), None);
        assert_eq!(take(&mut &bytes[..3]), None);
        assert_eq!(take(&mut &bytes[..5]), None);
    }
}
