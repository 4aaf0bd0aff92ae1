//! No dead files: every Rust file below a `src` folder is a module of its crate.

use super::Finding;
use super::source::{File, Tree, is_name_byte, words};
use std::collections::BTreeSet;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut alive = BTreeSet::new();
    let mut todo: Vec<&File> = tree.rust().filter(|file| is_root(tree, &file.path)).collect();
    while let Some(file) = todo.pop() {
        if alive.insert(file.path.as_str()) {
            todo.extend(children(tree, file).iter().filter_map(|path| tree.file(path)));
        }
    }
    let dead = tree.rust().filter(|file| source_folder(&file.path).is_some());
    dead.filter(|file| !alive.contains(file.path.as_str()))
        .map(|file| Finding::error(&file.path, 0, "no `mod` leads to this file"))
        .collect()
}

/// The `src` folder of the crate that a file belongs to, with its last `/`.
fn source_folder(path: &str) -> Option<&str> {
    path.find("/src/").map(|at| &path[..at + "/src/".len()])
}

/// Whether cargo itself names a file: by its place, or in the crate's manifest.
fn is_root(tree: &Tree, path: &str) -> bool {
    let Some(folder) = source_folder(path) else {
        return false;
    };
    let inside = &path[folder.len()..];
    let in_crate = &path[folder.len() - "src/".len()..];
    let manifest = tree.file(&format!("{}Cargo.toml", folder.trim_end_matches("src/")));
    let is_binary = inside.strip_prefix("bin/").is_some_and(|name| {
        !name.contains('/') || (name.ends_with("/main.rs") && name.matches('/').count() == 1)
    });
    inside == "lib.rs"
        || inside == "main.rs"
        || is_binary
        || manifest.is_some_and(|file| file.text.contains(&format!("\"{in_crate}\"")))
}

/// Every file that a file may mean with its `mod` lines and `include!`s.
fn children(tree: &Tree, file: &File) -> Vec<String> {
    let folder = &file.path[..file.path.rfind('/').map_or(0, |at| at + 1)];
    let stem = file.path[folder.len()..].trim_end_matches(".rs");
    let is_folder_owner = stem == "mod" || is_root(tree, &file.path);
    let base = if is_folder_owner { folder.to_owned() } else { format!("{folder}{stem}/") };
    let mut found = Vec::new();
    for at in words(&file.code, "mod") {
        let rest = file.code[at + "mod".len()..].trim_start();
        let name: String = rest.bytes().take_while(|b| is_name_byte(*b)).map(char::from).collect();
        if !rest[name.len()..].trim_start().starts_with(';') {
            continue;
        }
        let inline = enclosing_modules(&file.code[..at]);
        for path in paths_of_attributes(file, at) {
            found.push(join(folder, &path));
        }
        found.push(format!("{base}{inline}{name}.rs"));
        found.push(format!("{base}{inline}{name}/mod.rs"));
    }
    for at in words(&file.code, "include") {
        if let Some(path) = first_literal(&file.text[at..]) {
            found.push(join(folder, path));
        }
    }
    found
}

/// The folders that the inline modules around the end of `code` add.
fn enclosing_modules(code: &str) -> String {
    let mut open: Vec<Option<&str>> = Vec::new();
    for (at, brace) in code.match_indices(['{', '}']) {
        if brace == "}" {
            open.pop();
            continue;
        }
        let mut before = code[..at].split_ascii_whitespace().rev();
        let name = before.next();
        open.push(name.filter(|_| before.next() == Some("mod")));
    }
    open.into_iter().flatten().map(|name| format!("{name}/")).collect()
}

/// The paths that `#[path = "..."]`, also inside `cfg_attr`, gives to the `mod` at `at`.
fn paths_of_attributes(file: &File, at: usize) -> Vec<String> {
    let start = file.code[..at].rfind([';', '{', '}']).map_or(0, |at| at + 1);
    let attributes = &file.code[start..at];
    words(attributes, "path")
        .filter(|path_at| attributes[path_at + "path".len()..].trim_start().starts_with('='))
        .filter_map(|path_at| first_literal(&file.text[start + path_at..at]))
        .map(str::to_owned)
        .collect()
}

fn first_literal(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

/// `path` as seen from `folder`, without `.` and `..`.
fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests;
