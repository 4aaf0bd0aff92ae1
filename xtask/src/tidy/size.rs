//! No file grows past what a reader can hold.

use super::Finding;
use super::source::Tree;

/// Lines past which a file fails.
const LINES_MAX: usize = 1000;
/// Lines past which a file is worth a thought: which noun is missing?
const LINES_WARN: usize = 600;
/// Lines that no example reaches.
const EXAMPLE_LINES_END: usize = 60;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let written = tree.files().iter().filter(|file| !file.path.ends_with(".lock"));
    written
        .filter_map(|file| {
            let lines = file.text.lines().count();
            if lines > LINES_MAX {
                let what = format!("{lines} lines, more than {LINES_MAX}: split it");
                return Some(Finding::error(&file.path, 0, what));
            }
            if file.path.contains("/examples/") && lines >= EXAMPLE_LINES_END {
                let what = format!("{lines} lines: an example has fewer than {EXAMPLE_LINES_END}");
                return Some(Finding::error(&file.path, 0, what));
            }
            let what = format!("{lines} lines, more than {LINES_WARN}: which noun is missing?");
            (lines > LINES_WARN).then(|| Finding::warning(&file.path, 0, what))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_warn_and_then_fail() {
        let tree = Tree::of(&[
            ("a.rs", &"x\n".repeat(LINES_WARN)),
            ("b.rs", &"x\n".repeat(LINES_WARN + 1)),
            ("c.rs", &"x\n".repeat(LINES_MAX + 1)),
            ("Cargo.lock", &"x\n".repeat(LINES_MAX + 1)),
            ("crates/a/examples/d.rs", &"x\n".repeat(EXAMPLE_LINES_END)),
        ]);
        let findings = check(&tree);
        let found: Vec<_> = findings.iter().map(|f| (f.path.as_str(), f.is_warning)).collect();
        assert_eq!(found, [("b.rs", true), ("c.rs", false), ("crates/a/examples/d.rs", false)]);
    }
}
