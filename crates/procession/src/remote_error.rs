//! Any error, as text that can cross.

use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fmt;

/// Any error with its causes, as text that can cross to another process.
///
/// A task that returns `Result<T, RemoteError>` can use `?` on any error. (For this it does not
/// implement [`Error`] itself; [`into_error`](Self::into_error) gives one that does.)
///
/// ```
/// use procession::{Pool, RemoteError};
///
/// fn parse(text: String) -> Result<i64, RemoteError> {
///     Ok(text.trim().parse()?)
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let pool = Pool::new(1)?;
///     assert_eq!(pool.apply(parse, (" 7 ".to_string(),))?.unwrap(), 7);
///     let error = pool.apply(parse, ("x".to_string(),))?.unwrap_err();
///     assert_eq!(error.message(), "invalid digit found in string");
///     Ok(())
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteError {
    message: String,
    causes: Vec<String>,
}

impl RemoteError {
    /// An error that says `message`.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new() }
    }

    /// What the error itself says.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the error says, then what each of its causes says, the nearest first.
    pub fn chain(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.message).chain(self.causes.iter().map(|cause| &**cause))
    }

    /// An error for APIs that want one; its sources are the causes.
    pub fn into_error(self) -> Box<dyn Error + Send + Sync> {
        let mut links: Option<Box<Link>> = None;
        for message in std::iter::once(self.message).chain(self.causes).rev() {
            links = Some(Box::new(Link { message, cause: links }));
        }
        links.expect("an error has a message")
    }
}

impl<E: Error> From<E> for RemoteError {
    fn from(error: E) -> Self {
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        Self { message: error.to_string(), causes }
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, "\ncaused by: {cause}"))
    }
}

/// One error of a chain.
#[derive(Debug)]
struct Link {
    message: String,
    cause: Option<Box<Link>>,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Link {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &dyn Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_survives_as_text_and_becomes_errors_again() {
        let inner = Link { message: "inner".into(), cause: None };
        let outer = Link { message: "outer".into(), cause: Some(Box::new(inner)) };
        let error = RemoteError::from(outer);
        assert_eq!(error.chain().collect::<Vec<_>>(), ["outer", "inner"]);
        assert_eq!(format!("{error:?}"), "outer\ncaused by: inner");
        let boxed = error.into_error();
        assert_eq!(boxed.source().unwrap().to_string(), "inner");
    }
}
