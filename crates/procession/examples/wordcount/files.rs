//! The files below a folder, dealt into parts for the workers.

use std::path::PathBuf;
use std::{env, fs, io};

/// Where cargo keeps the sources that it has fetched.
pub(crate) fn cargo_sources() -> String {
    let home = env::var("CARGO_HOME").or_else(|_| env::var("HOME").map(|home| home + "/.cargo"));
    home.unwrap_or_default() + "/registry/src"
}

/// The names of all files below `folder` in `count` parts of about the same number of bytes.
///
/// Links are not followed. A name that is not UTF-8 becomes one that cannot be opened.
pub(crate) fn parts(folder: &str, count: usize) -> io::Result<Vec<Vec<String>>> {
    let (mut folders, mut files) = (vec![PathBuf::from(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push((entry.metadata()?.len(), entry.path()));
            }
        }
    }
    // Largest first, each part in turn.
    files.sort_unstable_by(|left, right| right.cmp(left));
    let mut parts = vec![Vec::new(); count];
    for (index, (_, path)) in files.into_iter().enumerate() {
        parts[index % count].push(path.to_string_lossy().into_owned());
    }
    Ok(parts)
}
