//! Each `ORDER(name)` tag has its partner.
//!
//! A tag in a comment beside an atomic operation names the pair that it belongs to, so a tag that
//! stands alone is an argument with one side. Docs speak about tags and do not count.

use super::Finding;
use super::source::{Tree, line_of};
use std::collections::BTreeMap;

const OPENING: &str = "ORDER(";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut places: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
    for file in tree.rust() {
        for (at, _) in file.comments.match_indices(OPENING) {
            let line = file.comments[..at].rsplit('\n').next().unwrap_or_default().trim_start();
            let is_docs = line.starts_with("///") || line.starts_with("//!");
            let rest = &file.comments[at + OPENING.len()..];
            if let Some((name, _)) = rest.split_once(')')
                && !is_docs
            {
                places.entry(name).or_default().push((&file.path, line_of(&file.comments, at)));
            }
        }
    }
    let alone = places.iter().filter(|(_, places)| places.len() == 1);
    alone
        .map(|(name, places)| {
            let (path, line) = places[0];
            Finding::error(path, line, format!("ORDER({name}) has no partner"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_with_one_end_is_found() {
        let tree = Tree::of(&[
            ("a.rs", "// ORDER(both): releases\nx();\n// ORDER(one): why\n"),
            ("b.rs", "//! `ORDER(one)` marks it\ny(); // ORDER(both): acquires\n"),
        ]);
        assert_eq!(check(&tree), [Finding::error("a.rs", 3, "ORDER(one) has no partner")]);
    }
}
