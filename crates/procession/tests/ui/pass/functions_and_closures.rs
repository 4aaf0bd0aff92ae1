//! Plain functions, closures that capture nothing, and generic functions are all fine.

use procession::{Pool, Process};

const STEP: u64 = 2;

fn none() {}

fn twelve(
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    e: u8,
    f: u8,
    g: u8,
    h: u8,
    i: u8,
    j: u8,
    k: u8,
    l: u8,
) -> u8 {
    a + b + c + d + e + f + g + h + i + j + k + l
}

fn generic<T: std::fmt::Display>(value: T) -> String {
    value.to_string()
}

#[procession::main]
fn main() -> procession::Result<()> {
    let mut process = Process::new(none, ());
    process.start()?;
    process.join()?;

    let pool = Pool::new(1)?;
    assert_eq!(
        pool.apply(twelve, (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1))?,
        12
    );
    assert_eq!(pool.apply(generic::<u8>, (7,))?, "7");
    assert_eq!(pool.apply(|x: u64| x + STEP, (1,))?, 3);
    pool.close();
    pool.join()
}
