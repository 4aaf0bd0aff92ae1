use procession::Pool;

fn square(x: u64) -> u64 {
    x * x
}

#[procession::main]
fn main() -> procession::Result<()> {
    let pool = Pool::new(1)?;
    pool.apply_async(square, (1_u64, 2_u64));
    Ok(())
}
