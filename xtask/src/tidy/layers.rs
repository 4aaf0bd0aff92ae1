//! Lower layers never name higher ones, and the fences against `unsafe` stand.

use super::Finding;
use super::source::Tree;

/// Which members of the workspace each published one may depend on.
const LAYERS: [(&str, &[&str]); 5] = [
    ("procession-os", &[]),
    ("procession-ipc", &["procession-os"]),
    ("procession-core", &["procession-ipc", "procession-os"]),
    ("procession-macros", &[]),
    ("procession", &["procession-core", "procession-ipc", "procession-os", "procession-macros"]),
];

/// What the root of a crate must say about `unsafe`.
const FENCES: [(&str, &str); 4] = [
    ("procession-macros", "#![forbid(unsafe_code)]"),
    ("procession-core", "#![forbid(unsafe_code)]"),
    ("procession-ipc", "#![deny(unsafe_code)]"),
    ("procession", "#![deny(unsafe_code)]"),
];

/// The one file of the ipc crate that names atomics of the standard library.
const ATOMICS: &str = "crates/procession-ipc/src/primitive.rs";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, allowed) in LAYERS {
        let path = format!("crates/{name}/Cargo.toml");
        let Some(manifest) = tree.file(&path) else {
            continue;
        };
        for (line, other) in members_named(&manifest.text) {
            if !allowed.contains(&other) {
                findings.push(Finding::error(&path, line, format!("{name} names {other}")));
            }
        }
    }
    for (name, fence) in FENCES {
        let path = format!("crates/{name}/src/lib.rs");
        if let Some(root) = tree.file(&path)
            && !root.code.contains(fence)
        {
            findings.push(Finding::error(&path, 0, format!("does not say {fence}")));
        }
    }
    for file in tree.rust().filter(|file| file.path.starts_with("crates/procession-ipc/src")) {
        if file.path != ATOMICS && file.code.contains("sync::atomic") {
            let what = "names atomics itself: take them from `primitive`, which loom can replace";
            findings.push(Finding::error(&file.path, 0, what));
        }
    }
    findings
}

/// Members of the workspace that a manifest's `[dependencies]` name, with their lines.
fn members_named(manifest: &str) -> Vec<(usize, &str)> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for (line, text) in (1..).zip(manifest.lines()) {
        if text.starts_with('[') {
            is_inside = text.trim_end_matches(']').ends_with("dependencies")
                && !text.contains("dev-dependencies");
        } else if is_inside && text.starts_with("procession") {
            let end = text.find(['.', ' ', '=']).unwrap_or(text.len());
            found.push((line, &text[..end]));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_layer_that_names_a_higher_one_is_found() {
        let manifest = "[package]\nname = \"procession-ipc\"\n[dependencies]\n\
                        procession-os.workspace = true\nprocession-core.workspace = true\n\
                        [dev-dependencies]\nprocession.workspace = true\n";
        let path = "crates/procession-ipc/Cargo.toml";
        let findings = check(&Tree::of(&[(path, manifest)]));
        assert_eq!(findings, [Finding::error(path, 5, "procession-ipc names procession-core")]);
    }

    #[test]
    fn a_missing_fence_is_found() {
        let path = "crates/procession-core/src/lib.rs";
        assert_eq!(check(&Tree::of(&[(path, "//! #![forbid(unsafe_code)]\n")])).len(), 1);
        assert_eq!(check(&Tree::of(&[(path, "#![forbid(unsafe_code)]\n")])).len(), 0);
    }

    #[test]
    fn atomics_have_one_door() {
        let text = "use std::sync::atomic::AtomicU32;\n";
        let path = "crates/procession-ipc/src/ring/mod.rs";
        assert_eq!(check(&Tree::of(&[(ATOMICS, text), (path, text)])).len(), 1);
    }
}
