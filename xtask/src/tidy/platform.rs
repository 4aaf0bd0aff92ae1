//! Platform differences live in the os crate alone.

use super::Finding;
use super::source::{Tree, line_of, words};

const HOME: &str = "crates/procession-os/";

/// Conditions on the platform; `cfg(unix)` and `cfg(windows)` are looked for apart.
const CONDITIONS: [&str; 4] = ["target_os", "target_family", "target_vendor", "target_env"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let foreign = tree.files().iter().filter(|file| !file.path.starts_with(HOME));
    for file in foreign {
        let is_manifest = file.path.ends_with("Cargo.toml");
        let code = if is_manifest { &file.text } else { &file.code };
        let named = CONDITIONS.iter().flat_map(|name| words(code, name));
        let short = ["unix", "windows"]
            .into_iter()
            .flat_map(|name| words(code, name).filter(|at| is_condition(&code[..*at])));
        for at in named.chain(short) {
            let what = "a condition on the platform outside of procession-os";
            findings.push(Finding::error(&file.path, line_of(code, at), what));
        }
    }
    findings
}

/// Whether what follows stands inside `cfg(...)`, `cfg!(...)` or `cfg_attr(...)`.
fn is_condition(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default();
    ["cfg(", "cfg!(", "cfg_attr("].iter().any(|opening| {
        line.rfind(opening).is_some_and(|at| {
            let inside = &line[at + opening.len()..];
            inside.matches('(').count() >= inside.matches(')').count()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn only_the_os_crate_may_ask_for_the_platform() {
        let text = "#[cfg(any(target_os = \"linux\"))]\nfn f() {}";
        assert_eq!(found("crates/procession-os/src/a.rs", text), 0);
        assert_eq!(found("crates/procession-ipc/src/a.rs", text), 1);
        assert_eq!(found("crates/procession/tests/a.rs", "if cfg!(unix) {}"), 1);
        let manifest = "[target.'cfg(unix)'.dependencies]";
        assert_eq!(found("crates/procession/Cargo.toml", manifest), 1);
    }

    #[test]
    fn prose_and_other_names_are_no_conditions() {
        assert_eq!(found("crates/a/src/a.rs", "// no cfg(target_os) here\nuse std::os::unix;"), 0);
        assert_eq!(found("crates/a/src/a.rs", "f(\"cfg(unix)\"); #[cfg(test)] mod unix {}"), 0);
    }
}
