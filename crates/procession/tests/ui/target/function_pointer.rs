use procession::Pool;

fn square(x: u64) -> u64 {
    x * x
}

#[procession::main]
fn main() -> procession::Result<()> {
    let function: fn(u64) -> u64 = square;
    let pool = Pool::new(1)?;
    pool.apply_async(function, (1,)).get().map(drop)
}
