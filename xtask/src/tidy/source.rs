//! The files of the repository, and what of a Rust file is code and what is comment.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where sources and documents lie; everything else, build output above all, is not looked at.
const FOLDERS: [&str; 6] = [".ci", "ci", "crates", "docs", "fuzz", "xtask"];

/// A text file of the repository.
#[derive(Debug)]
pub(crate) struct File {
    /// Path from the root, with `/` between its parts.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
    /// Of a Rust file: the text with comments and literals blanked, byte for byte.
    pub(crate) code: String,
    /// Of a Rust file: the text with all but comments blanked, byte for byte.
    pub(crate) comments: String,
}

/// All text files of the repository.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: Vec<File>,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let (code, comments) = if path.ends_with(".rs") { split(text) } else { Default::default() };
        Self { path: path.to_owned(), text: text.to_owned(), code, comments }
    }
}

impl Tree {
    /// Reads the repository at `root`.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut paths: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
        for entry in fs::read_dir(root)? {
            let path = entry?.path();
            if path.is_file() {
                paths.push(path);
            }
        }
        let mut tree = Self::default();
        while let Some(path) = paths.pop() {
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name == "target") {
                    continue;
                }
                for entry in fs::read_dir(&path)? {
                    paths.push(entry?.path());
                }
            } else if let Ok(text) = fs::read_to_string(&path) {
                let name = path.strip_prefix(root).expect("the walk began at the root");
                let parts: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
                tree.files.push(File::new(&parts.join("/"), &text));
            }
        }
        tree.files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(tree)
    }

    /// A tree of files that exist only here.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| File::new(path, text)).collect() }
    }

    /// Every file, by path.
    pub(crate) fn files(&self) -> &[File] {
        &self.files
    }

    /// Every Rust file.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// The file at `path`.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// The line, counted from 1, of a byte of `text`.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Whether a byte may be part of a name.
pub(crate) fn is_name_byte(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// Where `name` stands in `code` as a word of its own.
pub(crate) fn words<'a>(code: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    code.match_indices(name).map(|(at, _)| at).filter(move |at| {
        let before = at.checked_sub(1).map(|at| bytes[at]);
        let after = bytes.get(at + name.len()).copied();
        !before.is_some_and(is_name_byte) && !after.is_some_and(is_name_byte)
    })
}

/// What a span of Rust text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Span {
    Code,
    Comment,
    Literal,
}

/// Splits Rust text into its code and its comments, each with all other bytes but line ends made
/// spaces.
fn split(text: &str) -> (String, String) {
    let mut code = text.as_bytes().to_vec();
    let mut comments = code.clone();
    let mut at = 0;
    while at < text.len() {
        let (span, count) = next_span(text.as_bytes(), at);
        for index in at..at + count {
            if text.as_bytes()[index] == b'\n' {
                continue;
            }
            if span != Span::Code {
                code[index] = b' ';
            }
            if span != Span::Comment {
                comments[index] = b' ';
            }
        }
        at += count;
    }
    let text_of = |bytes| String::from_utf8(bytes).expect("whole spans of UTF-8 were blanked");
    (text_of(code), text_of(comments))
}

/// The span that begins at `at`: what it is and how many bytes it has.
fn next_span(text: &[u8], at: usize) -> (Span, usize) {
    let rest = &text[at..];
    let is_word_start = at == 0 || !is_name_byte(text[at - 1]);
    if rest.starts_with(b"//") {
        let count = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        return (Span::Comment, count);
    }
    if rest.starts_with(b"/*") {
        return (Span::Comment, block_comment_bytes(rest));
    }
    if rest[0] == b'"' {
        return (Span::Literal, quoted_bytes(rest));
    }
    if is_word_start && let Some(count) = raw_string_bytes(rest) {
        return (Span::Literal, count);
    }
    if rest[0] == b'\''
        && let Some(count) = character_bytes(rest)
    {
        return (Span::Literal, count);
    }
    let count = rest[1..].iter().take_while(|byte| !byte.is_ascii()).count();
    (Span::Code, 1 + count)
}

fn block_comment_bytes(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted_bytes(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A raw string, or a byte or C string with its prefix.
fn raw_string_bytes(rest: &[u8]) -> Option<usize> {
    let prefix = rest.iter().take_while(|byte| matches!(byte, b'b' | b'c' | b'r')).count();
    if prefix == 0 || prefix > 2 {
        return None;
    }
    if rest[prefix - 1] != b'r' {
        return (rest.get(prefix) == Some(&b'"')).then(|| prefix + quoted_bytes(&rest[prefix..]));
    }
    let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
    let start = prefix + hashes + 1;
    if rest.get(start - 1) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'"'];
    end.resize(1 + hashes, b'#');
    let inside = rest[start..].windows(end.len()).position(|window| window == end);
    Some(inside.map_or(rest.len(), |inside| start + inside + end.len()))
}

/// A character literal; `None` for a lifetime.
fn character_bytes(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        let close = rest.iter().skip(3).position(|byte| *byte == b'\'')?;
        return Some(close + 4);
    }
    let text = str::from_utf8(&rest[1..rest.len().min(6)]);
    let first = match text {
        Ok(text) => text.chars().next()?,
        Err(error) => str::from_utf8(&rest[1..1 + error.valid_up_to()]).ok()?.chars().next()?,
    };
    (rest.get(1 + first.len_utf8()) == Some(&b'\'')).then(|| first.len_utf8() + 2)
}

#[cfg(test)]
mod tests;
