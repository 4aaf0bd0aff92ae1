//! Checks of the sources that neither the compiler nor a lint makes.
//!
//! Each check is a function from the files of the repository to its findings; none touches the
//! disk, so each is tested on files that exist only in its test.

mod dependencies;
mod layers;
mod order;
mod platform;
mod reachable;
mod size;
mod source;
mod unfinished;

use source::Tree;
use std::fmt;
use std::io;
use std::path::Path;

/// One thing that is not tidy.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// Path from the root of the repository.
    path: String,
    /// Line, counted from 1; 0 speaks of the whole file.
    line: usize,
    /// What is wrong, and what to do.
    what: String,
    /// Whether it is only a hint.
    is_warning: bool,
}

impl Finding {
    fn error(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into(), is_warning: false }
    }

    fn warning(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { is_warning: true, ..Self::error(path, line, what) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_warning {
            write!(f, "warning: ")?;
        }
        write!(f, "{}", self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.what)
    }
}

type Check = fn(&Tree) -> Vec<Finding>;

const CHECKS: [Check; 7] = [
    platform::check,
    order::check,
    size::check,
    unfinished::check,
    dependencies::check,
    layers::check,
    reachable::check,
];

/// Runs every check on the repository at `root`; `false` when one of them found an error.
pub(crate) fn run(root: &Path) -> io::Result<bool> {
    let tree = Tree::read(root)?;
    let findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
    for finding in &findings {
        eprintln!("{finding}");
    }
    let errors = findings.iter().filter(|finding| !finding.is_warning).count();
    eprintln!("tidy: {} files, {errors} errors", tree.files().len());
    Ok(errors == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_its_place() {
        let error = Finding::error("a/b.rs", 7, "is wrong");
        assert_eq!(error.to_string(), "a/b.rs:7: is wrong");
        let warning = Finding::warning("a/b.rs", 0, "is long");
        assert_eq!(warning.to_string(), "warning: a/b.rs: is long");
    }
}
