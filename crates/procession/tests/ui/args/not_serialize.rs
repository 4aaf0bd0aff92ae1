use procession::Pool;

struct Opaque;

fn take(_: Opaque) {}

#[procession::main]
fn main() -> procession::Result<()> {
    let pool = Pool::new(1)?;
    pool.apply_async(take, (Opaque,));
    Ok(())
}
