//! All workers read one large table in place, and a context that each of them decodes once.
#![expect(clippy::print_stdout, reason = "an example prints")]

use procession::{Pool, Shared, SharedSlice};
use serde::{Deserialize, Serialize};

/// What every task needs to know, besides the table.
#[derive(Serialize, Deserialize)]
struct Query {
    modulus: u64,
    names: Vec<String>,
}

/// How many numbers of a part of the table leave a remainder.
fn count(table: SharedSlice<u64>, query: Shared<Query>, part: usize) -> (String, usize) {
    let length = table.len() / PARTS;
    let part_of_table = &table[part * length..(part + 1) * length];
    let remainder = part % query.names.len();
    let fits = |number: &&u64| **number % query.modulus == remainder as u64;
    (query.names[remainder].clone(), part_of_table.iter().filter(fits).count())
}

const PARTS: usize = 64;

#[procession::main]
fn main() -> procession::Result<()> {
    // 32 MiB, written where they will be read.
    let table = SharedSlice::with(4 << 20, |table| {
        table.iter_mut().zip(0..).for_each(|(number, index)| *number = index);
    })?;
    let names = ["zero", "one", "two", "three"].map(str::to_owned).into();
    let query = Shared::new(Query { modulus: 4, names })?;

    let pool = Pool::new(2)?;
    let calls = (0..PARTS).map(|part| (table.clone(), query.clone(), part));
    let counts = pool.starmap(count, calls)?;
    for name in &query.names {
        let total: usize = counts.iter().filter(|(of, _)| of == name).map(|(_, count)| count).sum();
        assert_eq!(total, table.len() / 16);
        println!("{name}: {total}");
    }
    let shared = pool.stats().shared;
    assert!(shared <= 4, "two pieces of data, two workers");
    println!("{PARTS} tasks, data sent {shared} times.");
    pool.close();
    pool.join()
}
