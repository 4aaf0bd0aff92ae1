use super::*;

fn dead(files: &[(&str, &str)]) -> Vec<String> {
    check(&Tree::of(files)).into_iter().map(|finding| finding.path).collect()
}

#[test]
fn modules_are_followed_through_both_layouts() {
    let files = [
        ("crates/a/src/lib.rs", "pub mod one;\nmod two;\n"),
        ("crates/a/src/one.rs", "mod inner;\n"),
        ("crates/a/src/one/inner.rs", ""),
        ("crates/a/src/two/mod.rs", "mod inner;\n"),
        ("crates/a/src/two/inner.rs", ""),
        ("crates/a/src/three.rs", ""),
        ("crates/a/src/one/other.rs", ""),
    ];
    assert_eq!(dead(&files), ["crates/a/src/three.rs", "crates/a/src/one/other.rs"]);
}

#[test]
fn a_mod_in_a_comment_or_string_leads_nowhere() {
    let files = [
        ("crates/a/src/lib.rs", "// mod one;\nconst A: &str = \"mod one;\";\n"),
        ("crates/a/src/one.rs", ""),
    ];
    assert_eq!(dead(&files), ["crates/a/src/one.rs"]);
}

#[test]
fn paths_in_attributes_are_followed() {
    let text =
        "#[cfg_attr(a, path = \"linux.rs\")]\n#[cfg_attr(b, path = \"other/x.rs\")]\nmod sys;";
    let files = [
        ("crates/a/src/lib.rs", "mod sys;\n"),
        ("crates/a/src/sys/mod.rs", text),
        ("crates/a/src/sys/linux.rs", ""),
        ("crates/a/src/sys/other/x.rs", ""),
        ("crates/a/src/sys/macos.rs", ""),
    ];
    assert_eq!(dead(&files), ["crates/a/src/sys/macos.rs"]);
}

#[test]
fn inline_modules_add_folders() {
    let files = [
        ("crates/a/src/lib.rs", "mod outer {\n    fn f() { g(); }\n    mod inner;\n}\nmod last;"),
        ("crates/a/src/outer/inner.rs", ""),
        ("crates/a/src/last.rs", ""),
    ];
    assert!(dead(&files).is_empty(), "{:?}", dead(&files));
}

#[test]
fn cargo_names_binaries_and_what_the_manifest_says() {
    let files = [
        ("crates/a/Cargo.toml", "[[bin]]\nname = \"x\"\npath = \"src/helpers/x.rs\"\n"),
        ("crates/a/src/main.rs", ""),
        ("crates/a/src/bin/b.rs", "mod c;"),
        ("crates/a/src/bin/c.rs", ""),
        ("crates/a/src/bin/d/main.rs", "mod e;"),
        ("crates/a/src/bin/d/e.rs", ""),
        ("crates/a/src/helpers/x.rs", ""),
        ("crates/a/src/helpers/y.rs", ""),
        ("crates/a/tests/t.rs", ""),
    ];
    assert_eq!(dead(&files), ["crates/a/src/helpers/y.rs"]);
}
