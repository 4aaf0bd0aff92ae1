use procession::Pool;

#[procession::main]
fn main() -> procession::Result<()> {
    let step = 2_u64;
    let pool = Pool::new(1)?;
    let result = pool.apply_async(move |x: u64| x + step, (1,));
    result.get().map(drop)
}
