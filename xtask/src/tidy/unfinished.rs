//! Nothing is left for later in the sources.

use super::Finding;
use super::source::{Tree, line_of, words};

const MACROS: [&str; 2] = ["todo!", "unimplemented!"];
const MARKS: [&str; 3] = ["TODO", "FIXME", "XXX"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let calls = MACROS.iter().flat_map(|name| file.code.match_indices(name)).map(|(at, _)| at);
        let marks = MARKS.iter().flat_map(|mark| words(&file.comments, mark));
        for at in calls.chain(marks) {
            let what = "unfinished: finish it, or file an issue";
            findings.push(Finding::error(&file.path, line_of(&file.text, at), what));
        }
    }
    for file in tree.files().iter().filter(|file| file.path.ends_with(".sh")) {
        for at in MARKS.iter().flat_map(|mark| words(&file.text, mark)) {
            let what = "unfinished: finish it, or file an issue";
            findings.push(Finding::error(&file.path, line_of(&file.text, at), what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_macros_are_found_where_they_mean_something() {
        let tree = Tree::of(&[
            ("a.rs", "fn f() {\n    todo!()\n}\n// TODO: later\n"),
            ("b.rs", "fn f() { g(\"TODO todo!\") } // a todo list\n"),
            ("c.sh", "true # FIXME\n"),
        ]);
        let findings = check(&tree);
        let places: Vec<_> = findings.iter().map(|f| (f.path.as_str(), f.line)).collect();
        assert_eq!(places, [("a.rs", 2), ("a.rs", 4), ("c.sh", 1)]);
    }
}
