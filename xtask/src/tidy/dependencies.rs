//! `docs/dependencies.md` argues each external dependency, and no other.

use super::Finding;
use super::source::Tree;

const MANIFEST: &str = "Cargo.toml";
const PAGE: &str = "docs/dependencies.md";

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
    let silent = declared
        .iter()
        .filter(|(name, _)| !argued.iter().any(|(other, _)| other == name));
    let stale = argued
        .iter()
        .filter(|(name, _)| !declared.iter().any(|(other, _)| other == name));
    silent
        .map(|(name, line)| {
            Finding::error(MANIFEST, *line, format!("{name} has no line in {PAGE}"))
        })
        .chain(stale.map(|(name, line)| {
            Finding::error(
                PAGE,
                *line,
                format!("{name} is no dependency of the workspace"),
            )
        }))
        .collect()
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
    fn a_missing_page_is_found() {
        let tree = Tree::of(&[(MANIFEST, "")]);
        assert_eq!(check(&tree), [Finding::error(PAGE, 0, "missing")]);
    }
}
