use procession::Pool;

struct Opaque;

fn make() -> Opaque {
    Opaque
}

#[procession::main]
fn main() -> procession::Result<()> {
    let pool = Pool::new(1)?;
    pool.apply_async(make, ());
    Ok(())
}
