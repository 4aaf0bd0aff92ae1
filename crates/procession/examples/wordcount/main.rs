//! Counts the words of all text files below a folder: `wordcount [--serial|--threads] [PATH]`.
#![expect(clippy::print_stdout, reason = "an example prints")]

mod files;

use procession::{Pool, cpu_count};
use std::collections::{BinaryHeap, HashMap};
use std::{cmp::Reverse, env, error::Error, fs, iter, time::Instant};

/// Map: the distinct words (runs of letters, those of ASCII made small) in those files that are text,
/// how often each occurs, files, bytes.
fn count(names: Vec<String>) -> (String, Vec<u64>, usize, usize) {
    let (mut counts, mut files, mut bytes) = (HashMap::<String, u64>::new(), 0, 0);
    for mut text in names.iter().filter_map(|name| fs::read_to_string(name).ok()) {
        (files, bytes) = (files + 1, bytes + text.len());
        text.make_ascii_lowercase();
        let words = text.split(|c: char| !c.is_alphabetic());
        for word in words.filter(|word| !word.is_empty()) {
            match counts.get_mut(word) {
                Some(count) => *count += 1,
                None => drop(counts.insert(word.to_owned(), 1)),
            }
        }
    }
    let (words, times): (Vec<_>, Vec<_>) = counts.into_iter().unzip();
    (words.join(" "), times, files, bytes)
}

#[procession::main]
fn main() -> Result<(), Box<dyn Error>> {
    let (start, workers) = (Instant::now(), cpu_count());
    let has = |option| env::args().any(|arg| arg == option);
    let path = env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let parts = files::parts(&path.unwrap_or_else(files::cargo_sources), 4 * workers)?;
    let pool: Option<Pool> = match has("--threads") {
        true => Some(Pool::threads(workers)?.into()),
        false => (!has("--serial")).then(|| Pool::new(workers)).transpose()?,
    };
    let tallies: Box<dyn Iterator<Item = procession::Result<_>>> = match &pool {
        None => Box::new(parts.into_iter().map(|names| Ok(count(names)))),
        Some(pool) => Box::new(pool.imap_unordered(count, parts)),
    };
    let (mut total, mut files, mut bytes) = (HashMap::<String, u64>::new(), 0, 0);
    for tally in tallies {
        let (words, times, more_files, more_bytes) = tally?;
        for (word, times) in words.split(' ').zip(times) {
            *total.entry(word.to_owned()).or_default() += times;
        }
        (files, bytes) = (files + more_files, bytes + more_bytes);
    }
    let words: u64 = total.values().sum();
    let mut top: BinaryHeap<_> = total.into_iter().map(|(w, n)| (n, Reverse(w))).collect();
    for (times, Reverse(word)) in iter::from_fn(|| top.pop()).take(20) {
        println!("{times:>12} {word}");
    }
    let speed = bytes as f64 / 1e6 / start.elapsed().as_secs_f64();
    println!("{files} files, {bytes} bytes, {words} words, {speed:.1} MB/s");
    Ok(())
}
