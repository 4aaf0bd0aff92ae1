//! `docs/dependencies.md` argues each external dependency, and no other.

use super::Finding;
use super::source::{File, Tree};

const MANIFEST: &str = "Cargo.toml";
const PAGE: &str = "docs/dependencies.md";
const FUZZ_MANIFEST: &str = "fuzz/Cargo.toml";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(manifest) = tree.file(MANIFEST) else {
        return vec![Finding::error(MANIFEST, 0, "missing")];
    };
    let Some(page) = tree.file(PAGE) else {
        return vec![Finding::error(PAGE, 0, "missing")];
    };
    let declared = external(&manifest.text);
    let argued: Vec<(&str, usize)> = (1..)
        .zip(page.text.lines())
        .filter_map(|(line, text)| Some((text.strip_prefix("| `")?.split('`').next()?, line)))
        .collect();
    let is_in = |list: &[(&str, usize)], name: &str| list.iter().any(|(other, _)| *other == name);
    let mut findings = Vec::new();
    for (name, line) in &declared {
        if !is_in(&argued, name) {
            let what = format!("{name} has no line in {PAGE}");
            findings.push(Finding::error(MANIFEST, *line, what));
        }
    }
    for (name, line) in &argued {
        if !is_in(&declared, name) {
            let what = format!("{name} is no dependency of the workspace");
            findings.push(Finding::error(PAGE, *line, what));
        }
    }
    // What is in `fuzz` is a workspace of its own, that nobody builds but who fuzzes.
    let is_member = |file: &&File| file.path.ends_with("/Cargo.toml") && file.path != FUZZ_MANIFEST;
    let members = tree.files().iter().filter(is_member);
    findings.extend(members.flat_map(declared_apart));
    findings
}

/// Dependencies that a member declares by itself, past the workspace and so past the page.
fn declared_apart(manifest: &File) -> Vec<Finding> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for (line, text) in (1..).zip(manifest.text.lines()) {
        if text.starts_with('[') {
            is_inside = text.trim_end_matches(']').ends_with("dependencies");
        } else if is_inside
            && let Some((name, value)) = text.split_once('=')
            && !name.contains(".workspace")
            && !value.contains("workspace = true")
        {
            let what = format!("{} is declared past the workspace", name.trim());
            found.push(Finding::error(&manifest.path, line, what));
        }
    }
    found
}

/// Names and lines of the workspace's dependencies that are not members of it.
fn external(manifest: &str) -> Vec<(&str, usize)> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for (line, text) in (1..).zip(manifest.lines()) {
        if text.starts_with('[') {
            is_inside = text.trim() == "[workspace.dependencies]";
        } else if is_inside
            && let Some((name, value)) = text.split_once('=')
            && !value.contains("path =")
            && !name.starts_with('#')
        {
            found.push((name.trim(), line));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_and_the_manifest_agree() {
        let manifest = "[workspace.dependencies]\nown = { path = \"own\" }\nserde = \"1\"\n\
                        libc = { version = \"0.2\" }\n\n[profile.release]\ndebug = true\n";
        let page = "| crate | why |\n|---|---|\n| `serde` | codec |\n| `rand` | chance |\n";
        let tree = Tree::of(&[(MANIFEST, manifest), (PAGE, page)]);
        let findings = check(&tree);
        let found: Vec<_> = findings.iter().map(|f| (f.path.as_str(), f.line)).collect();
        assert_eq!(found, [(MANIFEST, 4), (PAGE, 4)]);
    }

    #[test]
    fn a_member_declares_nothing_by_itself() {
        let manifest = "[package]\nname = \"a\"\n[dependencies]\nserde.workspace = true\n\
                        libc = { workspace = true }\n[dev-dependencies]\nrand = \"1\"\n";
        let path = "crates/a/Cargo.toml";
        let tree = Tree::of(&[(MANIFEST, ""), (PAGE, ""), (path, manifest)]);
        let what = "rand is declared past the workspace";
        assert_eq!(check(&tree), [Finding::error(path, 7, what)]);
    }

    #[test]
    fn a_missing_page_is_found() {
        let tree = Tree::of(&[(MANIFEST, "")]);
        assert_eq!(check(&tree), [Finding::error(PAGE, 0, "missing")]);
    }
}
